"""What is tried in a virtual machine. Each case is a function of (native, vm): programs run natively on the
same driver that Hesper's workers load, and the machine.

A case returns None when all is well, or a short remark; it raises Failed, or Skip with the reason.
"""

import os
import re
import signal
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "vtest"))
import bed  # noqa: E402
import cases  # noqa: E402
import hostile  # noqa: E402
import input as input_devices  # noqa: E402


class Failed(Exception):
    pass


class Skip(Exception):
    pass


def expect(ok, what):
    if not ok:
        raise Failed(what)


PROGRAMS = ["compute", "offscreen", "sync", "memory", "threads", "interop", "hostcopy", "heap", "rays", "meshes", "blobs"]
PROGRAMS += ["draws", "large", "lives", "beside", "loss"]


def program_paths():
    paths = [os.path.join(bed.BUILD, "tests/programs", name) for name in PROGRAMS]
    paths += [os.path.join(bed.BUILD, "guest/hesper-icd.so"), hostile.PROGRAM]
    return [path for path in paths if os.path.exists(path)]


class Native:
    """What our programs say and write natively, each run once."""

    def __init__(self, tree):
        self.side, self.seen = bed.Side(tree), {}

    def run(self, name, args, output):
        key = (name, args)
        if key not in self.seen:
            path = os.path.join(self.side.tree.work, "vm-" + output) if output else None
            argv = [self.side.tree.adopt(os.path.join(bed.BUILD, "tests/programs", name)), *args]
            result = self.side.run(argv + ([path] if path else []), bed.udmabuf())
            picture = b""
            if path and result.status == 0:
                with open(path, "rb") as f:
                    picture = f.read()
            self.seen[key] = result, picture
        return self.seen[key]


def program(name, *args, output=None, optional=False):
    """A program of tests/programs: its words and its file must be the same bytes as natively.

    optional: Mesa's Venus may lack what it shows, whatever the host has."""

    def run(native, vm):
        want, picture = native.run(name, args, output)
        file = f"/tmp/{output}" if output else ""
        got = vm.run(f"EXPECT_ZERO=1 ./{name} {' '.join(args)} {file}")
        if got.status == 77:
            expect(optional or want.status == 77, "skips what runs natively: " + got.out.decode().strip())
            raise Skip(got.out.decode().strip())
        expect(got.status == 0, got.why())
        if want.status == 77:
            return "checked by itself; absent natively"
        expect(want.status == 0, "natively: " + want.why())
        expect(got.out == want.out, f"says {got.out[:200]!r}, natively {want.out[:200]!r}")
        if output:
            expect(vm.run("cat " + file).out == picture, "other bytes in " + output)
        return f"{got.seconds:.1f} s in the guest"

    return run


KIT = """{"file_format_version": "1.0.0", "ICD": {"library_path": "/tmp/p/hesper-icd.so", "api_version": "1.3.0"}}"""


def kit(native, vm):
    """Our programs by the guest kit's driver over the guest's kernel, Mesa's driver left out."""
    found = vm.run(f"echo '{KIT}' > kit_icd.json && ls hesper-icd.so")
    if found.status:
        raise Skip("hesper-icd.so is not built")
    for name in ("compute", "offscreen", "sync", "threads"):
        want, _ = native.run(name, (), None)
        got = vm.run(f"VK_DRIVER_FILES=/tmp/p/kit_icd.json EXPECT_ZERO=1 ./{name}")
        expect(want.status == 0, "natively: " + want.why())
        expect(got.status == 0, f"{name}: {got.why()}")
        expect(got.out == want.out, f"{name} says {got.out[:200]!r}, natively {want.out[:200]!r}")
    shown = vm.run("VK_DRIVER_FILES=/tmp/p/kit_icd.json vulkaninfo --summary").out
    expect(b"Venus" not in shown and b"lavapipe" in shown, "not by the kit's driver")
    return "4 programs"


