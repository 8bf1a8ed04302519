"""The cases: real programs, natively and through Hesper. Each case is a function of (bench, side).

A case returns None when all is well, or a short remark; it raises Failed, or Skip with the reason.
"""

import os
import re
import shutil
import signal
import subprocess
import tempfile
import time

import bed


class Failed(Exception):
    pass


class Skip(Exception):
    pass


class Bench:
    """What the cases of one suite share: its native side and what natively came out."""

    def __init__(self, tree):
        self.tree = tree
        self.native = bed.Side(tree)
        self.seen = {}

    def natively(self, key, make):
        if key not in self.seen:
            self.seen[key] = make()
        return self.seen[key]


def expect(ok, what):
    if not ok:
        raise Failed(what)


def read(path):
    try:
        with open(path, "rb") as f:
            return f.read()
    except FileNotFoundError:
        return b""


# --- programs of ours --------------------------------------------------------------------------------


def program(name, *args, output=None, optional=False, plan=None, guest=None):
    """A program of tests/programs: output and file must be the same bytes as natively.

    optional: Mesa's Venus may lack it over vtest whatever the host has; "mac": a host like a Mac may
    lack it. plan: what the host's driver refuses, see tests/plan/icd.c. guest: environment of the program
    when it is a guest."""

    def run(bench, side):
        source = os.path.join(bed.BUILD, "tests/programs", name)
        if not os.path.exists(source):
            raise Skip(f"{source} is not built")

        def once(at):
            copy = bench.tree.adopt(source)
            path = os.path.join(bench.tree.work, f"{at.name}-{name}-{output}") if output else None
            if path and os.path.exists(path):
                os.remove(path)
            # Zero is what only Hesper promises, see tests/programs/memory.c; dma-buf is what only
            # Hesper has without /dev/udmabuf.
            env = bed.udmabuf() if at.native else {"EXPECT_ZERO": "1", **(guest or {})}
            if plan:
                env.update(bed.plan(bench.tree, plan))
            argv = [copy, *args] + ([path] if path else [])
            return at.run(argv, env), read(path) if path else b""

        want, picture = bench.natively((name, args), lambda: once(bench.native))
        if side.native:
            if want.status == 77:
                raise Skip("natively: " + want.out.decode().strip())
            expect(want.status == 0, want.why())
            return None
        got, pixels = once(side)
        if got.status == 77:
            said = got.out.decode().strip().splitlines()[-1]
            may_lack = optional is True or (optional == "mac" and side.like_a_mac)
            expect(may_lack or want.status == 77, "skips what runs natively: " + said)
            raise Skip(said)
        expect(got.status == 0, got.why())
        if want.status == 77:
            return "checked by itself; absent natively"
        expect(want.status == 0, "natively: " + want.why())
        expect(got.out == want.out, f"other output: {first_difference(got.out, want.out)}")
        expect(pixels == picture, "other bytes in " + (output or ""))
        return None

    return run


def checks(bench, side):
    """Some hundred small checks of what Vulkan promises. None fails, and what is supported natively is so here, but
    on a host like a Mac and by the kit, which leave things out."""
    source = os.path.join(bed.BUILD, "tests/programs/checks")
    if not os.path.exists(source):
        raise Skip(f"{source} is not built")

    def once(at):
        got = at.run([bench.tree.adopt(source)], timeout=120)
        lines = [line.split(": ") for line in got.out.decode().splitlines()]
        return {": ".join(line[:2]): line[2:] for line in lines if len(line) > 2}, got

    want, natively = bench.natively("checks", lambda: once(bench.native))
    found, got = (want, natively) if side.native else once(side)
    expect(got.status is not None and found.keys() == want.keys() and len(found) > 200, f"{len(found)} checks: {got.why()}")
    # What the host's driver does wrong itself is the host's.
    # The first is told in docs/emulation.md; the second is MoltenVK's, which has fewer samplers than Vulkan promises.
    known = {"out of bounds: the length of a null storage buffer", "answers: maxSamplerAllocationCount"}
    known = known if side.like_a_mac else set()
    wrong = [name for name, how in found.items() if how[0] == "failed" and want[name][0] != "failed" and name not in known]
    expect(not wrong, f"{len(wrong)} failed: {wrong[0]}: {found[wrong[0]][1:]}" if wrong else "")
    less = [name for name, how in found.items() if how[0] == "not supported" and want[name][0] == "passed"]
    expect(not less or side.like_a_mac or side.name == "kit", f"{len(less)} not supported, {less[:1]}")
    return got.out.decode().splitlines()[-1]


