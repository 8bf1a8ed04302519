"""What a person does in a display arrives in the guest: a machine of its own, whose display is this test.

Hesper starts the display program that lies beside it. Here that is a script which hands its connection
to the test; the messages are those of src/link/display_messages.h.
"""

import array
import json
import os
import re
import select
import shutil
import socket
import stat
import struct
import sys
import threading
import time

import vm

READY, FRAME, FRAME_SHOWN, INPUT, LEDS = 192, 132, 193, 195, 135
KEYBOARD, POINTER, TOUCH = range(3)
NAMES = ["Hesper Keyboard", "Hesper Pointer", "Hesper Touchscreen"]
SYN, KEY, REL, ABS, LED = 0, 1, 2, 3, 0x11
A, B, LEFT_SHIFT, BTN_LEFT, BTN_TASK, BTN_TOUCH = 30, 48, 42, 0x110, 0x117, 0x14A
WHEEL, WHEEL_FINE, HWHEEL, HWHEEL_FINE = 8, 0x0B, 6, 0x0C
SLOT, MT_X, MT_Y, TRACKING = 0x2F, 0x35, 0x36, 0x39
END = (SYN, 0, 0)

SCRIPT = """#!{python}
import os, select, socket, sys
link = int(sys.argv[sys.argv.index("--fd") + 1])
test = socket.socket(socket.AF_UNIX)
test.connect({path!r})
socket.send_fds(test, [b"."], [link])
poll = select.poll()
for fd in (link, test.fileno()):
    poll.register(fd, select.POLLHUP | select.POLLRDHUP)
poll.poll()
"""


class Display:
    """The test's end of what Hesper believes to be a display process."""

    def __init__(self, listener, patience=60):
        listener.settimeout(patience)
        self.process, _ = listener.accept()  # closing it ends the script
        _, fds, _, _ = socket.recv_fds(self.process, 1, 1)
        self.link = socket.socket(fileno=fds[0])
        self.data, self.leds = b"", None
        self.send(READY, b"")

    def send(self, kind, payload):
        self.link.settimeout(30)
        self.link.sendall(struct.pack("=IHH", len(payload), kind, 0) + payload + bytes(-len(payload) % 8))

    def events(self, device, events):
        """Whole groups; as many messages as it takes."""
        records = [struct.pack("=HHHHi", device, kind, code, 0, value) for kind, code, value in events]
        for i in range(0, len(records), 1000):
            self.send(INPUT, b"".join(records[i : i + 1000]))

    def serve(self, seconds):
        """Does what a display has to do: shows frames, and hears of LEDs."""
        deadline = time.monotonic() + seconds
        while True:
            ready = select.select([self.link], [], [], max(0, deadline - time.monotonic()))[0]
            if not ready:
                return
            data, fds, _, _ = socket.recv_fds(self.link, 1 << 16, 16)
            array.array("i", fds)
            for fd in fds:
                os.close(fd)
            if not data:
                return
            self.data += data
            while len(self.data) >= 8:
                size, kind, _ = struct.unpack_from("=IHH", self.data)
                whole = 8 + size + -size % 8
                if len(self.data) < whole:
                    break
                payload, self.data = self.data[8 : 8 + size], self.data[whole:]
                if kind == FRAME:
                    output, = struct.unpack_from("=I", payload)
                    serial, = struct.unpack_from("=Q", payload, 24)
                    self.send(FRAME_SHOWN, struct.pack("=IIQ", output, 0, serial))
                elif kind == LEDS:
                    self.leds, = struct.unpack("=I", payload)

    def close(self):
        self.link.close()
        self.process.close()


