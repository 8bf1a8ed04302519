"""Kinds of misuse. Each yields (what, attempt): attempt(guest, commands) says what it likes and returns.

`what` names the attempt in the table of crashes; for most it is the command that is at fault."""

import struct
import time

import kill
from client import ODD, PRELUDE, Ring, seeded

KINDS = {}


def kind(function):
    KINDS[function.__name__] = function
    return function


def after_prelude(write):
    """What `write` makes follows the prelude."""

    def attempt(guest, commands):
        start, _ = commands.prelude()
        guest.submit(start + write(commands))

    return attempt


def names(model):
    """Commands that a program's objects are for."""
    return [n for n in model.commands if not model.registry.commands[n].private and n != "vkCreateInstance"]


# --- the socket ----------------------------------------------------------------------------------------


@kind
def socket_noise(model):
    for what, data in kill.NONSENSE.items():
        yield what, lambda guest, commands, data=data: guest.send(data)


@kind
def socket_floods(model):
    def syncs(guest, commands):
        guest.send(kill.message(kill.SYNC_CREATE, 0, 0) * 3000)
        for _ in range(3000):
            guest.read(3)

    def fences(guest, commands):
        guest.send(kill.message(kill.SYNC_CREATE, 0, 0))
        sync = guest.read(3)[2]
        for i in range(3000):
            guest.submit(b"", struct.pack("<3I", sync, i + 1, 0), i % 64)

    def blobs(guest, commands):
        for _ in range(300):
            guest.memory(4096)

    def promises(guest, commands):
        for _ in range(64):
            guest.memory(1 << 30)

    def deaf(guest, commands):
        guest.send(kill.message(kill.GET_CAPSET, 4, 0) * 20000)

    for flood in syncs, fences, blobs, promises, deaf:
        yield flood.__name__, flood


# --- rings ---------------------------------------------------------------------------------------------


@kind
def ring_layouts(model):
    odd = {
        "offset": [4096, 1 << 63, 2],
        "size": [0, 1 << 40, (1 << 64) - 1],
        "headOffset": [64, 16384, 1],
        "tailOffset": [128, 1 << 62],
        "statusOffset": [4096, 16381],
        "bufferOffset": [0, 14000],
        "bufferSize": [0, 3, 4095, 8192, 1 << 31, 1 << 63],
        "extraOffset": [4100, (1 << 64) - 4],
        "extraSize": [1 << 32],
        "resourceId": [0, 77],
    }
    for name, values in odd.items():
        for value in values:
            yield f"{name} {value:#x}", lambda guest, commands, n=name, v=value: Ring(guest, commands, **{n: v}).close()


@kind
def ring_words(model):
    def tails(value):
        def attempt(guest, commands):
            ring = Ring(guest, commands)
            ring.put(b"", tail=value)

        return attempt

    def scribble(offset):
        def attempt(guest, commands):
            ring, rng = Ring(guest, commands), seeded("scribble", offset)
            start, _ = commands.prelude()
            ring.put(start[:4096])
            for _ in range(200):
                ring.word(offset, rng.getrandbits(32))

        return attempt

    for value in 1, 2, 4, 4097, 8192, 0x7FFFFFFC, 0xFFFFFFFC:
        yield f"tail {value:#x}", tails(value)
    for offset in 0, 64, 128, 4096, 4104:
        yield f"scribbles at {offset}", scribble(offset)