# What a driver may refuse of what the program offscreen asks for, without a wait for the result.
REFUSED = [
    "vkAllocateMemory 9", "vkBindBufferMemory2", "vkBindImageMemory2", "vkCreateImageView", "vkCreateSampler",
    "vkCreateShaderModule", "vkCreateGraphicsPipelines", "vkCreatePipelineLayout", "vkCreateDescriptorSetLayout",
    "vkCreateDescriptorPool", "vkAllocateDescriptorSets", "vkCreateCommandPool 2", "vkAllocateCommandBuffers",
    "vkBeginCommandBuffer", "vkEndCommandBuffer", "vkCreateRenderPass", "vkCreateFramebuffer",
]


def refused_any(bench, side):
    """Whatever the driver refuses: the stream goes on, and no driver meets what there is not."""
    source = os.path.join(bed.BUILD, "tests/programs/offscreen")
    if not os.path.exists(source):
        raise Skip(f"{source} is not built")
    if side.native:
        raise Skip("a driver's own business")
    copy, met = bench.tree.adopt(source), 0
    # An older Mesa takes its time to give up.
    refusals = REFUSED if bench.tree.suite == "sid" else REFUSED[::4]
    for refused in refusals:
        name, call = (refused.split() + ["1"])[:2]
        rule = f"{name} {call} VK_ERROR_OUT_OF_DEVICE_MEMORY"
        got = side.run([copy], bed.plan(bench.tree, rule), timeout=60)
        said = got.err.decode(errors="replace")
        met += "plan: call" in said
        expect(got.status is not None, f"{refused}: the program waits for ever")
        expect("its worker ended" not in said and "disconnected" not in said, f"{refused}: {said.strip()}")
        # Draws of a pipeline that is not there are left out, which is in the log only.
        left_out = name in ("vkCreateShaderModule", "vkCreateGraphicsPipelines")
        expect(got.status != 0 or left_out or "plan: call" not in said, f"{refused}: nobody told the program")
        expect(not left_out or "did not wait for it" in said, f"{refused}: nothing in the log")
    expect(met > len(refusals) / 2, f"only {met} of {len(refusals)} came true")
    return f"{met} refusals"


def first_difference(got, want):
    for g, w in zip(got.decode(errors="replace").splitlines(), want.decode(errors="replace").splitlines()):
        if g != w:
            return f"{g!r}, natively {w!r}"
    return f"{len(got)} bytes, natively {len(want)}"


def lost(way, rules):
    """A driver that loses the device, or refuses a submission: the program hears of it, and no work is
    called done that is not; a new device works, natively too."""

    def run(bench, side):
        newest = bench.tree.suite == "sid"
        if way in {"trixie": ("semaphore", "counter"), "trixie-backports": ("counter",)}.get(bench.tree.suite, ()):
            raise Skip("this Mesa looks at a number that only the GPU writes, and at nothing else")
        name = os.path.join(bed.BUILD, "tests/programs/loss")
        got = side.run([bench.tree.adopt(name), way], bed.plan(bench.tree, rules), timeout=60)
        said = got.out.decode().splitlines()
        if side.native:
            expect(said and b"plan: call" in got.err, got.why())
            return None
        lines = [l for l in got.err.decode(errors="replace").splitlines() if "the device is lost" in l]
        expect(len(lines) == 1 and "vkQueueSubmit" in lines[0], f"no line that names the command: {got.why()}")
        # A Mesa before 26.2 looks at the word of its fence, a newer one is told by what it waits for. Who looks at
        # something else cannot be told but by the end of the context.
        if way in ("fence", "queue", "device") or way == ("semaphore" if newest else "status"):
            expect(said == [way + ": VK_ERROR_DEVICE_LOST", "a new device works"], f"{said}, {got.why()}")
            return "VK_ERROR_DEVICE_LOST"
        expect(got.status not in (0, None) and not said, f"goes on: {said}, {got.why()}")
        return "ended"

    return run