class Machine(vm.Vm):
    def __init__(self, kernel, disk, profile, hesper=None, like=None):
        """like: another machine, whose hesper it has."""
        super().__init__(
            kernel, disk, profile, hesper=hesper, options=["--display", "vnc", "--input", "keyboard,pointer,touch"],
            programs=[os.path.join(vm.bed.BUILD, "tests/vm/guest/events")],
        )
        if like:
            self.hesper, self.placer = like.hesper, like.placer
        # Hesper looks for displays in its own folder.
        self.hesper = shutil.copy(self.hesper, self.path("hesper"))
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path("display"))
        self.listener.listen(4)
        script = self.path("hesper-vnc")
        with open(script, "w") as f:
            f.write(SCRIPT.format(python=sys.executable, path=self.path("display")))
        os.chmod(script, stat.S_IRWXU)

    def start(self):
        # QEMU is started when the display is ready.
        def accept():
            self.display = Display(self.listener)

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        super().start()

    # --- the guest -----------------------------------------------------------------------------------

    def probe(self):
        """The devices that the guest sees, by name."""
        self.run("modprobe virtio_input; modprobe evdev")
        got = self.run("for i in $(seq 600); do [ $(./events list | grep -c Hesper) = 3 ] && break; sleep 0.1; done; ./events list")
        return {d["name"]: d for d in map(json.loads, got.out.decode().splitlines()) if d["name"].startswith("Hesper")}

    def held(self, device):
        return json.loads(self.run(f"./events held '{NAMES[device]}'").out)

    # What the driver hands to the kernel's input core. Programs would lose some: the kernel keeps 64 events for
    # one that can't run just now, which in an emulated machine on a busy host is no rare case.
    TRACE = "/sys/kernel/tracing"
    ARGUMENTS = {"x86_64": ("%si", "%dx", "%cx"), "aarch64": ("%x1", "%x2", "%x3")}

    def record(self):
        kind, code, value = self.ARGUMENTS[os.uname().machine]
        got = self.run(
            f"cd {self.TRACE} 2>/dev/null && [ -e trace ] || mount -t tracefs tracing {self.TRACE}; cd {self.TRACE} || exit 1\n"
            "echo 8192 >buffer_size_kb; echo 0 >events/kprobes/enable 2>/dev/null\n"
            f"echo 'p:heard input_event kind={kind}:u32 code={code}:u32 value={value}:s32' >kprobe_events || exit 2\n"
            "echo 1 >events/kprobes/heard/enable && echo >trace"
        )
        expect(got.status == 0, "the guest's kernel can't trace: " + got.why())

    def recorded(self, wanted, patience=120):
        """What was heard since, when it is as much as `wanted`, or nothing more comes."""
        deadline = time.monotonic() + patience
        count, before = 0, -1
        while count < len(wanted) and count != before and time.monotonic() < deadline:
            self.display.serve(2 if before >= 0 else 0.2)
            before, count = count, int(self.run(f"grep -c heard: {self.TRACE}/trace").out)
        self.display.serve(0.2)
        lines = self.run(f"grep heard: {self.TRACE}/trace").out.decode()
        return [tuple(map(int, e)) for e in re.findall(r"kind=(\d+) code=(\d+) value=(-?\d+)", lines)]

    def hears(self, device, events, wanted=None):
        """Sends events and compares what arrives in the guest."""
        wanted = wanted or events
        self.record()
        self.display.events(device, events)
        got = self.recorded(wanted)
        if got != wanted:
            at = next((i for i, (a, b) in enumerate(zip(got, wanted)) if a != b), min(len(got), len(wanted)))
            raise failed(
                f"{NAMES[device]}: {len(got)} of {len(wanted)} events, other than sent from {at}: "
                f"{got[at:at + 4]} for {wanted[at:at + 4]}"
            )

    def close(self):
        if hasattr(self, "display"):
            self.display.close()
        self.listener.close()
        super().close()


def failed(what):
    import trials

    return trials.Failed(what)


def expect(ok, what):
    if not ok:
        raise failed(what)


def press(*codes):
    return [event for code in codes for value in (1, 0) for event in ((KEY, code, value), END)]


# --- what is tried -----------------------------------------------------------------------------------


def devices(m):
    found = m.probe()
    expect(sorted(found) == sorted(NAMES), f"found {sorted(found)}")
    keyboard, pointer, touch = (found[name] for name in NAMES)
    expect(keyboard["keys"] == list(range(1, 249)), "a keyboard's keys")
    expect(keyboard["leds"] == [0, 1, 2] and 0x14 in keyboard["types"], "LEDs, and repetition by the guest")
    expect(pointer["keys"] == list(range(BTN_LEFT, BTN_TASK + 1)), "a pointer's buttons")
    expect(pointer["relative"] == [HWHEEL, WHEEL, WHEEL_FINE, HWHEEL_FINE], "a pointer's wheels")
    expect(pointer["ranges"] == {"0": [0, 32767], "1": [0, 32767]}, "a pointer's range")
    expect(touch["properties"] == [1] and touch["keys"] == [BTN_TOUCH], "a touch screen")
    expect(touch["ranges"][str(SLOT)] == [0, 9] and touch["ranges"][str(MT_X)] == [0, 32767], "its contacts")
    expect(all(d["bus"] == 6 and d["serial"] for d in found.values()), "identities")


def burst(m):
    """10 000 events, faster than any hands."""
    m.hears(KEYBOARD, press(*[2 + i % 50 for i in range(2500)]))


def pointer(m):
    # Moves between which there is a click are not merged.
    m.hears(POINTER, [e for i in range(1, 501) for e in ((ABS, 0, i), (ABS, 1, 32767 - i), END, *press(BTN_LEFT + i % 5))])
    m.display.events(POINTER, [e for i in range(1, 5001) for e in ((ABS, 0, 5 * i), (ABS, 1, 3 * i), END)])
    m.display.serve(0.3)
    place = m.held(POINTER)["at"]
    expect(place == [25000, 15000], f"the pointer is at {place}")
    m.hears(
        POINTER,
        [(REL, WHEEL, -1), END, (REL, HWHEEL_FINE, 60), END, (REL, HWHEEL_FINE, 60), END],
        [(REL, WHEEL, -1), (REL, WHEEL_FINE, -120), END, (REL, HWHEEL_FINE, 60), END, (REL, HWHEEL, 1), (REL, HWHEEL_FINE, 60), END],
    )


