"""From power-on: a guest that boots by UEFI firmware and GRUB, with its GPU by vfio-user, and a person at its screen.

The person waits for GRUB's menu, chooses the second entry by the keyboard, and sees the kernel's console.
"""

import json
import os
import shutil
import sys
import time

import trials
import vm

sys.path.insert(0, os.path.join(vm.bed.ROOT, "tests/vnc"))
import person  # noqa: E402
import rfb  # noqa: E402

PATIENCE = 300
LOADERS = {"x86_64": "BOOTX64.EFI", "aarch64": "BOOTAA64.EFI"}
DOWN, ENTER, F2 = 0xFF54, 0xFF0D, 0xFFBF

# The first entry is not the one that is wanted; nothing is chosen by waiting.
MENU = """set timeout=-1
set default=0
search --file --set=root /vmlinuz
menuentry "not this one" {{ halt }}
menuentry "Linux, chosen by hand" {{
    linux /vmlinuz console={serial} console=tty0 loglevel=6 printk.devkmsg=on hesper.chosen
    initrd /initrd
}}
"""


def is_there():
    """Whether the firmware of hesper run --firmware uefi is there."""
    places = (os.path.join(vm.FILES, "qemu/usr/share"), os.path.join(vm.FILES, "share"), "/usr/share")
    names = ("OVMF/OVMF_CODE_4M.fd", "AAVMF/AAVMF_CODE.fd")
    return any(os.access(os.path.join(place, name), os.R_OK) for place in places for name in names)


