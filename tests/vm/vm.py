"""A virtual machine with a guest of scripts/guest, started by `hesper run`, and what a test does with it.

    with Vm("trixie", "trixie") as vm:        kernel, userland
        vm.run("vulkaninfo --summary")        a shell script in the guest: a bed.Result

Only processes that were started here are ended.
"""

import json
import os
import pty
import re
import shutil
import signal
import socket
import subprocess
import sys
import tarfile
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "vtest"))
import bed  # noqa: E402
from processes import children, processes  # noqa: E402

FILES = os.path.join(bed.ROOT, "build/vm")
# Guests are slow where their CPU is emulated, and slower where others are at work too. Nothing that goes well waits so
# long.
PATIENCE = 900


def qemu(kernel=""):
    """The one for this machine, or for a guest that names another architecture; HESPER_QEMU is another."""
    if "-arm64" in kernel and os.uname().machine != "aarch64":
        return os.path.join(FILES, "qemu-arm64/qemu-system-aarch64")
    return os.environ.get("HESPER_QEMU") or os.path.join(FILES, "qemu/qemu-system-" + os.uname().machine)


class Gone(Exception):
    """The machine does not answer or is no more."""


class Channel:
    """A stream to the guest or to QEMU. QEMU makes the socket some time after it was started."""

    def __init__(self, path, vm, patience):
        self.vm, self.data = vm, b""
        deadline = time.monotonic() + patience
        while True:
            self.socket = socket.socket(socket.AF_UNIX)
            try:
                self.socket.connect(path)
                return
            except OSError:
                self.socket.close()
                if vm.process.poll() is not None:
                    raise Gone("the machine did not start: " + vm.said()) from None
                if time.monotonic() > deadline:
                    raise Gone("QEMU does not open its sockets") from None
                time.sleep(0.02)

    def more(self, deadline):
        self.socket.settimeout(max(0.01, deadline - time.monotonic()))
        try:
            data = self.socket.recv(1 << 16)
        except (TimeoutError, socket.timeout):
            raise Gone("no answer in time") from None
        except OSError as error:
            raise Gone(str(error)) from None
        if not data:
            raise Gone("QEMU has ended: " + self.vm.said())
        self.data += data

    def line(self, deadline):
        while b"\n" not in self.data:
            self.more(deadline)
        line, _, self.data = self.data.partition(b"\n")
        return line

    def bytes(self, count, deadline):
        while len(self.data) < count:
            self.more(deadline)
        data, self.data = self.data[:count], self.data[count:]
        return data

    def close(self):
        self.socket.close()


class Terminal:
    """A terminal whose words go to a file, for a program that is started in a `with` of it."""

    def __init__(self, path):
        self.ours, self.theirs = pty.openpty()
        self.words = open(path, "wb", buffering=0)
        self.thread = threading.Thread(target=self.copy, daemon=True)
        self.thread.start()

    def copy(self):
        try:
            while words := os.read(self.ours, 4096):
                self.words.write(words.replace(b"\r\n", b"\n"))
        except OSError:  # nobody has the other end any more
            pass
        os.close(self.ours)
        self.words.close()

    def fileno(self):
        return self.theirs

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.close(self.theirs)

    def wait(self):
        """Until all is in the file that a program has said which has ended."""
        self.thread.join(60)