def touch(m):
    first = [(ABS, SLOT, 0), (ABS, TRACKING, 1), (ABS, MT_X, 10), (ABS, MT_Y, 20)]
    second = [(ABS, SLOT, 1), (ABS, TRACKING, 2), (ABS, MT_X, 30), (ABS, MT_Y, 40)]
    ends = [(ABS, SLOT, 0), (ABS, TRACKING, -1), (ABS, SLOT, 1), (ABS, TRACKING, -1)]
    m.hears(
        TOUCH,
        first + second + [END] + ends + [END],
        first[1:] + second + [(KEY, BTN_TOUCH, 1), (ABS, 0, 10), (ABS, 1, 20), END] + ends + [(KEY, BTN_TOUCH, 0), END],
    )


def leds(m):
    for value in (1, 0):  # of the caps lock; others are the guest's own
        m.run(f"./events led '{NAMES[KEYBOARD]}' 1 {value}")
        m.display.serve(1)
        expect((m.display.leds >> 1 & 1) == value, f"LEDs {m.display.leds}, caps lock {value}")


def lost_display(m):
    """A display that dies takes its keys up; the next one goes on."""
    m.display.events(KEYBOARD, [(KEY, A, 1), (KEY, LEFT_SHIFT, 1), END, (KEY, B, 1)])
    m.display.events(POINTER, [(KEY, BTN_LEFT, 1), END])
    m.display.serve(0.5)
    expect(m.held(KEYBOARD)["keys"] == [A, LEFT_SHIFT], "two keys are down")
    m.display.close()
    m.display = Display(m.listener)
    m.display.serve(0.5)
    expect(m.held(KEYBOARD)["keys"] == [] and m.held(POINTER)["keys"] == [], "all is up")
    m.hears(KEYBOARD, press(A))


def paused(m):
    """What happens in a pause is not carried out later; what is held then is known."""
    m.record()
    m.display.events(KEYBOARD, [(KEY, A, 1), END])
    m.display.serve(0.5)
    m.qmp("stop")
    m.display.events(KEYBOARD, press(*[B] * 500) + [(KEY, A, 0), END, (KEY, LEFT_SHIFT, 1), END])
    m.display.serve(0.3)
    m.qmp("cont")
    m.display.serve(0.3)
    m.display.events(KEYBOARD, [(KEY, LEFT_SHIFT, 0), END])
    wanted = [(KEY, A, 1), END, (KEY, A, 0), (KEY, LEFT_SHIFT, 1), END, (KEY, LEFT_SHIFT, 0), END]
    got = m.recorded(wanted)
    expect(got == wanted, f"heard {got[:8]}")


def reboots(m):
    """A key that is held over a reboot is down after it, until it is let go; else nothing is."""
    m.display.events(KEYBOARD, [(KEY, A, 1), (KEY, B, 1), END])
    m.display.events(POINTER, [(ABS, 0, 7), (ABS, 1, 8), END])
    m.display.serve(0.3)
    m.reset()
    m.display.events(KEYBOARD, [(KEY, B, 0), END])
    m.probe()
    m.display.serve(0.5)
    expect(m.held(KEYBOARD)["keys"] == [A], f"down: {m.held(KEYBOARD)['keys']}")
    expect(m.held(POINTER)["at"] == [7, 8], "the pointer's place")
    m.display.events(KEYBOARD, [(KEY, A, 0), END])
    m.display.serve(0.3)
    expect(m.held(KEYBOARD)["keys"] == [], "and up")
    m.reboot()
    m.probe()
    expect(m.held(KEYBOARD)["keys"] == [], "nothing is down")
    m.hears(KEYBOARD, press(A))


def rebinds(m, rounds):
    driver = "/sys/bus/virtio/drivers/virtio_input"
    for i in range(rounds):
        got = m.run(
            f"for d in {driver}/virtio*; do d=${{d##*/}}; echo $d >{driver}/unbind && echo $d >{driver}/bind || exit 1; done\n"
            "for i in $(seq 600); do [ $(./events list | grep -c Hesper) = 3 ] && exit; sleep 0.1; done; exit 2"
        )
        expect(got.status == 0, f"round {i}: {got.why()}")
        if i % 5 == 4 or i + 1 == rounds:
            m.hears(KEYBOARD, press(A, B))
            m.hears(POINTER, [(KEY, BTN_LEFT, 1), END, (KEY, BTN_LEFT, 0), END])


def ends_well(m):
    status = m.power_off()
    expect(status == 0, f"hesper run ends with {status}")
    expect(not m.qemu_said(), "QEMU says: " + " | ".join(m.qemu_said())[:400])


def trial(rounds):
    """A case of trials.py: so many times the drivers leave the devices and come back."""

    def run(_native, machine):
        with Machine(machine.kernel, machine.disk, machine.profile, like=machine) as m:
            for step in (devices, burst, pointer, touch, leds, lost_display, paused, reboots):
                try:
                    step(m)
                except Exception as error:  # of this machine: the caller's goes on
                    raise failed(f"{step.__name__}: {error}" + " " + m.said()[-200:]) from error
            rebinds(m, rounds)
            ends_well(m)
        return f"10 000 events in order, {rounds} rebinds"

    return run