def menu_bar(client):
    """The row where the bar of a text menu begins: ten rows or more, mostly of one light colour."""
    stride, rows = client.width * 4, 0
    for y in range(client.height // 2):  # the lower half has the progress bar of firmware
        row = client.frame[y * stride : (y + 1) * stride]
        middle = bytes(row[stride // 2 : stride // 2 + 4])
        wide = middle[0] > 0x60 and row.count(middle) > client.width // 2
        rows = rows + 1 if wide else 0
        if rows == 10:
            return y - 9
    return None


def shown(client):
    """How many bytes of the guest's picture are not black. A corner that is not is the display's own picture."""
    if client.frame[:3] != b"\0\0\0":
        return None
    return sum(client.width * client.height - client.frame[i::4].count(0) for i in range(3))


def is_setup(client):
    """Most of the screen's middle has the grey of firmware's setup menu."""
    row = client.frame[client.height // 2 * client.width * 4 :][: client.width * 4]
    return row.count(bytes([0x98, 0x98, 0x98])) * 2 > client.width


def see(client, condition, what):
    trials.expect(client.until(condition, PATIENCE), "not to be seen: " + what)


class FromPowerOn:
    """Before vm.Vm, or what is made of it: the machine has no kernel by its command line."""

    def __init__(self, *args, options=(), pictures=None, **more):
        """pictures: a folder in which some of what was on the screen is kept."""
        port = person.free_port()
        self.address = ("127.0.0.1", port)
        options = ["--front", "vfio-user", "--firmware", "uefi", "--display", f"vnc=127.0.0.1:{port}", *options]
        super().__init__(*args, options=options, **more)
        self.machine = os.path.basename(vm.qemu(self.kernel)).removeprefix("qemu-system-")
        self.boots_seen, self.pictures = [], pictures
        self.by_setup = False  # firmware's menu is gone through first

    def keep(self, client, name, seconds):
        """The picture some seconds later, for it may be being drawn."""
        if self.pictures:
            client.until(lambda: False, seconds)
            client.png(os.path.join(self.pictures, name + ".png"))

    def make_disk(self):
        """A folder that QEMU shows as a disk with a file system for firmware."""
        folder = self.path("esp")
        os.makedirs(os.path.join(folder, "EFI/BOOT"), exist_ok=True)
        os.makedirs(os.path.join(folder, "EFI/debian"), exist_ok=True)
        shutil.copy(os.path.join(vm.FILES, "grub", LOADERS[self.machine]), os.path.join(folder, "EFI/BOOT"))
        for name in ("vmlinuz", "initrd"):
            os.symlink(os.path.join(vm.FILES, self.kernel, name), os.path.join(folder, name))
        with open(os.path.join(folder, "EFI/debian/grub.cfg"), "w") as f:
            f.write(MENU.format(serial="ttyS0" if self.machine == "x86_64" else "ttyAMA0"))
        return folder

    def command(self):
        argv = super().command()
        for name in ("--kernel", "--initrd", "--append"):
            at = argv.index(name)
            del argv[at : at + 2]
        disk = {"driver": "vvfat", "node-name": "esp", "dir": self.make_disk(), "read-only": True, "fat-type": 16}
        argv += ["-blockdev", json.dumps(disk), "-device", "virtio-blk-pci,drive=esp,bootindex=0,addr=0x18"]
        return argv + ["-boot", "menu=on,splash-time=2000"]  # so long firmware waits for a hot key

    def connect(self):
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                return rfb.Client(self.address, timeout=PATIENCE)
            except (OSError, rfb.Closed):
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.1)

    def wait_ready(self, patience=vm.PATIENCE):
        self.boots_seen.append(self.choose())
        super().wait_ready(patience)

    def choose(self):
        """Goes through firmware and the menu; seconds to something on the screen, and to the menu."""
        began, client = time.monotonic(), self.connect()
        try:
            see(client, lambda: shown(client), "a picture of firmware")
            first = time.monotonic() - began
            self.keep(client, "1-firmware", 0.3)
            if self.by_setup:
                self.go_through_setup(client)
            see(client, lambda: menu_bar(client) is not None, "GRUB's menu")
            menu, bar = time.monotonic() - began, menu_bar(client)
            client.type(DOWN)
            see(client, lambda: (menu_bar(client) or 0) > bar, "the menu's bar further down")
            self.keep(client, "2-menu", 2)
            self.leave_menu(client)
            return first, menu
        finally:
            client.close()

    def leave_menu(self, client):
        """By Enter, which did nothing in two of some 60 starts, in one of them three times; it is not known why, so it is said."""
        for presses in (1, 2, 3):
            client.type(ENTER)
            if client.until(lambda: menu_bar(client) is None, 20):
                break
            print(f"GRUB's menu is still there after Enter {presses}", file=sys.stderr)
            self.keep(client, "still-menu", 0)
        see(client, lambda: menu_bar(client) is None, "the end of the menu")

    def go_through_setup(self, client):
        """F2 opens it, the arrow moves in it, and its entry Continue leaves it."""
        deadline = time.monotonic() + PATIENCE
        while not is_setup(client):
            trials.expect(time.monotonic() < deadline, "not to be seen: the setup menu")
            client.type(F2)
            client.until(lambda: is_setup(client), 0.5)
        for _ in range(4):
            before = bytes(client.frame)
            client.type(DOWN)
            see(client, lambda: bytes(client.frame) != before, "another entry of the setup menu")
            client.until(lambda: False, 0.5)  # it is being drawn
        self.keep(client, "setup", 0)
        client.type(ENTER)
        see(client, lambda: not is_setup(client), "the end of the setup menu")


class Machine(FromPowerOn, vm.Vm):
    """The plain one."""


def chosen(_native, machine):
    """It was booted by the menu's second entry, through firmware whose screen was ours."""
    got = machine.run("cat /proc/cmdline; dmesg | grep -c 'EFI v'")
    trials.expect("hesper.chosen" in got.out.decode(), got.out.decode())
    return "something after {:.0f} s, the menu after {:.0f} s".format(*machine.boots_seen[0])


def console(_native, machine):
    """What is written on the kernel's console is on the screen."""
    client = machine.connect()
    try:
        machine.run("printf '\\033[2J\\033[H\\033[?25l' >/dev/tty1")
        see(client, lambda: client.updates and shown(client) == 0, "an empty console")
        machine.run("echo 'from power-on to here' >/dev/tty1")
        see(client, lambda: shown(client), "a line on the console")
    finally:
        client.close()


def setup(_native, machine):
    """The firmware's setup menu is there for who presses F2 at its logo."""
    machine.by_setup = True
    try:
        machine.reset()
    finally:
        machine.by_setup = False


def a_display(_native, machine):
    """The class that the guest sees is that of a display."""
    got = machine.run("for d in /sys/bus/pci/devices/*; do cat $d/vendor $d/device $d/class | tr '\\n' ' '; done")
    trials.expect("0x1af4 0x1050 0x038000" in got.out.decode(), got.out.decode())
    return "class 0380"


CASES = {"chosen": chosen, "console": console, "display": a_display, "vulkaninfo": trials.vulkaninfo, "setup": setup}
