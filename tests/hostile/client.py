"""A vtest client that says what it likes: commands by name, made from the generator's model, and rings of its own."""

import mmap
import os
import random
import select
import socket
import struct
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.dont_write_bytecode = True
for folder in ("protocol", "tests/unit/wire", "tests/vtest"):
    sys.path.insert(0, os.path.join(ROOT, folder))
import generate  # noqa: E402
import kill  # noqa: E402
import samples  # noqa: E402

# main() with nothing in it.
SHADER = struct.pack(
    "<48I", 0x07230203, 0x10000, 0, 6, 0, 0x20011, 1, 0x3000E, 0, 1, 0x5000F, 5, 4, 0x6E69616D, 0,
    0x60010, 4, 17, 1, 1, 1, 0x20013, 2, 0x30021, 3, 2, 0x50036, 2, 4, 0, 3, 0x200F8, 5, 0x100FD, 0x10038,
    *[0x10000] * 13)  # fmt: skip

# What most attempts begin with: one object of each common type. Values are by the names of members.
PRELUDE = [
    ("vkCreateInstance", {}),
    ("vkEnumeratePhysicalDevices", {"pPhysicalDeviceCount": 1}),
    ("vkCreateDevice", {"queueCreateInfoCount": 1, "queueCount": 1}),
    ("vkGetDeviceQueue2", {"ringIdx": 1}),
    ("vkCreateCommandPool", {"flags": 2}),
    ("vkAllocateCommandBuffers", {"commandBufferCount": 1}),
    ("vkAllocateMemory", {"allocationSize": 1 << 20}),
    ("vkCreateBuffer", {"size": 65536, "usage": 0x1FF}),
    ("vkBindBufferMemory", {}),
    ("vkCreateBufferView", {"format": 37, "range": 1024}),
    ("vkCreateImage", {"imageType": 1, "format": 37, "width": 64, "height": 64, "depth": 1, "mipLevels": 1,
                       "arrayLayers": 1, "samples": 1, "usage": 0x17}),
    ("vkBindImageMemory", {"memoryOffset": 65536}),
    ("vkCreateImageView", {"viewType": 1, "format": 37, "aspectMask": 1, "levelCount": 1, "layerCount": 1}),
    ("vkCreateSampler", {}),
    ("vkCreateFence", {}),
    ("vkCreateSemaphore", {}),
    ("vkCreateEvent", {}),
    ("vkCreateQueryPool", {"queryType": 2, "queryCount": 4}),
    ("vkCreatePipelineCache", {}),
    ("vkCreateDescriptorSetLayout", {"bindingCount": 1, "descriptorType": 7, "descriptorCount": 1, "stageFlags": 0x20}),
    ("vkCreateDescriptorPool", {"maxSets": 4, "poolSizeCount": 1, "type": 7, "descriptorCount": 4}),
    ("vkAllocateDescriptorSets", {"descriptorSetCount": 1}),
    ("vkCreatePipelineLayout", {"setLayoutCount": 1}),
    ("vkCreateShaderModule", {"codeSize": len(SHADER), "pCode": SHADER}),
    ("vkCreateComputePipelines", {"createInfoCount": 1, "stage": 0x20, "pName": b"main"}),
    ("vkCreateRenderPass", {"attachmentCount": 1, "subpassCount": 1, "colorAttachmentCount": 1, "format": 37,
                            "samples": 1, "layout": 2, "finalLayout": 2}),
    ("vkCreateFramebuffer", {"attachmentCount": 1, "width": 64, "height": 64, "layers": 1}),
    ("vkBeginCommandBuffer", {}),
]  # fmt: skip
CHAINS = {"VkDeviceQueueInfo2": ["VkDeviceQueueTimelineInfoMESA"]}
ODD = [1, 2, 7, 64, 255, 4096, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, (1 << 63) - 1, (1 << 64) - 1]


def load():
    for prefix in (os.path.join(ROOT, "build/registry/usr"), "/usr"):
        xml = os.path.join(prefix, "share/vulkan/registry/vk.xml")
        if os.path.exists(xml):
            return generate.load(xml, os.path.join(ROOT, "protocol/venus.xml"))
    raise SystemExit("hostile: no vk.xml: run scripts/tree registry")


