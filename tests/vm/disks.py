"""What happens to a guest's disk: whatever ends or stops meanwhile, what the guest has written is there, and right.

A case is a function of (native, machine), as in trials.py. The machine has two disks of its own: vdc, and vdd, which the host
has no room for at first.
"""

import hashlib
import os
import signal
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.dirname(HERE) + "/vnc")
import trials  # noqa: E402
from person import free_port  # noqa: E402

SIZE = 16 << 20
FILES = {"own": SIZE, "full": SIZE}
OPTIONS = ["--display", f"vnc=127.0.0.1:{free_port()}", "--disk", "own"]
# The first write fails as it does where the disk is full, and no other.
QEMU_OPTIONS = [
    "-drive",
    "if=virtio,format=raw,file.driver=blkdebug,file.image.driver=file,file.image.filename=full,"
    "file.inject-error.0.event=pwritev,file.inject-error.0.errno=28,file.inject-error.0.once=on,file.inject-error.0.immediately=off",
]

# Numbers that are no other block's, written and flushed; their sum.
WRITE = "seq {first} {last} | dd of={disk} bs=4096 seek={at} conv=fsync,notrunc 2>/dev/null && seq {first} {last} | sha256sum"
COUNT = 200000


def content(machine, name, at, length):
    with open(machine.path(name), "rb") as f:
        f.seek(4096 * at)
        return f.read(length)


def written(first):
    return b"".join(b"%d\n" % n for n in range(first, first + COUNT))


def write(machine, first, at, disk="/dev/vdc"):
    """Begins to write; what is to be received says when it is on the disk."""
    machine.send(WRITE.format(first=first, last=first + COUNT - 1, disk=disk, at=at))


def is_written(machine, first, at, name="own"):
    got = machine.receive(900)
    trials.expect(got.status == 0, got.why())
    want = written(first)
    trials.expect(got.out.split()[0].decode() == hashlib.sha256(want).hexdigest(), "the guest wrote something else")
    trials.expect(content(machine, name, at, len(want)) == want, "the host has something else")


def full(_native, machine):
    """The machine stands still until there is room, and nothing is lost."""
    write(machine, 100000, 0, "/dev/vdd")
    is_written(machine, 100000, 0, "full")
    said = machine.said()
    trials.expect("the machine stands still" in said, "hesper says nothing of the full disk")
    return "it went on"


def killed(kind):
    def run(_native, machine):
        """A worker or a display ends while the guest writes."""
        write(machine, 300000, 500)
        if kind == "worker":
            pids = machine.workers()
        else:
            pids = machine.children("hesper-vnc")
        trials.expect(pids, f"no {kind}")
        os.kill(pids[0], signal.SIGKILL)
        is_written(machine, 300000, 500)

    return run


def stopped(_native, machine):
    """As when the host sleeps."""
    write(machine, 500000, 1000)
    pids = [machine.process.pid, *machine.children("qemu-system")]
    trials.expect(len(pids) == 2, f"QEMU is not the only child: {pids}")
    for number in (signal.SIGSTOP, signal.SIGCONT):
        for pid in pids:
            os.kill(pid, number)
        time.sleep(3)
    is_written(machine, 500000, 1000)


BUTTON = """
modprobe button; modprobe evdev
for i in $(seq 100); do
    for name in /sys/class/input/event*/device/name; do
        grep -q 'Power Button' $name 2>/dev/null && break 2
    done
    sleep 0.1
done
event=${name%/device/name}
event=/dev/input/${event##*/}
[ -c $event ] || exit 7
(head -c 24 $event >/dev/null && seq 700000 899999 | dd of=/dev/vdc bs=4096 seek=1500 conv=fsync,notrunc && poweroff -f) >/dev/null 2>&1 &
"""


def power_button(_native, machine):
    """Ctrl-C: the guest shuts down, and writes what it has to."""
    got = machine.run(BUTTON)
    if got.status == 7:
        raise trials.Skip("this kernel shows no power button")
    machine.process.send_signal(signal.SIGINT)
    status = machine.process.wait(900)
    trials.expect(status == 0, f"hesper run ends with {status}")
    trials.expect("the guest's power button was pressed" in machine.said(), "hesper does not say what it did")
    want = written(700000)
    trials.expect(content(machine, "own", 1500, len(want)) == want, "what the guest wrote at its end is not there")
    for first, at in ((300000, 500), (500000, 1000)):
        trials.expect(content(machine, "own", at, len(want)) == written(first), "what it wrote before has changed")


CASES = {
    "full-disk": full,
    "killed-worker": killed("worker"),
    "killed-display": killed("display"),
    "stopped-host": stopped,
    "power-button": power_button,
}
