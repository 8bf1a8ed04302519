"""A person at the guest's screen, by VNC: what is tried with one machine. The picture as PNG must be the same."""

import os
import shutil
import socket
import subprocess
import sys
import time

import screen
import trials
import vm

sys.path.insert(0, os.path.join(vm.bed.ROOT, "tests/vnc"))
import rfb  # noqa: E402
from processes import processes  # noqa: E402

PATIENCE = 300


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


PORT = free_port()
OPTIONS = ["--display", f"vnc=127.0.0.1:{PORT}", "--outputs", "2", "--control", "control", "--stats", "--refresh", "144", "--dpi", "192"]


def viewer(encodings=(rfb.RAW, rfb.DESKTOP_SIZE)):
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return rfb.Client(("127.0.0.1", PORT), encodings=encodings, timeout=PATIENCE)
        except (OSError, rfb.Closed):
            if time.monotonic() > deadline:
                raise
            time.sleep(0.3)


def take(machine, output=0):
    """Where `hesper screenshot` has written its picture, and what it said."""
    path = machine.path("shot.png")
    done = subprocess.run(
        [machine.hesper, "screenshot", "--control", machine.path("control"), "--output", str(output), path],
        env=machine.tree.environment(), stderr=subprocess.PIPE, timeout=PATIENCE,
    )
    trials.expect(done.returncode == 0, f"hesper screenshot ends with {done.returncode}: {done.stderr.decode()}")
    return path, done.stderr.decode()


def screenshot(machine, output=0):
    """(width, height, RGB bytes) by `hesper screenshot`."""
    shot = screen.read_png(take(machine, output)[0])
    return shot.width, shot.height, shot.rgb


def seen(client):
    """(width, height, RGB bytes) of all that the viewer is shown now."""
    client.updates = 0
    client.request(incremental=False)
    client.until(lambda: client.updates, timeout=PATIENCE)
    rgb = bytearray(client.width * client.height * 3)
    for i in range(3):
        rgb[i::3] = client.frame[i::4]
    return client.width, client.height, bytes(rgb)


def until(condition, what, seconds=PATIENCE):
    deadline = time.monotonic() + seconds
    while not condition():
        trials.expect(time.monotonic() < deadline, f"in {seconds} s not: {what}")
        time.sleep(0.3)


def console(_natives, machine):
    """Text on the console is the same picture by VNC and as PNG."""
    machine.run("printf '\\033[2J\\033[H\\033[?25l' >/dev/tty1; for i in 1 2 3 4 5 6; do echo 'the screen of a guest'; done >/dev/tty1; sleep 1")
    client = viewer()
    try:
        until(lambda: seen(client) == screenshot(machine), "VNC and PNG show the same")
        width, height, rgb = seen(client)
        lit = sum(1 for i in range(0, len(rgb), 3) if rgb[i] > 100)
        trials.expect((width, height) == (1280, 800), f"the screen has {width}x{height} pixels")
        trials.expect(500 < lit < 200000, f"{lit} pixels are lit: this is no text")
        machine.run("echo 'another line' >/dev/tty1")
        until(lambda: seen(client)[2] != rgb, "a new line changes the picture")
        return f"{lit} lit pixels, both ways the same"
    finally:
        client.close()


def greeting(_natives, machine):
    """At a terminal hesper says that the guest is up, which GPU it has, and who draws by that."""
    until(lambda: "hesper: the guest is up; its GPU is " in machine.said(), "word that the guest is up")
    # It is looked for while it lives, and its screen is a text console's.
    deadline = time.monotonic() + PATIENCE
    while "drawn by its CPU; programs that use the GPU: offscreen" not in machine.said():
        trials.expect(time.monotonic() < deadline, "no word of a program: " + machine.said())
        machine.run("EXPECT_ZERO=1 ./offscreen /tmp/o")


def typing(_natives, machine):
    """A command typed in a viewer is carried out by the guest's shell."""
    machine.run("modprobe virtio_input; sleep 1; setsid sh -c 'exec sh -i </dev/tty1 >/dev/tty1 2>&1' >/dev/null 2>&1 &\nsleep 1")
    client = viewer()
    try:
        for character in "echo Typed_by-VNC: $((6*7)) | tee /tmp/typed\n":
            client.type(0xFF0D if character == "\n" else ord(character))
        until(lambda: b"Typed_by-VNC: 42" in machine.run("cat /tmp/typed").out, "the typed command has run")
    finally:
        client.close()


def modes(machine, output=1):
    return machine.run(f"cat /sys/class/drm/card0-Virtual-{output}/modes").out.split()


