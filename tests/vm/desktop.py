"""Desktops in a guest, seen on its screen: each case draws something and looks at screenshots for what must be on them.

A case is a function of (machine); it returns a remark, raises trials.Failed, or trials.Skip with the reason. What
`/run/session` does is tests/vm/guest/session.
"""

import os
import re
import socket
import subprocess
import sys
import time

import screen
import trials
import vm
from trials import expect

sys.path.insert(0, os.path.join(vm.bed.ROOT, "tests/vnc"))
import rfb  # noqa: E402

BLUE = "336699"  # the background that session gives weston and sway
GREY = "333333"  # around vkcube's cube
X_ROOT = "204060"


class Desktop(vm.Vm):
    """A machine whose disk has desktops, and whose screen can be read: by `hesper screenshot` or as a VNC viewer sees it."""

    def __init__(self, kernel, disk, profile="native", hesper=None, shots=None, through="image", options=(), userland="desktop"):
        options = ["--stats", *options]
        self.port = free_port() if through == "vnc" else None
        if self.port:
            options += ["--display", f"vnc=127.0.0.1:{self.port}"]
        super().__init__(kernel, disk, profile, options=options, hesper=hesper, memory="1536M")
        self.shots = shots or self.folder
        self.userland = userland  # of scripts/guest
        self.names, self.viewer = 0, None

    def close(self):
        if self.viewer:
            self.viewer.close()
        super().close()

    def command(self):
        argv = super().command()
        at = argv.index(os.path.join(vm.FILES, self.disk, "disk,readonly"))
        argv[at] = os.path.join(vm.FILES, self.disk, self.userland + ",readonly")
        return argv[:2] + ["--control", self.path("control")] + argv[2:]

    def session(self, words, patience=vm.PATIENCE):
        got = self.run("sh /run/session " + words, patience)
        if got.status != 0:
            raise trials.Failed(f"session {words}: {got.err.decode(errors='replace').strip()[-400:]}")

    def shot(self, name=None):
        """What the screen shows now. With a name it is kept."""
        self.names += 1
        path = os.path.join(self.shots, f"{self.kernel}-{self.disk}-{self.profile}-{name}.png") if name else self.path(f"{self.names}.png")
        if self.port:
            return self.view(path)
        return self.shot_to(path)

    def shot_to(self, path):
        got = subprocess.run([self.hesper, "screenshot", "--control", self.path("control"), os.path.abspath(path)], capture_output=True, text=True, timeout=300)
        expect(got.returncode == 0, "no screenshot: " + got.stderr.strip())
        return screen.read_png(path)

    def view(self, path):
        """The same as a VNC viewer has it that was told of every change since it came."""
        client = self.viewer
        if not client:
            client = self.viewer = rfb.Client(("127.0.0.1", self.port), encodings=(rfb.RAW, rfb.DESKTOP_SIZE))
        client.request(incremental=bool(client.updates))
        while client.message(0.5):  # nothing new: the picture is as it was
            if client.areas:
                break
        client.png(path)
        return screen.read_png(path)

    def wait_for_picture(self, what, good, patience=300, name=None):
        """The first screenshot that is good; good returns None or what it misses."""
        deadline = time.monotonic() + patience
        while True:
            picture = self.shot(name)
            missing = good(picture)
            if not missing:
                return picture
            if time.monotonic() > deadline:
                self.shot("failed-" + what.replace(" ", "-"))
                raise trials.Failed(f"{what}: {missing}")
            time.sleep(0.5)

    def stats(self):
        """(flushes, MiB copied by a CPU) of every second so far. Xorg draws into one picture: each frame of all is a flush."""
        return [
            (int(flushes), float(copied))
            for flushes, copied in re.findall(r"stats: guest: \d+ pictures, (\d+) flushes, ([0-9.]+) MiB copied", self.said())
        ]

    def log(self, name):
        return self.run(f"cat /tmp/{name}").out.decode(errors="replace")


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def frames(machine, seconds=4):
    """Frames shown a second while nothing is asked of the machine; none of them may have been copied by a CPU."""
    before = len(machine.stats())
    end = time.monotonic() + vm.PATIENCE
    while True:
        time.sleep(seconds)
        lines = machine.stats()[before + 1 :]
        if sum(flushes for flushes, _ in lines) or time.monotonic() > end:
            break  # a busy machine may have needed longer for the first
    expect(lines, "no statistics")
    copied = sum(mib for _, mib in lines)
    expect(copied == 0, f"a CPU copied {copied:.1f} MiB between the program and the screen")
    shown = sum(flushes for flushes, _ in lines)
    expect(shown > 0, "no new picture")
    return shown / len(lines)