def vulkaninfo(_native, vm):
    """Complete, without an error, with the version of Vulkan that this Mesa should offer."""
    got = vm.run("vulkaninfo --show-formats")
    text = got.out.decode(errors="replace")
    expect(got.status == 0, got.why())
    expect("ERROR" not in text and b"ERROR" not in got.err, "an ERROR in its output")
    expect(len(text.splitlines()) > 700, f"only {len(text.splitlines())} lines")
    expect("FORMAT_ASTC_12x12_SRGB_BLOCK" in text, "its last section is missing")
    name = re.search(r"deviceName\s*=\s*(.*)", text).group(1)
    expect("Virtio-GPU Venus" in name and "lavapipe" in name, "not on Venus: " + name)
    version = re.search(r"apiVersion\s*=\s*(\d+\.\d+)", text).group(1)
    wanted = "1.3" if vm.disk in ("trixie", "trixie-arm64") else "1.4"
    expect(version == wanted, f"Vulkan {version}, not {wanted}")
    for extension in ("VK_KHR_swapchain", "VK_EXT_external_memory_dma_buf", "VK_EXT_image_drm_format_modifier"):
        expect(extension in text, "no " + extension)
    return f"Vulkan {version}, {len(text.splitlines())} lines"


SCENES = ["vertex", "texture", "shading:shading=phong", "effect2d:kernel=blur", "desktop", "cube", "clear"]


def vkmark(_native, vm):
    """Scenes without a window."""
    scores = []

    def run(scenes, seconds):
        got = vm.run("vkmark --winsys headless --size 400x300 " + " ".join(f"-b {scene}:duration={seconds}" for scene in scenes))
        expect(got.status == 0, got.why())
        scores.extend(re.findall(rb"Score: (\d+)", got.out))
        return got.out

    try:
        cases.all_scenes_have_frames(SCENES, run)
    except cases.Failed as reason:
        raise Failed(str(reason)) from None
    return "score " + scores[0].decode()


# --- the life of a machine -------------------------------------------------------------------------------

DRAW = "./offscreen /tmp/frame.ppm && cat /tmp/frame.ppm"


def same_picture(native, vm):
    want, picture = native.run("offscreen", (), "frame.ppm")
    expect(want.status == 0, "natively: " + want.why())
    got = vm.run(DRAW)
    expect(got.status == 0, got.why())
    expect(got.out == want.out + picture, "another picture than natively")


def reboots(rounds):
    """Half of them by the guest in good order, half by QEMU in the middle of rendering."""

    def run(native, vm):
        for i in range(rounds):
            if i % 2:
                vm.run("while ./threads; do :; done >/dev/null 2>&1 & sleep 0.5")
                vm.reset()
            else:
                vm.reboot()
            same_picture(native, vm)
        return f"{rounds} reboots"

    return run


DEVICE = "$(basename $(readlink -f /sys/bus/virtio/drivers/virtio_gpu/virtio*))"


def rebinds(rounds):
    """The driver leaves the device and comes back."""

    def run(native, vm):
        device = vm.run(f"echo {DEVICE}").out.decode().strip()
        expect(re.fullmatch(r"virtio\d+", device), f"no device at the driver: {device!r}")
        driver = "/sys/bus/virtio/drivers/virtio_gpu"
        for i in range(rounds):
            # The console of the framebuffer holds the device.
            got = vm.run(
                f"for c in /sys/class/vtconsole/*; do grep -q 'frame buffer' $c/name && echo 0 >$c/bind; done\n"
                f"echo {device} >{driver}/unbind && echo {device} >{driver}/bind && ls /dev/dri/renderD128"
            )
            expect(got.status == 0, f"round {i}: {got.why()}")
            if i % 5 == 4:
                same_picture(native, vm)
        same_picture(native, vm)
        return f"{rounds} rounds"

    return run


def pauses(rounds):
    """stop and cont while the guest renders; what it renders must be right all the same."""

    def run(native, vm):
        want, picture = native.run("offscreen", (), "frame.ppm")
        vm.send(f"cd /tmp/p; for i in $(seq 12); do {{ {DRAW}; }} >/tmp/f$i || exit 1; cmp /tmp/f1 /tmp/f$i || exit 2; done; cat /tmp/f1")
        for _ in range(rounds):
            time.sleep(0.15)
            vm.qmp("stop")
            time.sleep(0.1)
            vm.qmp("cont")
        got = vm.receive(600)
        expect(got.status == 0, got.why())
        expect(got.out == want.out + picture, "another picture than natively")
        return f"{rounds} times"

    return run