def recording(_natives, machine):
    """A video of the screen, while a person types."""
    if not shutil.which("ffmpeg"):
        raise trials.Skip("ffmpeg is not installed")
    path = machine.path("screen.mp4")
    argv = [machine.hesper, "record-screen", "--control", machine.path("control"), "--seconds", "2", path]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=PATIENCE)
    trials.expect(done.returncode == 0 and os.path.getsize(path) > 1000, f"it ends with {done.returncode}: {done.stderr.strip()}")
    trials.expect("2.0 s" in done.stdout and "1280x800" in done.stdout, f"it says: {done.stdout.strip()}")
    return done.stdout.split(": ")[1].strip()


def screens(_natives, machine):
    """What the guest's kernel has read of its monitor is the mode, the refresh rate and the size that were asked for."""
    got = machine.run("cat /sys/class/drm/card0-Virtual-1/edid")
    trials.expect(len(got.out) == 128 and sum(got.out) % 256 == 0, f"{len(got.out)} bytes of EDID")
    timing = got.out[54:72]
    clock = 10000 * (timing[0] | timing[1] << 8)
    width, across = timing[2] | (timing[4] >> 4) << 8, timing[3] | (timing[4] & 15) << 8
    height, down = timing[5] | (timing[7] >> 4) << 8, timing[6] | (timing[7] & 15) << 8
    size = timing[12] | (timing[14] >> 4) << 8, timing[13] | (timing[14] & 15) << 8
    rate = clock / ((width + across) * (height + down))
    trials.expect((width, height) == (1280, 800), f"its mode is {width}x{height}")
    trials.expect(143.5 < rate <= 144, f"its refresh rate is {rate:.2f} Hz")
    trials.expect(size == (169, 106), f"it measures {size} mm: 192 dpi are 169x106")
    return f"{rate:.1f} Hz, {size[0]}x{size[1]} mm"


def resizes(rounds):
    """A viewer's window is resized: the guest's first mode follows."""

    def run(_natives, machine):
        client = viewer((rfb.RAW, rfb.DESKTOP_SIZE, rfb.EXTENDED_DESKTOP_SIZE))
        try:
            seen(client)
            sizes = [(800 + 16 * (i % 20), 600 + 8 * (i % 13)) for i in range(rounds)] + [(1280, 800)]
            for width, height in sizes:
                client.set_size(width, height)
                wanted = f"{width}x{height}".encode()
                until(lambda: modes(machine)[:1] == [wanted], f"the guest's mode is {wanted.decode()}")
        finally:
            client.close()

    return run


def servers(machine):
    """Process numbers of the machine's VNC server."""
    return [pid for pid, p in processes().items() if p.parent == machine.process.pid and "--listen" in p.arguments]


def killed(_natives, machine):
    """The VNC server is killed: the guest sees nothing of it, and the next viewer the same screen."""
    machine.run("printf '\\033[?25l' >/dev/tty1; sleep 1")
    for _ in range(3):
        client = viewer()
        seen(client)
        victims = servers(machine)
        trials.expect(victims, "hesper-vnc does not run")
        for pid in victims:
            os.kill(pid, 9)
        client.close()
        until(lambda: (now := servers(machine)) and not set(now) & set(victims), "another one is started")
    client = viewer()
    try:
        until(lambda: seen(client) == screenshot(machine), "the new one shows the screen")
    finally:
        client.close()
    trials.expect(machine.run("true").status == 0, "the guest is gone")


def second_output(_natives, machine):
    """The other screen has a mode of its own, and the console too."""
    until(lambda: len(modes(machine, 2)) > 0, "the second output has modes")
    trials.expect(screenshot(machine, 1)[:2] == screenshot(machine, 0)[:2], "the console is on both")


def switched_off(_natives, machine):
    """A picture of a screen that is off says so."""
    words = "has switched this screen off"
    trials.expect(words not in take(machine)[1], "it says so of a screen that is on")
    blank = "echo {} >/sys/class/graphics/fb0/blank"
    got = machine.run(blank.format(4))
    trials.expect(got.status == 0, got.why())
    until(lambda: words in take(machine)[1], "the picture says that the screen is off")
    machine.run(blank.format(0))
    until(lambda: words not in take(machine)[1], "the screen is on again")


CASES = {
    "greeting": greeting,
    "console": console,
    "typing": typing,
    "outputs": second_output,
    "screens": screens,
    "recording": recording,
    "switched-off": switched_off,
    "resizes": resizes(50),
    "killed": killed,
}