def dma_bufs(name, *args, output=None):
    """A driver that takes no addresses of files' pages, as AMD's of Mesa: it gets dma-bufs of them, and the
    program's bytes are the same."""

    def run(bench, side):
        if side.native or side.like_a_mac:
            raise Skip("a host without dma-bufs")
        copy = bench.tree.adopt(os.path.join(bed.BUILD, "tests/programs", name))

        def once(at, env):
            path = os.path.join(bench.tree.work, f"dma-buf-{at.name}-{name}-{output}")
            got = at.run([copy, *args] + ([path] if output else []), env)
            expect(got.status == 0, got.why())
            return got, read(path) if output else b""

        refuses = bed.plan(bench.tree, "vkGetMemoryHostPointerPropertiesEXT 1+ -1000072003")
        want, picture = bench.natively(("dma-buf", name, args), lambda: once(bench.native, bed.udmabuf()))
        got, pixels = once(side, {**bed.udmabuf(), **refuses})
        expect(b"plan: call" in got.err, "the driver was not asked for addresses")
        expect(got.out == want.out, f"other output: {first_difference(got.out, want.out)}")
        expect(pixels == picture, "other bytes in " + (output or ""))
        return "the stand-in for /dev/udmabuf" if bed.udmabuf() else "/dev/udmabuf"

    return run


def inflight(rules):
    """Many submissions under way: what is said to be done is done, whatever the driver runs out of."""

    def run(bench, side):
        if rules and bench.tree.suite != "sid":
            raise Skip("this Mesa makes its program's fences on the host, and does not wait for the result")
        copy = bench.tree.adopt(os.path.join(bed.BUILD, "tests/programs/inflight"))
        got = side.run([copy], bed.plan(bench.tree, rules), timeout=120)
        expect(got.status == 0, got.why())
        return None

    return run


# --- hesper trace ---------------------------------------------------------------------------------


def traced(bench, side, *options):
    """The lines that hesper trace has for a program that draws a picture."""
    copy = bench.tree.adopt(os.path.join(bed.BUILD, "tests/programs/offscreen"))
    path = os.path.join(bench.tree.work, f"{side.name}-trace.txt")
    picture = os.path.join(bench.tree.work, f"{side.name}-traced.ppm")
    got = bed.Traced(side, options, path).run([copy, picture])
    expect(got.status == 0 and not got.err, got.why())
    expect(read(picture).startswith(b"P6"), "the program has drawn nothing")
    return read(path).decode().splitlines()


def trace(bench, side):
    """Each command is told by name and in words; chosen ones are, and no other; a table has their sums."""
    if side.native:
        return None
    lines = traced(bench, side)
    for what in (
        r"ring1 vkCreateInstance\(.*pApplicationName = \"hesper-test\".* = VK_SUCCESS <0\.\d+>$",
        r"ring1 vkCreateGraphicsPipelines\(.*topology = VK_PRIMITIVE_TOPOLOGY_TRIANGLE_LIST.*VK_SHADER_STAGE_FRAGMENT_BIT"
        r"|ring1 vkCreateGraphicsPipelines\(.*VK_SHADER_STAGE_FRAGMENT_BIT.*topology = VK_PRIMITIVE_TOPOLOGY_TRIANGLE_LIST",
        r"ring1 vkCreateImage\(.*usage = \w+\|\w+.*pImage = Image#\d+\) = VK_SUCCESS",
        r"ring1 vkQueueSubmit2?\(queue = Queue#\d+, submitCount = 1, pSubmits = \[\{.*CommandBuffer#\d+.* = VK_SUCCESS",
        r"ring1 vkGetPhysicalDeviceProperties2?\(.*deviceType = VK_PHYSICAL_DEVICE_TYPE_CPU",
        r"context vkCreateRingMESA\(",
    ):
        expect(any(re.search(what, l) for l in lines), "no line like " + what)
    expect(not [l for l in lines if "cannot be read" in l], "a command cannot be read")
    expect(not [l for l in lines if "not shown" in l] or bed.busy(), "commands are missing")

    nobody = bed.Hesper(side.tree, side.profile, side.hesper)
    nobody.command = lambda argv: [side.hesper, "vtest", "--trace", "/nowhere", "--", *argv]
    new_home = tempfile.mkdtemp(prefix="hesper-home-")
    got = nobody.run(["vulkaninfo", "--summary"], {"XDG_CACHE_HOME": new_home + "/cache"})
    shutil.rmtree(new_home)
    expect(got.status == 0 and b"is not traced: nobody listens at '/nowhere'" in got.err, got.why())
    expect(b"shader cache" not in got.err, "a home without a cache: " + got.why())

    chosen = [l for l in traced(bench, side, "--only", "vkQueue*", "--only", "vkCreateI*") if l[0] != "#"]
    names = {re.search(r"vk\w+", l)[0] for l in chosen}
    expect(names and all(n.startswith(("vkQueue", "vkCreateI")) for n in names), f"chosen: {names}")

    rows = [l.split() for l in traced(bench, side, "--stats")[1:]]
    rows = [r for r in rows if len(r) == 6]
    counts = {r[5]: int(r[0]) for r in rows}
    bytes_ = {r[5]: int(r[1]) for r in rows}
    expect(counts.get("vkCreateInstance") == 1, f"a table without vkCreateInstance: {rows}")
    for column in (counts, bytes_):
        expect(column["all"] == sum(column.values()) - column["all"], f"other sums: {rows}")
    times = [float(r[2]) for r in rows if r[5] != "all"]
    expect(times == sorted(times, reverse=True), "the table is not sorted by time")
    return f"{counts['all']} commands"