def kills(rounds):
    """Workers are killed under load: their guest process loses its device, others and the machine go on."""

    def run(native, vm):
        for i in range(rounds):
            before = set(vm.workers())
            vm.run("(./memory >/tmp/load.out 2>&1; echo $? >/tmp/load.status) &")
            deadline = time.monotonic() + 10
            while len(vm.workers()) <= len(before):  # a spare one takes it, and there is a new spare one
                expect(time.monotonic() < deadline, "no worker takes the program")
                time.sleep(0.02)
            time.sleep(0.2)
            ours = [pid for pid in vm.workers()[:-1] if pid not in before] or vm.workers()[:1]
            expect(ours, "no worker")
            os.kill(ours[0], signal.SIGKILL)
            same_picture(native, vm)
            got = vm.run("for i in $(seq 3000); do [ -e /tmp/load.status ] && break; sleep 0.1; done; cat /tmp/load.status; rm /tmp/load.status")
            expect(got.out.strip() not in (b"", b"0"), f"round {i}: the killed worker's program ended with {got.out.strip()!r}")
        return f"{rounds} kills"

    return run


CASES = {
    "vulkaninfo": vulkaninfo,
    "compute": program("compute", output="words"),
    "offscreen": program("offscreen", output="frame.ppm"),
    "sync": program("sync"),
    "memory": program("memory"),  # 1000 × allocate, map, touch, free
    "threads": program("threads"),
    "kit": kit,
    "interop-image": program("interop", "image", output="image.ppm"),
    "interop-programs": program("interop", "programs", output="shared.ppm"),
    "interop-memory": program("interop", "memory", optional=True),
    "interop-syncfile": program("interop", "syncfile", optional=True),
    "hostcopy": program("hostcopy", optional=True),
    "heap": program("heap", optional=True),
    "draws-dynamic": program("draws", "dynamic", output="dynamic.ppm"),
    "draws-indirect": program("draws", "indirect", output="indirect.ppm"),
    "large-regions": program("large", "regions"),
    "large-shader": program("large", "shader"),
    "lives-instances": program("lives", "instances"),
    "lives-children": program("lives", "children"),
    "blobs": program("blobs"),  # 3000 live ones
    "vkmark": vkmark,
}
def limit(below):
    """Ranges are mapped until there is no more room: an error in the program, which it may live with."""

    def run(_native, vm):
        got = vm.run(f"./blobs limit {below}")
        expect(got.status == 0, got.why())
        return got.out.decode().strip()

    return run


def loss(way):
    """A driver that loses its device: the program hears of it and works with a new one. Mesa 26.2 waits for its
    kernel, which knows no lost fences: its program ends at its next command, and the log says why."""

    def run(_native, vm):
        got = vm.run(f"./loss {way} 3")
        expect("the device is lost: vkQueueSubmit" in vm.said(), "no line that names the command: " + got.why())
        if vm.disk == "sid":
            expect(got.status not in (0, None), f"goes on: {got.out!r}")
            return "ended"
        expect(got.out.decode().splitlines() == [way + ": VK_ERROR_DEVICE_LOST", "a new device works"], f"{got.out!r}, {got.why()}")
        return "VK_ERROR_DEVICE_LOST"

    return run


# What happens to a machine, and how many times in a full and in a quick test.
LIFE = {
    "pauses": (pauses, 20, 4),
    "kills": (kills, 5, 1),
    "rebinds": (rebinds, 20, 2),
    "reboots": (reboots, 20, 2),
    "input": (input_devices.trial, 50, 5),
    "hostile": (lambda seconds: hostile.trial(expect, seconds), 120, 4),
}
# Other machines than most, one each: options of `hesper run`, what QEMU may write, what is tried.
OTHERS = {
    "without the placer": (
        ["--placer", "none"],
        "vhost_set_mem_table|Error starting vhost|Failed (initializing|preparing) vhost-user memory",
        {"vulkaninfo": vulkaninfo, "memory": CASES["memory"], "limit": limit(500), "rebinds": rebinds(5), "reboots": reboots(2)},
    ),
    "64 MiB aperture": (
        ["--aperture-size", "64M"],
        "^plan: call",
        {"offscreen": CASES["offscreen"], "limit": limit(1025), "rebinds": rebinds(2), "again": limit(1025), "loss": loss("fence")},
    ),
}
# What the host's driver refuses there, see tests/plan/icd.c. Only the program loss submits so often.
PLANS = {"64 MiB aperture": "vkQueueSubmit 18 VK_ERROR_DEVICE_LOST"}
QUICK = ["vulkaninfo", "compute", "offscreen", "sync", "memory", "interop-programs", "blobs", "vkmark"]