@kind
def ring_ends(model):
    def destroyed_at_work(guest, commands):
        ring = Ring(guest, commands)
        start, _ = commands.prelude()
        ring.put(start[:4096])
        guest.submit(commands.write("vkDestroyRingMESA", {"ring": 1}))

    def destroyed_twice(guest, commands):
        Ring(guest, commands)
        guest.submit(commands.write("vkDestroyRingMESA", {"ring": 1}) * 2)

    def memory_taken_away(guest, commands):
        ring = Ring(guest, commands)
        start, _ = commands.prelude()
        ring.put(start[:2048])
        guest.send(kill.message(kill.UNREF, ring.resource))

    def too_many(guest, commands):
        for number in range(1, 40):
            Ring(guest, commands, number)

    def same_memory(guest, commands):
        ring = Ring(guest, commands)
        wishes = {**Ring.LAYOUT, "ring": 2, "resourceId": ring.resource}
        guest.submit(commands.write("vkCreateRingMESA", wishes))

    def deadlock(guest, commands):
        ring = Ring(guest, commands)
        ring.put(commands.write("vkWaitVirtqueueSeqnoMESA", {"seqno": 1 << 40}))
        guest.submit(commands.write("vkWaitRingSeqnoMESA", {"ring": 1, "seqno": 1 << 20}))

    for end in destroyed_at_work, destroyed_twice, memory_taken_away, too_many, same_memory, deadlock:
        yield end.__name__, end


# --- streams -------------------------------------------------------------------------------------------


@kind
def stream_cuts(model):
    for i in range(24):

        def attempt(guest, commands, i=i):
            start, _ = commands.prelude()
            guest.submit(start[: seeded("cut", i).randrange(8, len(start)) & ~3])

        yield "a prefix", attempt


@kind
def stream_flips(model):
    for i in range(60):

        def attempt(guest, commands, i=i):
            start, rng = bytearray(commands.prelude()[0]), seeded("flip", i)
            for _ in range(1 + i % 3):
                start[rng.randrange(len(start))] ^= 1 << rng.randrange(8)
            guest.submit(bytes(start))

        yield "a byte is another", attempt


@kind
def stream_numbers(model):
    known = set(model.commands.values())
    for number in [n for n in range(max(known) + 3) if n not in known] + ODD:
        data = struct.pack("<2I", number & 0xFFFFFFFF, 0) + bytes(256)
        yield "no such command", lambda guest, commands, data=data: guest.submit(data)


@kind
def stream_replies(model):
    def outside(guest, commands):
        resource, _ = guest.memory(4096)
        guest.submit(commands.write("vkSetReplyCommandStreamMESA", {"resourceId": resource, "offset": 4092, "size": 8}))

    def none(guest, commands):
        guest.submit(commands.write("vkEnumerateInstanceVersion", {"reply": 1}))

    def too_small(guest, commands):
        resource, _ = guest.memory(4096)
        guest.submit(commands.write("vkSetReplyCommandStreamMESA", {"resourceId": resource, "size": 8}))
        guest.submit(commands.write("vkEnumerateInstanceVersion", {"reply": 1}) * 3)

    def nested(guest, commands):
        resource, memory = guest.memory(4096)
        wishes = {"streamCount": 1, "resourceId": resource, "size": 256}
        inner = commands.write("vkExecuteCommandStreamsMESA", wishes)
        memory[: len(inner)] = inner
        guest.submit(inner)

    for reply in outside, none, too_small, nested:
        yield reply.__name__, reply


# --- commands ------------------------------------------------------------------------------------------


@kind
def zeroes(model):
    """All handles are right, and everything else is 0."""
    for name in names(model):
        yield name, after_prelude(lambda commands, n=name: commands.write(n))


@kind
def null_handles(model):
    """All handles but the first are null, which makes as little sense as the rest."""
    for name in names(model):
        yield name, after_prelude(lambda commands, n=name: commands.write(n, null=-1, wild=True))


@kind
def no_object(model):
    for name in names(model):
        yield name, after_prelude(lambda commands, n=name: commands.write(n, null=0))


@kind
def wild_values(model):
    """The handles are right, the values are anything."""
    for turn in range(4):
        for name in names(model):

            def attempt(guest, commands, name=name, turn=turn):
                start, _ = commands.prelude()
                commands.rng = seeded("wild", name, turn)
                guest.submit(start + commands.write(name, wild=True))

            yield name, attempt