class Commands(samples.Writer):
    """Writes commands. A number is what `wishes` says for its name, else 0, or anything where `wild`."""

    def __init__(self, model, rng):
        super().__init__(model, rng, set())
        self.objects = {}  # by type: ids
        self.ids = 0
        self.wishes, self.wild, self.null = {}, False, None

    def write(self, name, wishes=None, wild=False, null=None):
        """`null`: the number of the handle, from 0, that is null; -1: all but the first."""
        self.wishes, self.wild, self.null = wishes or {}, wild, null
        self.name, self.handles = name, 0
        command = self.model.registry.commands[name]
        self.outputs = {p.name for p in command.params if self.model.is_output(p)}
        bytes_, _, _ = super().request(name)
        flags = struct.pack("<I", 1 if self.wishes.get("reply") else 0)
        return bytes_[:4] + flags + bytes_[8:]

    def chance(self, percent):
        return self.wild and super().chance(percent)

    def number(self, width):
        if not self.wild:
            return 0
        value = self.rng.choice(ODD) if self.rng.randrange(3) == 0 else self.rng.randrange(4)
        return value & ((1 << 8 * width) - 1)

    def scalar(self, width, value=None):
        return super().scalar(width, self.number(width) if value is None else value)

    def enumerant(self, name):
        return None  # any

    def fresh_count(self, limit=4):
        return self.rng.randrange(limit) if self.wild else 0

    def length_value(self, name, members):
        return self.wishes[name] if name in self.wishes else super().length_value(name, members)

    def value(self, item, members, env, limits):
        if self.model.is_handle(item.type):
            env[item.name] = self.named_handle(item)
        elif item.name in self.wishes and self.model.width(item.type):
            env[item.name] = self.scalar(self.model.width(item.type), self.wishes[item.name])
        else:
            super().value(item, members, env, limits)

    def element(self, item):
        return self.named_handle(item) if self.model.is_handle(item.type) else super().element(item)

    def handle(self, null_allowed=True):  # the first one
        return self.named_handle(self.model.request(self.name)[0])

    def named_handle(self, item):
        kind = self.model.registry.type_name(item.type)
        if item.name in self.outputs:
            self.ids += 1
            self.objects.setdefault(kind, []).append(self.ids)
            value = self.ids
        else:
            value = self.objects.get(kind, [0])[-1]
            if self.null == self.handles or self.null == -1 and self.handles:
                value = 0
            self.handles += 1
        self.u64(value)
        return value

    def array(self, item, env, present):
        data = self.wishes.get(item.name)
        if isinstance(data, bytes):
            if item.lens == ["null-terminated"]:
                data += b"\0"
                self.u64(len(data))
            else:
                self.u64(self.length(item.lens[0], env))
            self.padded(data)
            env[item.name] = []
            return
        if present is None and not self.wild and item.lens != ["null-terminated"]:
            present = self.length(item.lens[0], env) > 0
        super().array(item, env, present)

    def pointer(self, item, members, env, limits, present):
        if item.name in self.wishes or item.name in self.outputs:
            present = True
        super().pointer(item, members, env, limits, present)

    def string(self):
        super().string() if self.wild else (self.u64(1), self.padded(b"\0"))

    def struct(self, name, form):
        if self.wild or name not in CHAINS:
            return super().struct(name, form)
        env = {}
        self.u32(self.model.stype_value(name))
        for child in CHAINS[name]:
            self.u64(1)
            self.u32(self.model.stype_value(child))
        self.u64(0)
        for child in reversed(CHAINS[name]):
            self.body(child, form, {})
        self.body(name, form, env)
        return env

    def prelude(self):
        """All of it, and where each command begins."""
        out, at = b"", []
        for name, wishes in PRELUDE:
            at.append(len(out))
            out += self.write(name, wishes)
        return out, at


class Gone(Exception):
    """The server has hung up."""


class Guest:
    """A connection with a context."""

    def __init__(self, at, name):
        self.name = name
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(20)
        self.socket.connect(at.socket)
        self.send(kill.hello(name.encode()) + kill.message(kill.CONTEXT_INIT, 4))
        self.read(3)  # the version
        self.sync = None

    def close(self):
        self.socket.close()

    def send(self, data):
        try:
            self.socket.sendall(data)
        except (BrokenPipeError, ConnectionError):
            raise Gone from None

    def read(self, words):
        """A reply with its header."""
        data = b""
        try:
            while len(data) < words * 4:
                more = self.socket.recv(words * 4 - len(data))
                if not more:
                    raise Gone
                data += more
        except ConnectionError:
            raise Gone from None
        reply = struct.unpack(f"<{words}I", data)
        if reply[:2] == (0, 0):  # a connection ends with zeroes
            raise Gone
        return reply

    def submit(self, commands, syncs=b"", ring=0):
        commands = commands + bytes(-len(commands) % 4)
        words = len(commands) // 4
        batch = struct.pack("<9I", 1, 1, 9, words, 9 + words, len(syncs) // 12, ring, 0, 0)
        payload = batch + commands + syncs
        self.send(struct.pack("<2I", len(payload) // 4, kill.SUBMIT) + payload)

    def settled(self, seconds=10):
        """Waits until all that was submitted is carried out. False: not in time."""
        self.send(kill.message(kill.SYNC_CREATE, 0, 0))
        sync = self.read(3)[2]
        self.submit(b"", struct.pack("<3I", sync, 1, 0))
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            self.send(kill.message(kill.SYNC_READ, sync))
            if self.read(4)[2]:
                return True
            time.sleep(0.002)
        return False

    def memory(self, size):
        """(id, mapping) of shared memory for rings and replies."""
        self.send(kill.message(kill.CREATE_BLOB, 2, 1, size, 0, 0, 0))
        resource = self.read(3)[2]
        select.select([self.socket], [], [], 20)
        data, fds, _, _ = socket.recv_fds(self.socket, 1, 1)
        if not data or not fds:
            raise Gone
        try:
            return resource, mmap.mmap(fds[0], size)
        finally:
            os.close(fds[0])


class Ring:
    """A ring of 4 KiB at the start of shared memory of its own; a word of it may be anything."""

    LAYOUT = {"size": 16384, "headOffset": 0, "tailOffset": 64, "statusOffset": 128, "bufferOffset": 4096,
              "bufferSize": 4096, "extraOffset": 8192, "extraSize": 64, "idleTimeout": 1000000}  # fmt: skip

    def __init__(self, guest, commands, number=1, **layout):
        self.resource, self.map = guest.memory(16384)
        self.tail = 0
        wishes = {**self.LAYOUT, "ring": number, "resourceId": self.resource, **layout}
        guest.submit(commands.write("vkCreateRingMESA", wishes))

    def put(self, data, tail=None):
        at = self.tail % 4096
        first = min(len(data), 4096 - at)
        self.map[4096 + at : 4096 + at + first] = data[:first]
        self.map[4096 : 4096 + len(data) - first] = data[first:]
        self.tail = self.tail + len(data) if tail is None else tail
        self.word(64, self.tail & 0xFFFFFFFF)

    def word(self, offset, value):
        struct.pack_into("<I", self.map, offset, value)

    def close(self):
        self.map.close()


def seeded(*words):
    return random.Random(" ".join(map(str, words)))
