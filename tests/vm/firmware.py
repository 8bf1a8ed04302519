"""Firmware's screen: a guest that boots through UEFI, with its GPU by vfio-user."""

import os
import time

import screen
import trials
import vm

OPTIONS = ["--front", "vfio-user", "--firmware", "uefi", "--display", "image=frames"]


def is_there():
    """Whether the firmware of hesper run --firmware uefi is there."""
    places = (os.path.join(vm.FILES, "qemu/usr/share"), os.path.join(vm.FILES, "share"), "/usr/share")
    names = ("OVMF/OVMF_CODE_4M.fd", "AAVMF/AAVMF_CODE.fd")
    return any(os.access(os.path.join(place, name), os.R_OK) for place in places for name in names)


def shown(_native, machine):
    """A picture that is not black, from before the kernel began."""
    up = float(machine.run("cut -d' ' -f1 /proc/uptime").out)
    began = time.time() - up
    folder = machine.path("frames")
    early = [f for f in sorted(os.listdir(folder)) if os.stat(os.path.join(folder, f)).st_mtime < began]
    trials.expect(early, "no picture from before the kernel")
    for name in reversed(early):
        picture = screen.read_png(os.path.join(folder, name))
        if len(set(picture.pixels(step=7))) > 1:
            return f"{len(early)} pictures, {picture.width} x {picture.height}"
    raise trials.Failed("the screen is black until the kernel begins")


def a_display(_native, machine):
    """The guest's kernel has been told of the screen by firmware, and the class is that of a display."""
    got = machine.run("for d in /sys/bus/pci/devices/*; do cat $d/vendor $d/device $d/class | tr '\\n' ' '; done; dmesg | grep -c 'EFI v'")
    trials.expect("0x1af4 0x1050 0x038000" in got.out.decode(), got.out.decode())
    return "class 0380"


CASES = {"firmware": shown, "display": a_display, "vulkaninfo": trials.vulkaninfo}