class Vm:
    def __init__(self, kernel, disk, profile="native", options=(), qemu_options=(), programs=(), hesper=None, memory="1G", files=None, plan=None, at_terminal=False):
        self.at_terminal = at_terminal
        self.kernel, self.disk, self.profile = kernel, disk, profile
        self.tree = bed.Tree("sid")
        hesper = hesper or os.environ.get("HESPER", os.path.join(bed.BUILD, "hesper"))
        self.hesper = self.tree.adopt(hesper)
        self.placer = os.path.join(os.path.dirname(hesper), "src/placer/hesper-placer.so")
        self.adopt_displays(os.path.dirname(hesper))
        self.folder = tempfile.mkdtemp(prefix="hesper-vm-")
        self.options, self.qemu_options, self.programs, self.memory = options, qemu_options, programs, memory
        self.environment = {**self.tree.environment(), **(bed.plan(self.tree, plan) if plan else {})}
        for name, size in (files or {}).items():
            with open(self.path(name), "wb") as f:
                f.truncate(size)
        self.process = self.agent = self.monitor = None
        self.boots = []  # seconds in the guest until it was ready, one a boot

    def adopt_displays(self, folder):
        """What hesper starts for a screen must lie beside it, under its name."""
        for name in ("hesper-image", "hesper-vnc", "hesper-window"):
            if os.access(os.path.join(folder, name), os.X_OK):
                self.tree.adopt(os.path.join(folder, name), name)

    def path(self, name):
        return os.path.join(self.folder, name)

    def __enter__(self):
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(self, *_):
        self.close()

    def command(self):
        kernel, disk = (os.path.join(FILES, name) for name in (self.kernel, self.disk))
        argv = [self.hesper, "run", "--qemu", qemu(self.kernel), f"--host-profile={self.profile}", "--memory", self.memory]
        if "--placer" not in self.options:
            argv += ["--placer", self.placer]
        argv += ["--kernel", kernel + "/vmlinuz", "--initrd", kernel + "/initrd", "--append", "loglevel=4 printk.devkmsg=on"]
        if "--display" not in self.options:
            argv += ["--display", "none"]
        argv += ["--disk", disk + "/disk,readonly", "--disk", self.path("programs") + ",readonly"]
        argv += ["--serial", "file:" + self.path("serial"), *self.options, "--"]
        argv += ["-device", "virtio-serial-pci", "-device", "virtserialport,chardev=agent,name=hesper.agent"]
        argv += ["-chardev", f"socket,id=agent,server=on,wait=off,path={self.path('agent')}"]
        argv += ["-qmp", f"unix:{self.path('qmp')},server=on,wait=off"]
        return argv + list(self.qemu_options)

    def start(self, patience=PATIENCE):
        with tarfile.open(self.path("programs"), "w") as tar:
            for program in self.programs:
                tar.add(program, os.path.basename(program))
        self.began = time.monotonic()
        with Terminal(self.path("stderr")) if self.at_terminal else open(self.path("stderr"), "wb") as err:
            self.process = subprocess.Popen(
                self.command(), env=self.environment, stdin=subprocess.DEVNULL, stdout=err, stderr=err,
                start_new_session=True, cwd=self.folder,
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a shell's background ignores it
            )
        self.monitor = Channel(self.path("qmp"), self, 120)
        self.monitor.line(time.monotonic() + 120)
        self.qmp("qmp_capabilities")
        self.agent = Channel(self.path("agent"), self, 120)
        self.wait_ready(patience)

    def wait_ready(self, patience=PATIENCE):
        deadline = time.monotonic() + patience
        while True:
            match = re.match(rb"ready ([0-9.]+)", self.agent.line(deadline))
            if match:
                break
        self.boots.append(float(match.group(1)))
        self.run("mkdir -p /tmp/p && tar xf /dev/vdb -C /tmp/p")

    # --- the guest -----------------------------------------------------------------------------------

    def send(self, script):
        script = script.encode()
        self.agent.socket.settimeout(120)
        self.agent.socket.sendall(b"%d\n" % len(script) + script)

    def receive(self, patience):
        deadline = time.monotonic() + patience
        began = time.monotonic()
        status, out, err = map(int, self.agent.line(deadline).split())
        return bed.Result(status, self.agent.bytes(out, deadline), self.agent.bytes(err, deadline), time.monotonic() - began)

    def run(self, script, patience=PATIENCE):
        """Runs the script in the guest's shell, in /tmp/p, where the programs lie."""
        self.send("cd /tmp/p 2>/dev/null\n" + script)
        return self.receive(patience)

    def reboot(self):
        """By the guest itself."""
        self.send("reboot -f")
        self.wait_ready()

    def reset(self):
        """By QEMU, whatever the guest is doing."""
        self.agent.data = b""
        self.qmp("system_reset")
        self.wait_ready()

    # --- QEMU ----------------------------------------------------------------------------------------

    def qmp(self, command, **arguments):
        message = {"execute": command}
        if arguments:
            message["arguments"] = arguments
        self.monitor.socket.settimeout(120)
        self.monitor.socket.sendall(json.dumps(message).encode() + b"\n")
        deadline = time.monotonic() + 300
        while True:
            answer = json.loads(self.monitor.line(deadline))
            if "error" in answer:
                raise Gone(f"QEMU: {command}: {answer['error']['desc']}")
            if "return" in answer:
                return answer["return"]

    def workers(self):
        """Process numbers of the workers of this machine, in the order in which they were started."""
        return children(self.process.pid, "worker")

    def children(self, name):
        """Process numbers of what this machine's hesper has started under that name, or one that begins like it."""
        ours = {pid: p for pid, p in processes().items() if p.parent == self.process.pid}
        return [pid for pid, p in ours.items() if os.path.basename("".join(p.arguments[:1])).startswith(name)]

    # --- the end -------------------------------------------------------------------------------------

    def said(self):
        """What Hesper and QEMU wrote."""
        try:
            with open(self.path("stderr"), errors="replace") as f:
                return f.read().strip()
        except OSError:
            return ""

    def serial(self):
        with open(self.path("serial"), errors="replace") as f:
            return f.read()

    def qemu_said(self):
        """Lines that are not Hesper's."""
        return [line for line in self.said().splitlines() if line and not line.startswith("hesper:")]

    def power_off(self):
        """In good order; the exit status of `hesper run`."""
        if self.process.poll() is not None:
            return self.process.returncode
        self.send("poweroff -f")
        return self.process.wait(300)

    def left(self):
        """What is there of a machine that has ended: processes, files."""
        deadline = time.monotonic() + 20
        while (of_it := [p for p in processes().values() if p.session == self.process.pid]) and time.monotonic() < deadline:
            time.sleep(0.05)
        name = f"hesper-{self.process.pid}"
        folders = {"/dev/shm", "/tmp", *filter(None, map(os.environ.get, ("XDG_RUNTIME_DIR", "TMPDIR")))}
        files = [os.path.join(folder, n) for folder in folders for n in os.listdir(folder)]
        return of_it + [file for file in files if re.match(name + r"\b", os.path.basename(file))]

    def close(self):
        for channel in (self.agent, self.monitor):
            if channel:
                channel.close()
        if self.process:
            bed.end(self.process)
        shutil.rmtree(self.folder, ignore_errors=True)