@kind
def recorded(model):
    """Recorded with senseless values, and carried out by the device."""
    for turn in range(2):
        for name in [n for n in names(model) if n.startswith("vkCmd")]:

            def attempt(guest, commands, name=name, turn=turn):
                start, _ = commands.prelude()
                commands.rng = seeded("recorded", name, turn)
                data = start + commands.write(name, wild=turn > 0) + commands.write("vkEndCommandBuffer")
                guest.submit(data + commands.write("vkQueueSubmit", {"submitCount": 1, "commandBufferCount": 1}))
                guest.settled()
                guest.submit(commands.write("vkDeviceWaitIdle"))

            yield name, attempt


@kind
def long_results(model):
    """More results than there is room for, far apart."""
    for stride in 64, 4096, 1 << 20, (1 << 64) - 8:
        for room in 0, 4, 8:
            wishes = {"queryCount": 4, "dataSize": room, "stride": stride}
            yield "vkGetQueryPoolResults", after_prelude(
                lambda commands, w=wishes: commands.write("vkGetQueryPoolResults", w) * 20
            )


@kind
def odd_values(model):
    """One number of a valid stream is another."""
    for i in range(200):
        rng = seeded("odd", i)
        place, value = rng.randrange(4, len(PRELUDE)), rng.choice(ODD) & 0xFFFFFFFF

        def attempt(guest, commands, place=place, value=value, rng=rng):
            start, at = commands.prelude()
            begin, end = at[place], (at + [len(start)])[place + 1]
            words = list(range(begin + 16, end - 3, 4)) or [begin]
            offset = rng.choice(words)
            guest.submit(start[:offset] + struct.pack("<I", value) + start[offset + 4 :])

        yield PRELUDE[place][0], attempt


# --- lifetimes -----------------------------------------------------------------------------------------


def destroyers(model):
    found = {}
    for name in model.commands:
        params = model.registry.commands[name].params
        if name.startswith("vkDestroy") or name == "vkFreeMemory":
            handles = [p for p in params if model.is_handle(p.type)]
            if len(handles) == 2:
                found[model.registry.type_name(handles[1].type)] = name
    return found


@kind
def destroyed_twice(model):
    for name in destroyers(model).values():
        yield name, after_prelude(lambda commands, n=name: commands.write(n) * 2)


@kind
def used_after(model):
    """Each command of the prelude once more, when what it names is gone."""
    for gone, destroy in destroyers(model).items():
        for name, wishes in PRELUDE[3:]:
            params = model.registry.commands[name].params
            if any(model.registry.type_name(p.type) == gone for p in params):
                yield f"{name} after {destroy}", after_prelude(
                    lambda commands, d=destroy, n=name, w=wishes: commands.write(d) + commands.write(n, w)
                )


@kind
def parents_first(model):
    for name in "vkDestroyDevice", "vkDestroyInstance", "vkDestroyCommandPool", "vkDestroyDescriptorPool":
        yield name, after_prelude(lambda commands, n=name: commands.write(n) + commands.write("vkEndCommandBuffer"))


@kind
def in_flight(model):
    for name in destroyers(model).values():

        def write(commands, name=name):
            fill = commands.write("vkCmdFillBuffer", {"size": 65536})
            end = commands.write("vkEndCommandBuffer")
            submit = commands.write("vkQueueSubmit", {"submitCount": 1, "commandBufferCount": 1})
            return fill * 50 + end + submit + commands.write(name)

        yield name, after_prelude(write)


@kind
def waits_for_ever(model):
    for name in "vkWaitForFences", "vkGetQueryPoolResults", "vkWaitSemaphores":

        def attempt(guest, commands, name=name):
            start, _ = commands.prelude()
            wishes = {"fenceCount": 1, "semaphoreCount": 1, "timeout": (1 << 64) - 1, "queryCount": 1, "flags": 2,
                      "dataSize": 8, "pValues": 1}  # fmt: skip
            guest.submit(start + commands.write(name, wishes))
            time.sleep(0.1)

        yield name, attempt