# --- vulkaninfo -----------------------------------------------------------------------------------


def vulkaninfo(bench, side):
    """Complete, without an error, with the version of Vulkan that this Mesa should offer."""
    got = side.run(["vulkaninfo", "--show-formats"])
    text = got.out.decode(errors="replace")
    with open(os.path.join(bench.tree.work, f"{side.name}-vulkaninfo.txt"), "w") as f:
        f.write(text)
    expect(got.status == 0, got.why())
    expect("ERROR" not in text and b"ERROR" not in got.err, "an ERROR in its output")
    expect(len(text.splitlines()) > 700, f"only {len(text.splitlines())} lines")
    expect("FORMAT_ASTC_12x12_SRGB_BLOCK" in text, "its last section is missing")
    expect("llvmpipe" in text, "no llvmpipe device")
    if side.native:
        return None
    version = re.search(r"apiVersion\s*=\s*(\d+\.\d+)", text).group(1)
    if side.name == "kit":
        expect(version == "1.3", f"Vulkan {version}, not 1.3")
        return f"Vulkan {version}, {len(text.splitlines())} lines"
    expect("Virtio-GPU Venus" in text, "no Venus device")
    wanted = "1.3" if bench.tree.suite == "trixie" else "1.4"
    expect(version == wanted, f"Vulkan {version}, not {wanted}")
    for extension in ("VK_KHR_swapchain", "VK_EXT_external_memory_dma_buf", "VK_EXT_image_drm_format_modifier"):
        expect(extension in text, "no " + extension)
    return f"Vulkan {version}, {len(text.splitlines())} lines"


def kit_lost(bench, side):
    """The kit's driver has no feedback in memory: the program is told by the answer it waits for, and by nothing
    before that. A new device works, in a context of its own where the host has ended the first one."""
    copy = bench.tree.adopt(os.path.join(bed.BUILD, "tests/programs/loss"))
    for way in ("fence", "status", "queue", "device", "semaphore", "counter"):
        # A new context's worker begins the plan again, and is not to come to its fifth submission.
        got = side.run([copy, way, "3"], bed.plan(bench.tree, "vkQueueSubmit 5 VK_ERROR_DEVICE_LOST"), timeout=60)
        said = got.out.decode().splitlines()
        expect(said == [f"{way}: VK_ERROR_DEVICE_LOST", "a new device works"], f"{way}: {said}, {got.why()}")
    return "six ways to hear of it"


def by_kit(case):
    """The case with the driver of the guest kit instead of Mesa's."""

    def run(bench, side):
        if side.name not in ("native", "kit"):
            raise Skip("once is enough: the host's side is the same")
        if not os.path.exists(bed.Kit.MANIFEST):
            raise Skip(f"{bed.Kit.MANIFEST} is not built")
        return case(bench, bed.Kit(bench.tree, side.hesper))

    return run