# ---- what must be on pictures ---------------------------------------------------------------------------


def is_cube(picture, box=None):
    """vkcube: faces in shades of grey with pictures in a dark teal and white."""
    teal = bright = 0
    for r, g, b in picture.pixels(box, 3):
        teal += g > r + 15 and b > r + 15 and abs(g - b) < 40
        bright += r > 90 and g > 90 and b > 90
    if teal < 300:
        return f"{teal} pixels of the cube's pictures"
    if bright < 20:
        return f"{bright} bright pixels"
    return None


def is_gears(picture, box=None):
    red = green = blue = 0
    for r, g, b in picture.pixels(box, 2):
        red += r > 120 and g < 60 and b < 60
        green += g > 110 and r < 60 and b < 90
        blue += b > 130 and r < 90 and g < 90
    if min(red, green, blue) < 150:
        return f"{red} red, {green} green, {blue} blue pixels of gears"
    return None


def is_weston(picture):
    share = picture.share(BLUE, (0, 40, picture.width, picture.height))
    if share < 0.25:
        return f"background: {share:.0%}"
    panel = picture.pixel(picture.width // 2, 8)
    if panel == BLUE or not all(int(panel[i : i + 2], 16) < 0x60 for i in (0, 2, 4)):
        return "no panel at the top: " + panel
    clock = {bytes(p) for p in picture.pixels((picture.width - 200, 4, picture.width, 28))}
    if len(clock) < 8:
        return "no clock in the panel"
    return None


def window_of_cube(machine, patience=90, name=None):
    """Waits until vkcube's window of 500 × 500 is there; its box, and the picture."""

    def good(picture):
        box = picture.box_of(GREY)
        if not box or box[2] - box[0] < 400 or box[3] - box[1] < 400:
            return f"no window of the cube: {box}"
        return is_cube(picture, box)

    picture = machine.wait_for_picture("cube", good, patience, name)
    return picture.box_of(GREY), picture


def spins(machine, box, first):
    """The cube moves, and only the cube."""
    deadline = time.monotonic() + 20
    while True:
        second = machine.shot()
        inside = screen.changed(first, second, box)
        if inside > 2000:
            break
        expect(time.monotonic() < deadline, f"the cube does not move: {inside} pixels differ")
    missing = is_cube(second, box)
    expect(not missing, f"the second picture of the cube: {missing}")
    return second


# ---- the cases ------------------------------------------------------------------------------------------


def console(machine):
    """The kernel's console on the screen: colours and letters where they belong."""
    machine.run(r"printf '\033[?25l\033[41m\033[2J\033[H' >/dev/tty0")
    machine.wait_for_picture("red console", lambda p: None if p.share("aa0000") > 0.99 else f"{p.share('aa0000'):.0%} red")
    machine.run(r"printf '\033[37mHesper' >/dev/tty0")

    def good(picture):
        letters = picture.count("aaaaaa", (0, 0, 8 * 6, 16))
        rest = picture.count("aa0000", (0, 16, picture.width, picture.height))
        if letters < 60:
            return f"{letters} pixels of letters"
        if rest != picture.width * (picture.height - 16):
            return "something below the line"
        return None

    picture = machine.wait_for_picture("console", good, name="console")
    machine.run(r"printf '\033[0m\033[2J\033[H' >/dev/tty0")
    return f"{picture.width} × {picture.height}"


def renderer(machine, log):
    """The compositor's OpenGL is zink on our card."""
    match = re.search(r"GL renderer: (.*)|glamor X acceleration enabled on (.*)", log)
    expect(match, "it does not say what it draws by")
    name = match.group(1) or match.group(2)
    expect("zink" in name and "Virtio-GPU Venus" in name, "it draws by " + name)


def weston(machine):
    """The compositor alone, then a Vulkan and an OpenGL program in it, then those of X."""
    machine.session("weston")
    try:
        machine.wait_for_picture("weston", is_weston, 60, "weston")
        renderer(machine, machine.log("session.log"))
        machine.session("run vkcube --wsi wayland")
        box, first = window_of_cube(machine, name="weston-vkcube")
        spins(machine, box, first)
        rate = frames(machine)
        machine.run("killall vkcube")

        machine.wait_for_picture("an empty desktop", lambda p: None if p.share(BLUE) > 0.9 else "something is still there")
        machine.session("run es2gears_wayland")
        first = machine.wait_for_picture("gears", is_gears, 60, "weston-es2gears")
        second = machine.shot()
        expect(screen.changed(first, second) > 300, "the gears do not turn")
        gears = frames(machine)
        machine.run("killall es2gears_wayland")
    finally:
        machine.session("stop")
    return f"vkcube {rate:.0f}, es2gears {gears:.0f} frames/s"


def xwayland(machine):
    """X programs under weston: vkcube by VK_KHR_xcb_surface and vkmark."""
    machine.session("weston")
    try:
        machine.wait_for_picture("weston", is_weston, 60)
        machine.session("run vkcube --wsi xcb")
        box, first = window_of_cube(machine, 120, "xwayland-vkcube")
        spins(machine, box, first)
        rate = frames(machine)
        machine.run("killall vkcube")
        got = machine.run("export DISPLAY=:0 XDG_RUNTIME_DIR=/run/user/0; glxgears -info & sleep 12; kill $!", 60)
        name = re.search(rb"GL_RENDERER\s*= (.*)", got.out)
        expect(name and b"zink" in name.group(1) and b"Venus" in name.group(1), f"glxgears draws by {name and name.group(1)!r}")
    finally:
        machine.session("stop")
    return f"vkcube {rate:.0f} frames/s"


def vkmark(machine, display):
    scenes = "-b cube:duration=2 -b effect2d:kernel=blur:duration=2 -b clear:duration=1"
    got = machine.run(f"export DISPLAY={display} XDG_RUNTIME_DIR=/run/user/0; vkmark --winsys xcb -s 400x300 {scenes}")
    expect(got.status == 0, "vkmark: " + got.why())
    rates = [int(rate) for rate in re.findall(rb"FPS: (\d+)", got.out)]
    expect(len(rates) == 3 and min(rates) > 0, f"vkmark: {rates}")
    return int(re.search(rb"Score: (\d+)", got.out).group(1))


def xorg(machine):
    """An X server on the card, glamor on zink; vkcube, vkmark."""
    machine.session("x")
    try:
        machine.wait_for_picture("the root window", lambda p: None if p.share(X_ROOT) > 0.98 else f"{p.share(X_ROOT):.0%} of it", 60)
        renderer(machine, machine.log("Xorg.1.log"))
        machine.session("run vkcube --wsi xcb")
        box, first = window_of_cube(machine, 120, "xorg-vkcube")
        expect(first.share(X_ROOT) > 0.7, "the root window is gone")
        spins(machine, box, first)
        rate = frames(machine)
        machine.run("killall vkcube")
        score = vkmark(machine, ":1")
    finally:
        machine.session("stop")
    return f"vkcube {rate:.0f} frames/s, vkmark {score}"


def cage(machine):
    """A compositor that draws by Vulkan; its one program has the whole screen."""
    machine.session("cage vkcube --wsi wayland")
    try:

        def good(picture):
            corners = [(2, 2), (picture.width - 3, 2), (2, picture.height - 3), (picture.width - 3, picture.height - 3)]
            if any(picture.pixel(x, y) != GREY for x, y in corners):
                return "the cube's window does not fill the screen"
            return is_cube(picture)

        first = machine.wait_for_picture("cage", good, 90, "cage-vkcube")
        spins(machine, None, first)
        rate = frames(machine)
        # A flip before the last one was done is tried again.
        errors = [line for line in machine.log("session.log").splitlines() if "ERROR" in line and "resource busy" not in line]
        expect(not errors, "cage says: " + " | ".join(errors)[:300])
    finally:
        machine.session("stop")
    return f"vkcube {rate:.0f} frames/s"


def console_again(machine):
    """After the sessions the console is there as if nothing had been."""
    return console(machine)


CASES = {
    "console": console,
    "weston": weston,
    "xwayland": xwayland,
    "xorg": xorg,
    "cage": cage,
    "console again": console_again,
}
