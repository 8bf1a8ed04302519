"""A machine that has a virtio GPU of QEMU's beside ours. Mesa takes the last one that it finds on the bus.

A case is a function of (native, machine), as in trials.py.
"""

import os
import subprocess

import trials

# What is added to QEMU's arguments, and whether the guest's Venus finds ours then.
ORDERS = {
    "before ours": (["-device", "virtio-gpu-pci"], True),
    "behind ours": (["-device", "pcie-root-port,id=beyond,chassis=1", "-device", "virtio-gpu-pci,bus=beyond"], False),
}
FRONTS = ["vhost-user", "vfio-user"]


def doctor(machine):
    """What `hesper doctor --guest` says of it."""
    control = os.path.join(machine.environment["XDG_RUNTIME_DIR"], f"hesper-{machine.process.pid}.control")
    return subprocess.run([machine.hesper, "doctor", "--guest=" + control], env=machine.environment, capture_output=True, text=True).stdout


def both(_native, machine):
    """The guest's kernel drives the two of them."""
    got = machine.run("ls -d /sys/bus/virtio/drivers/virtio_gpu/virtio* | wc -l")
    trials.expect(got.out.strip() == b"2", f"{got.out.decode().strip()} GPUs, not 2")


def ours(native, machine):
    """Venus is there, and draws."""
    trials.vulkaninfo(native, machine)
    trials.same_picture(native, machine)
    said = doctor(machine)
    trials.expect("not read yet" not in said, "doctor sees no program that looks for Venus: " + said)


def hidden(_native, machine):
    """Venus is not there, and doctor says what may be the matter."""
    got = machine.run("vulkaninfo --summary")
    trials.expect(b"Virtio-GPU Venus" not in got.out, "Venus is there: Mesa does not take the last one any more")
    said = doctor(machine)
    trials.expect("behind a PCI bridge hides this one" in said, "doctor does not say why: " + said)
    return "as foreseen"


def machines():
    """Name, options of `hesper run`, of QEMU, and cases of each."""
    for front in FRONTS:
        for order, (options, found) in ORDERS.items():
            seen = {"ours": ours} if found else {"hidden": hidden}
            yield f"another GPU {order}, {front}", ["--front", front], options, {"both": both, **seen}