def kit_alone(bench, side):
    """The kit's library without a loader: hello says what the GPU wrote, the triangle has its three colours."""
    folder = os.path.join(bed.BUILD, "guest/programs")
    programs = [os.path.join(folder, name) for name in ("guest-hello", "guest-triangle")]
    if side.name != "native" or not all(map(os.path.exists, programs)):
        raise Skip("once is enough" if side.name != "native" else f"not in {folder}")
    hello, triangle = [side.run([bench.tree.adopt(path)], timeout=60) for path in programs]
    expect(hello.status == 0 and b"the GPU wrote 42 and 42" in hello.out, hello.why())
    header, pixels = triangle.out[:15], triangle.out[15:]
    expect(triangle.status == 0 and header == b"P6\n256 256\n255\n" and len(pixels) == 3 * 256 * 256, triangle.why())
    for x, y, channel in ((128, 40, 0), (215, 220, 1), (40, 220, 2)):
        pixel = pixels[(y * 256 + x) * 3 :][:3]
        expect(pixel[channel] > 200 and sum(pixel) < 280, f"{tuple(pixel)} at {x}, {y}")
    expect(pixels[:3] == bytes([26, 26, 26]), f"{tuple(pixels[:3])} in the corner")
    return "hello, triangle"


# --- windows --------------------------------------------------------------------------------------


def window_environment(side, display):
    env = {"DISPLAY": display.name}
    if side.native:
        env["MESA_VK_WSI_DEBUG"] = "sw"  # hesper vtest finds out by itself
    return env


def frozen_shot(process, display):
    """The picture while the program stands still, so that no frame is half drawn."""
    try:
        os.killpg(process.pid, signal.SIGSTOP)
        time.sleep(0.15)
        return display.shot()
    finally:
        os.killpg(process.pid, signal.SIGCONT)


def cube_shots(side, count, until=None):
    """Shots of the spinning cube; stops early when `until` says so of one."""
    shots = []
    width, height = 400, 320
    with bed.Display() as display:
        process = side.start(
            ["vkcube", "--width", str(width), "--height", str(height), "--suppress_popups"],
            window_environment(side, display),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        try:
            deadline = time.monotonic() + 240
            while len(shots) < count and time.monotonic() < deadline:
                if process.poll() is not None:
                    err = process.stderr.read().decode(errors="replace").strip().splitlines()
                    raise Failed(f"vkcube ended with {process.returncode}: {(err or [''])[-1][:160]}")
                time.sleep(0.05 if shots else 0.3)
                # vkcube puts its window at 100,100
                shot = bed.picture.crop(frozen_shot(process, display), 100, 100, width, height)
                if bed.colours(shot) < 50:  # nothing drawn yet
                    continue
                shots.append(shot)
                if until and until(shot):
                    break
        finally:
            bed.end(process)
            process.stderr.close()
    expect(shots, "no frame within four minutes")
    return shots


def vkcube(bench, side):
    """The cube turns by 4 degrees a frame: some frame must be one of those seen natively."""
    # Rounding differs from one turn to the next, at the edges: 0.5 % of the pixels may differ.
    natively = bench.natively("vkcube", lambda: cube_shots(bench.native, 40))
    best = [1.0]

    def known(shot):
        best[0] = min(best[0], min(bed.difference(shot, n) for n in natively))
        return best[0] <= 0.005

    shots = cube_shots(side, 40, known)
    path = os.path.join(bench.tree.work, f"{side.name}-vkcube.png")
    bed.picture.write_png(path, *shots[-1])
    expect(best[0] <= 0.005, f"no frame like a native one (nearest: {best[0]:.1%} of pixels differ)")
    return f"{best[0]:.2%} of pixels differ"


def kit_vkcube(bench, side):
    """The cube on the kit's display, whose picture is a file: like one of those seen natively."""
    natively = bench.natively("vkcube", lambda: cube_shots(bench.native, 40))
    path = os.path.join(bench.tree.work, "kit-vkcube.ppm")
    argv = ["vkcube", "--wsi", "display", "--c", "100000", "--suppress_popups"]
    env = {"HESPER_GUEST_SCREEN": f"400x320:{path}"}
    best, deadline = 1.0, time.monotonic() + 120
    if os.path.exists(path):
        os.remove(path)
    process = side.start(argv, env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while best > 0.005 and time.monotonic() < deadline:
            expect(process.poll() is None, f"vkcube ended with {process.returncode}")
            time.sleep(0.05)
            pixels = read(path).split(b"\n", 3)[-1]
            if len(pixels) == 3 * 400 * 320:
                best = min([best] + [bed.difference((400, 320, pixels), shot) for shot in natively])
    finally:
        bed.end(process)
    expect(best <= 0.005, f"no frame like a native one (nearest: {best:.1%} of pixels differ)")
    return f"{best:.2%} of pixels differ"


def on_sid(case):
    """Once is enough: the case says nothing of Mesa's versions."""

    def run(bench, side):
        if bench.tree.suite != "sid":
            raise Skip("only with the newest suite")
        return case(bench, side)

    return run


ZINK = {"MESA_LOADER_DRIVER_OVERRIDE": "zink", "LIBGL_KOPPER_DRI2": "1", "LIBGL_ALWAYS_SOFTWARE": "1"}


def need_zink(side, err):
    """Skips where zink says that a host like a Mac has not what it needs."""
    wants = re.search(rb"Zink requires [^\n]*", err)
    if wants and side.like_a_mac:
        raise Skip(wants.group(0).decode())


def zink_info(bench, side):
    with bed.Display() as display:
        got = side.run(["glxinfo", "-B"], {**ZINK, **window_environment(side, display)})
    need_zink(side, got.err)
    expect(got.status == 0, got.why())
    renderer = re.search(rb"OpenGL renderer string: (.*)", got.out)
    expect(renderer and b"zink" in renderer.group(1), "not rendered by zink")
    expect(side.native or b"Venus" in renderer.group(1), "not on Venus: " + renderer.group(1).decode())
    return None


def zink_shot(program):
    """A program that draws one picture and waits: the same pixels as natively."""

    def shoot(side):
        with bed.Display() as display:
            env = {**ZINK, **window_environment(side, display)}
            process = side.start(
                [program], env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
            )
            try:
                deadline = time.monotonic() + 240
                before, shot = None, display.shot()
                while time.monotonic() < deadline:
                    time.sleep(0.5)
                    if process.poll() is not None:
                        need_zink(side, process.stderr.read())
                        raise Failed(f"{program} ended with {process.returncode}")
                    before, shot = shot, display.shot()
                    if bed.colours(shot) > 2 and shot == before:
                        return shot
            finally:
                bed.end(process)
                process.stderr.close()
        raise Failed("no picture within four minutes")

    def run(bench, side):
        want = bench.natively(("zink", program), lambda: shoot(bench.native))
        if side.native:
            return None
        got = shoot(side)
        bed.picture.write_png(os.path.join(bench.tree.work, f"{side.name}-{program}.png"), *got)
        expect(got == want, f"{bed.difference(got, want):.2%} of the pixels differ from native")
        return None

    return run


# --- benchmarks and compute -----------------------------------------------------------------------

SCENES = [
    "vertex:device-local=true",
    "vertex:device-local=false",
    "texture:anisotropy=0",
    "texture:anisotropy=16",
    "shading:shading=gouraud",
    "shading:shading=blinn-phong-inf",
    "shading:shading=phong",
    "shading:shading=cel",
    "effect2d:kernel=edge",
    "effect2d:kernel=blur",
    "desktop",
    "cube",
    "clear",
]


def vkmark(bench, side):
    """Every scene, without a window."""
    tree = bench.tree
    argv = ["vkmark", "--winsys-dir", os.path.join(tree.lib, "vkmark"), "--winsys", "headless"]
    argv += ["--data-dir", os.path.join(tree.path, "usr/share/vkmark"), "--size", "400x300"]
    scores = []

    def run(scenes, seconds):
        got = side.run(argv + [word for scene in scenes for word in ("-b", f"{scene}:duration={seconds}")])
        expect(got.status == 0, got.why())
        scores.extend(re.findall(rb"Score: (\d+)", got.out))
        return got.out

    all_scenes_have_frames(SCENES, run)
    return f"{len(SCENES)} scenes, score {scores[0].decode()}" if scores else None


def all_scenes_have_frames(scenes, run):
    """run(SCENES, SECONDS): what vkmark says. A busy machine may need longer for the first frame of a scene."""
    left = list(scenes)
    for seconds in (0.3, 3, 30):
        # "FPS: 0" is a scene of less than one frame a second; without any its frame time is infinite.
        times = re.findall(rb"\[\w+\].*FPS: \d+ FrameTime: (\S+) ms", run(left, seconds))
        expect(len(times) == len(left), f"{len(times)} of {len(left)} scenes")
        left = [scene for scene, t in zip(left, times) if not 0 < float(t) < 1e5]
        if not left:
            return
    raise Failed(f"no frame within {seconds} s of {', '.join(left)}")


def model(tree):
    path = os.path.join(bed.BUILD, "vtest/model.gguf")
    if not os.path.exists(path):
        writer = os.path.join(os.path.dirname(os.path.abspath(__file__)), "model.py")
        subprocess.run(["python3", writer, path + ".new"], check=True)
        os.rename(path + ".new", path)
    return path


LLAMA = {"GGML_VK_VISIBLE_DEVICES": "0"}


def llama_bench(bench, side):
    if not bench.tree.has("llama-bench"):
        raise Skip("this suite has no llama.cpp with Vulkan")
    argv = ["llama-bench", "-m", model(bench.tree), "-ngl", "99", "-p", "32", "-n", "16", "-r", "1"]
    got = side.run(argv, LLAMA)
    expect(got.status == 0, got.why())
    rows = re.findall(rb"\| *Vulkan *\|.*\| *(pp32|tg16) *\| *([0-9.]+)", got.out)
    expect(len(rows) == 2, "not run on Vulkan")
    return ", ".join(f"{test.decode()} {rate.decode()} t/s" for test, rate in rows)


def llama_text(bench, side):
    """The same words as natively."""
    if not bench.tree.has("llama-completion"):
        raise Skip("this suite has no llama.cpp with Vulkan")
    argv = ["llama-completion", "-m", model(bench.tree), "-ngl", "99", "-no-cnv", "--temp", "0"]
    argv += ["--seed", "1", "-n", "24", "-v", "-p", "the evening star"]

    def words(at):
        got = at.run(argv, LLAMA)
        expect(got.status == 0, f"{at.name}: {got.why()}")
        expect(b"using device Vulkan0" in got.err, f"{at.name}: not run on Vulkan")
        return got.out.rstrip()

    want = bench.natively("llama", lambda: words(bench.native))
    got = words(side)
    # At its end the program may leave before the last word is written, natively too.
    length = min(len(want), len(got))
    expect(length > 40, f"only {length} bytes")
    expect(got[:length] == want[:length], f"other text: {got!r}, natively {want!r}")
    return f"{length} bytes"


CASES = {
    "vulkaninfo": vulkaninfo,
    "compute": program("compute", output="words"),
    "offscreen": program("offscreen", output="frame.ppm"),
    "sync": program("sync"),
    # Mesa writes a value that the program signals into its own memory after it has sent the command, and so over
    # what the GPU may have written there in the meantime. The wait for the GPU's value never ends then, on any host.
    "sync-turns": program("sync", "turns", guest={"VN_PERF": "no_semaphore_feedback"}),
    "memory": program("memory"),
    "refused-memory": program("refused", "memory", plan="vkAllocateMemory 9 VK_ERROR_OUT_OF_DEVICE_MEMORY"),
    "refused-buffer": program("refused", "buffer", plan="vkAllocateMemory 9 VK_ERROR_OUT_OF_DEVICE_MEMORY"),
    "refused-any": refused_any,
    "refused-pipeline": program("refused", "pipeline", plan="vkCreateComputePipelines 1 VK_ERROR_OUT_OF_HOST_MEMORY"),
    "dma-bufs-compute": dma_bufs("compute", output="words"),
    "dma-bufs-offscreen": dma_bufs("offscreen", output="frame.ppm"),
    "dma-bufs-image": dma_bufs("interop", "image", output="image.ppm"),
    "threads": program("threads"),
    "threads-many": on_sid(program("threads", "many")),
    "interop-image": program("interop", "image", output="image.ppm"),
    "interop-memory": program("interop", "memory", optional=True),
    "interop-syncfile": program("interop", "syncfile", optional=True),
    "half": program("half"),
    "hostcopy": program("hostcopy", optional=True),
    "heap": program("heap", optional=True),
    "rays": program("rays", optional=True),
    "meshes": program("meshes", output="meshes.ppm", optional=True),
    "commands-push": program("commands", "push"),
    "commands-template": program("commands", "template"),
    "commands-sync2": program("commands", "sync2"),
    "commands-second": program("commands", "secondary"),
    "commands-condition": program("commands", "conditional", optional="mac"),
    "commands-address": program("commands", "address"),
    "draws-dynamic": program("draws", "dynamic", output="dynamic.ppm"),
    "draws-indirect": program("draws", "indirect", output="indirect.ppm"),
    "draws-layers": program("draws", "layers", output="layers.ppm"),
    "draws-second": program("draws", "second", output="second.ppm"),
    "draws-queries": program("draws", "queries"),
    "draws-multi": program("draws", "multi", output="multi.ppm", optional="mac"),
    "draws-library": program("draws", "library", output="library.ppm", optional="mac"),
    "draws-capture": program("draws", "capture", output="capture.ppm", optional="mac"),
    "checks": checks,
    # On lavapipe only natively: what Hesper imports can't be bound there (docs/differences.md).
    "sparse": program("sparse", optional=True),
    "large-descriptors": program("large", "descriptors", optional="mac"),
    "large-regions": program("large", "regions"),
    "large-shader": program("large", "shader"),
    "large-cache": program("large", "cache"),
    "large-recording": program("large", "recording"),
    "lives-instances": program("lives", "instances"),
    "lives-children": program("lives", "children"),
    "lives-failures": program("lives", "failures"),
    "inflight": inflight(""),
    "inflight-nofence": inflight("vkCreateFence 20+ VK_ERROR_OUT_OF_HOST_MEMORY"),
    "lost-fence": lost("fence", "vkQueueSubmit 5 VK_ERROR_DEVICE_LOST"),
    "lost-status": lost("status", "vkQueueSubmit 5 VK_ERROR_DEVICE_LOST"),
    "lost-queue": lost("queue", "vkQueueSubmit 5 VK_ERROR_DEVICE_LOST"),
    "lost-device": lost("device", "vkQueueSubmit 5 VK_ERROR_OUT_OF_DEVICE_MEMORY"),
    "lost-semaphore": lost("semaphore", "vkQueueSubmit 5 VK_ERROR_DEVICE_LOST"),
    "lost-counter": lost("counter", "vkQueueSubmit 5 VK_ERROR_DEVICE_LOST"),
    "kit-alone": kit_alone,
    "kit-vulkaninfo": by_kit(vulkaninfo),
    "kit-compute": by_kit(program("compute", output="words")),
    "kit-offscreen": by_kit(program("offscreen", output="frame.ppm")),
    "kit-sync": by_kit(program("sync")),
    "kit-memory": by_kit(program("memory")),
    "kit-threads": by_kit(program("threads")),
    "kit-commands": by_kit(program("commands")),
    "kit-draws": by_kit(program("draws")),
    "kit-large": by_kit(program("large")),
    "kit-checks": on_sid(by_kit(checks)),
    "kit-children": by_kit(program("lives", "children")),
    "kit-failures": by_kit(program("lives", "failures")),
    "kit-refused": by_kit(program("refused", "pipeline", plan="vkCreateComputePipelines 1 VK_ERROR_OUT_OF_HOST_MEMORY")),
    "kit-lost": by_kit(kit_lost),
    "trace": trace,
    "vkcube": vkcube,
    "kit-vkcube": on_sid(by_kit(kit_vkcube)),
    "vkmark": vkmark,
    "zink-glxinfo": zink_info,
    "zink-glxdemo": zink_shot("glxdemo"),
    "zink-es2tri": zink_shot("es2tri"),
    "llama-bench": llama_bench,
    "kit-llama": on_sid(by_kit(llama_bench)),
    "llama-text": llama_text,
}
QUICK = ["vulkaninfo", "compute", "offscreen", "kit-offscreen", "sync", "memory", "threads", "interop-image", "interop-syncfile"]
