#!/usr/bin/env python3
"""cli_test.py HESPER PLACER: the command line, with a QEMU that only writes down what it was told.

No Vulkan driver and no QEMU is needed: the device is started with --no-venus.
"""

import fcntl
import hashlib
import http.server
import json
import os
import re
import shutil
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import xml.etree.ElementTree

HESPER, PLACER = map(os.path.abspath, sys.argv[1:3])
X86 = os.uname().machine in ("x86_64", "amd64")
CONSOLE = "ttyS0" if X86 else "ttyAMA0"

# What it is told lies in argv, each ended by a NUL; $DOES is what it does then.
FAKE_QEMU = """#!/bin/sh
case "$*" in
"-audiodev help") printf '%s\\n' "Available audio drivers:" none wav ${AUDIO-}; exit ;;
--version) echo "${SAYS-QEMU emulator version 11.1.3}"; exit "${VERSION_STATUS-0}" ;;
*vfio-user-pci,help) echo "  socket=<SocketAddress>"; exit ;;
*,version=0*) echo "${PLUGINS-this QEMU supports only a minimum version of 7}" >&2; exit 1 ;;
esac
printf '%s\\0' "$@" >argv
env >environment
eval "${DOES-true}"
"""


# In FAKE_QEMU's place, when it is to have a monitor: writes down what it is told, one word a line, and does what its
# argument says.
MONITOR = """
import json, socket, sys
link = socket.socket(fileno=62)
link.sendall(b'{"QMP": {"version": {}, "capabilities": []}}\\r\\n')
if sys.argv[1] == "full":
    data = {"device": "d", "action": "stop", "nospace": True, "reason": "No space left on device"}
for line in link.makefile():
    word = json.loads(line)["execute"]
    print(word, file=open("monitor", "a"))
    link.sendall(b'{"return": {}}\\r\\n')
    if word in ("stop", "cont"):
        link.sendall(json.dumps({"event": {"stop": "STOP", "cont": "RESUME"}[word]}).encode() + b"\\r\\n")
    if word == "system_powerdown" and sys.argv[1] in ("obeys", "agent"):
        agent = socket.socket(fileno=59)
        agent.setblocking(False)
        try:
            print(agent.recv(4096).decode(), end="", file=open("heard", "w"))
        except BlockingIOError:
            pass
        sys.exit(0)
    if word == "qmp_capabilities" and sys.argv[1] == "agent":
        data = {"id": "hesper-guest-agent", "open": True}
        link.sendall(json.dumps({"event": "VSERPORT_CHANGE", "data": data}).encode() + b"\\r\\n")
    if word == "qmp_capabilities" and sys.argv[1] == "full":
        link.sendall(json.dumps({"event": "BLOCK_IO_ERROR", "data": data}).encode() + b"\\r\\n")
"""


class Cli(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory(prefix="hesper-cli-")
        self.addCleanup(temporary.cleanup)
        self.folder = os.path.realpath(temporary.name)
        self.qemu = self.make("qemu", FAKE_QEMU)
        os.chmod(self.qemu, 0o755)
        self.kernel = self.make("vmlinuz", "")

    def path(self, name):
        return os.path.join(self.folder, name)

    def make(self, name, content):
        with open(self.path(name), "wb") as f:
            f.write(content.encode() if isinstance(content, str) else content)
        return self.path(name)

    def start(self, *argv, **env):
        return subprocess.Popen(
            [HESPER, *argv], cwd=self.folder, env={**os.environ, **env}, text=True, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            # These tests may run under nohup, or in a shell's background.
            preexec_fn=lambda: [signal.signal(s, signal.SIG_DFL) for s in (signal.SIGHUP, signal.SIGINT)],
        )

    def hesper(self, *argv, **env):
        """(exit status, output, errors without the hints that emulation is slow and that nobody sees the screen)"""
        process = self.start(*argv, **env)
        out, err = process.communicate(timeout=120)
        return process.returncode, out, "".join(l for l in err.splitlines(True) if "is emulated" not in l and "nobody sees" not in l)

    def run_machine(self, *argv, **env):
        return self.hesper("run", "--no-venus", "--qemu", self.qemu, "--placer", PLACER, *argv, **env)

    def told(self, *argv, **env):
        """What QEMU is told by a command line that is good."""
        status, _, err = self.run_machine(*argv, **env)
        self.assertEqual((status, err), (0, ""))
        return self.argv()

    def argv(self):
        with open(self.path("argv")) as f:
            return f.read().split("\0")[:-1]

    def values(self, argv, option):
        return [value for name, value in zip(argv, argv[1:]) if name == option]

    def refused(self, status, what, *argv, **env):
        """One line, and no QEMU."""
        got, out, err = self.hesper(*argv, **env)
        self.assertEqual((got, out), (status, ""), err)
        self.assertEqual(err.count("\n"), 1, err)
        self.assertRegex(err, "^hesper: error: .*" + what)
        self.assertFalse(os.path.exists(self.path("argv")))

    # --- what a machine is made of -------------------------------------------------------------------

    def file(self, text, *argv):
        """What QEMU is told by a machine's file, which lies in another folder than the one where hesper is started."""
        if not os.access(os.path.join(os.path.dirname(HESPER), "hesper-toml"), os.X_OK):
            self.skipTest("built without hesper-toml")
        os.makedirs(self.path("machines"), exist_ok=True)
        self.make("machines/m.toml", text)
        process = self.start("run", "machines/m.toml", "--no-venus", "--qemu", self.qemu, "--placer", PLACER, *argv, HOME=self.folder)
        out, err = process.communicate(timeout=120)
        return process.returncode, "".join(l for l in err.splitlines(True) if "is emulated" not in l and "nobody sees" not in l)

    def test_what_cannot_be_printed_is_said(self):
        for words in (["--help"], ["--version"], ["list"], ["run", "--help"]):
            with open("/dev/full", "w") as full:
                got = subprocess.run([HESPER, *words], stdout=full, stderr=subprocess.PIPE, text=True)
            self.assertEqual(got.returncode, 1, words)
            self.assertEqual(got.stderr, "hesper: error: not all of the output could be written: No space left on device\n")

    def test_what_is_closed_is_no_place_for_a_socket(self):
        words = [HESPER, "run", "--no-venus", "--qemu", self.qemu, "--placer", PLACER, "--kernel", self.kernel]
        env = {**os.environ, "DOES": "readlink /proc/$$/fd/1 2>&1 | cat >its-output"}
        subprocess.run(["sh", "-c", 'exec "$@" >&-', "sh", *words], cwd=self.folder, env=env, stderr=subprocess.PIPE, timeout=60)
        with open(self.path("its-output")) as f:
            self.assertEqual(f.read(), "/dev/null\n")

    def test_a_machine_in_a_file(self):
        os.mkdir(self.path("machines"))
        disk, other = self.make("machines/disk", "x"), self.make("other, one", "x")
        got = self.file("""# a machine
name = 'the "file"'
disk = ["disk,readonly", "~/other, one"]
memory = "3G"
cpus = 5
sound = "wav"
no-venus = true
stats = false
net = "none"
qemu-arguments = ["-device", "a b"]
""", "--cpus", "7", "--disk", "other, one", "--", "-more")
        self.assertEqual(got, (0, ""))
        argv = self.argv()
        doubled = other.replace(",", ",,")
        self.assertEqual(self.values(argv, "-drive"), [
            f"if=virtio,format=raw,file=machines/disk,readonly=on", f"if=virtio,format=raw,file={doubled}", "if=virtio,format=raw,file=other,, one"])
        self.assertEqual((self.values(argv, "-m"), self.values(argv, "-smp")), (["3072M"], ["7"]))
        self.assertEqual(self.values(argv, "-name"), ['guest=the "file"'])
        self.assertEqual(self.values(argv, "-audiodev"), ["wav,id=hesper-sound"])
        self.assertEqual(argv[-3:], ["-more", "-device", "a b"])
        self.assertTrue(os.path.exists(disk))

    def test_a_file_that_is_wrong(self):
        for text, what in (
            ("\nmemry = '1G'", r"m.toml:2: unknown key 'memry': keys are"),
            ("help = true", r"m.toml:1: unknown key 'help'"),
            ("cpus = 2\ncpus = 3", r"m.toml:2: .*cpus"),
            ("name =", r"m.toml:1: "),
            ("\n\ncpus = 'many'", r"m.toml:3: run: --cpus is a number"),
            ("cpus = true", r"m.toml:1: 'cpus' is a text in quotes, or a number, and not a boolean"),
            ("cpus = 2.5", r"m.toml:1: 'cpus' is a text in quotes, or a number, and not a fraction"),
            ("memory = ['1G', '2G']", r"m.toml:1: 'memory' takes one value, and no list"),
            ("disk = [\n'a',\n['b']]", r"m.toml:3: 'disk' is a text in quotes, or a number, and not a thing"),
            ("[memory]\nsize = 1", r"m.toml:1: 'memory' is .* not a table"),
            ("no-venus = 'yes'", r"m.toml:1: 'no-venus' is true or false, and not a string"),
            ("sound = 1.5", r"m.toml:1: 'sound' is a text in quotes, true or false, and not a fraction"),
            ("qemu-arguments = [true]", r"m.toml:1: 'qemu-arguments' is a list of texts"),
            ("name = 'a\\nb'\nappend = \"a\\nb\"", r"m.toml:2: append: there is a control character"),
            ("'a b' = 1", r"m.toml:1: 'a b' is no key"),
            ("share = [" + "'a'," * 300 + "]", r"m.toml:1: "),
            ("disk = ['nothing']", r"run: --disk: cannot read 'machines/nothing'"),
        ):
            status, err = self.file(text)
            self.assertIn(status, (1, 2))
            self.assertEqual(err.count("\n"), 1, err)
            self.assertRegex(err, "^hesper: error: " + what)
        self.refused(2, "cannot read the machine's file 'none.toml'", "run", "none.toml")
        self.refused(2, "'machines' is no machine's file: it is a folder", "run", "machines")
        self.make("huge.toml", "#" * (1 << 20) + "\n")
        self.refused(2, "'huge.toml' is no machine's file: it is larger than 1 MiB", "run", "huge.toml")

    def test_a_file_to_begin_with(self):
        status, out, err = self.hesper("init", "my machine")
        self.assertEqual((status, err), (0, ""))
        with open(self.path("my machine.toml")) as f:
            text = f.read()
        self.refused(1, "init: cannot write 'my machine.toml': File exists", "init", "my machine")
        self.refused(2, "init: give one name", "init", "a", "b")
        for name in ("a/b", "", "-x", "..", "a\nb", "it's", 63 * "x" + "y", b"\xff"):
            self.refused(2, "init: give one name", "init", *(["--"] if name == "-x" else []), name)
        self.assertIn("then: hesper run 'my machine.toml'\n", out)
        self.assertIn("# A virtual machine: hesper run 'my machine.toml'\n", text)
        self.assertIn("then: hesper run plain.toml\n", self.hesper("init", "plain.toml")[1])
        # All that it proposes is right, on a machine that has it.
        os.mkdir(self.path("machines"))
        for name in ("my machine.img", "installer.iso"):
            self.make("machines/" + name, "x")
        os.mkdir(self.path("shared"))
        os.mkdir(self.path(".ssh"))
        self.make(".ssh/id_ed25519.pub", "ssh-ed25519 AAAA x\n")
        every = re.sub(r"(?m)^# (?=[a-z-]+ = )", "", text).replace('"2222:22"', '"0.0.0.0:42222:22"').replace('"window"', '"none"')
        code = self.make("OVMF_CODE.fd", "")
        self.make("OVMF_VARS.fd", "")
        status, err = self.file(every.replace('"uefi"', f"'{code}'"))
        self.assertEqual(status, 0, err)
        self.assertEqual(self.values(self.argv(), "-name"), ["guest=my machine"])
        self.assertEqual(self.argv()[-2:], ["-device", "virtio-balloon-pci"])

    def test_nothing_is_made_in_vain(self):
        for disk in ("d,size=0", "d,size=-1", "d,size=", "d,size=99999999999G", "d,size=1M,readonly"):
            self.refused(2, "run: --disk is FILE, FILE,readonly or FILE,size=SIZE with a size like 20G, not '" + disk, "run", "--disk", disk)
        self.refused(1, "no QEMU", "run", "--qemu", "nowhere", "--disk", "d,size=1M")
        os.mkdir(self.path("folder"))
        for picture, why in (("", "No such file"), ("none/x.png", "No such file"), ("folder", "Is a directory")):
            status, _, err = self.run_machine("--disk", "d,size=1M", "--screenshot", picture)
            self.assertEqual(status, 1)
            self.assertIn(f"run: --screenshot: cannot write '{picture}': {why}", err)
        self.assertFalse(os.path.exists(self.path("d")))

    def test_what_cannot_be_traced(self):
        self.refused(1, "trace: 'nowhere' does not answer: No such file", "trace", "--control", "nowhere")
        self.refused(2, "trace: --only: no Vulkan command's name matches 'glDraw'", "trace", "--only", "glDraw", "--", "true")
        for command in ("trace", "vtest"):
            self.refused(2, f"{command}: '--' needs a program behind it", command, "--")

    def test_a_kernel(self):
        argv = self.told("--kernel", self.kernel, "--initrd", self.kernel, "--append", "quiet a=\"b c\"")
        self.assertEqual(self.values(argv, "-kernel"), [self.kernel])
        self.assertEqual(self.values(argv, "-initrd"), [self.kernel])
        self.assertEqual(self.values(argv, "-append"), [f"console={CONSOLE} quiet a=\"b c\""])
        self.assertEqual(self.values(argv, "-machine"), ["q35" if X86 else "virt", "memory-backend=hesper-mem"])
        self.assertEqual(self.values(argv, "-smp"), ["2"])
        self.assertEqual(self.values(argv, "-m"), ["2048M"])
        self.assertEqual(self.values(argv, "-serial"), ["stdio"])
        self.assertEqual(self.values(argv, "-netdev"), ["user,id=net0"])
        self.assertIn("exit-with-parent=on", self.values(argv, "-run-with"))
        self.assertIn("-nodefaults", argv)

    def test_memory_is_shared(self):
        argv = self.told("--kernel", self.kernel, "--memory", "3G", "--cpus", "16")
        self.assertEqual(self.values(argv, "-m"), ["3072M"])
        self.assertEqual(self.values(argv, "-smp"), ["16"])
        backend = "memfd" if sys.platform == "linux" else "shm"
        self.assertIn(f"memory-backend-{backend},id=hesper-mem,size=3072M,share=on", self.values(argv, "-object"))
        argv = self.told("--kernel", self.kernel, "--host-profile=portable")
        self.assertIn("memory-backend-shm,id=hesper-mem,size=2048M,share=on", self.values(argv, "-object"))

    def test_disks(self):
        raw, qcow2 = self.make("a,b.raw", "x" * 512), self.make("c", b"QFI\xfb" + bytes(508))
        argv = self.told("--disk", raw, "--disk", qcow2 + ",readonly", "--cdrom", raw)
        doubled = raw.replace(",", ",,")
        self.assertEqual(
            self.values(argv, "-drive")[-3:],
            [
                f"if=virtio,format=raw,file={doubled}",
                f"if=virtio,format=qcow2,file={qcow2},readonly=on",
                f"if=none,id=cd0,media=cdrom,readonly=on,format=raw,file={doubled}",
            ],
        )
        self.assertIn("scsi-cd,drive=cd0", self.values(argv, "-device"))

    def publish(self, files):
        """A server of these files, {path: bytes}; its address, and what it was asked: [(path, range)]."""
        asked = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                data, part = files.get(self.path), self.headers.get("Range")
                asked.append((self.path, part))
                start = int(part[6:].partition("-")[0]) if part else 0
                self.send_response(404 if data is None else 206 if part else 200)
                if data is not None:
                    self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{len(data)}")
                    self.send_header("Content-Length", str(len(data) - start))
                self.end_headers()
                self.wfile.write((data or b"")[start:])

            def log_message(self, *_):
                pass

        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.addCleanup(server.server_close)
        self.addCleanup(server.shutdown)
        return f"http://127.0.0.1:{server.server_port}", asked

    @unittest.skipUnless(shutil.which("curl") and shutil.which("sha256sum"), "no curl, no sha256sum")
    def test_an_installers_image_from_far_away(self):
        image = os.urandom(100000)
        files = {"/a/in st.iso": image, "/a/SHA256SUMS": b"0" * 64 + b"  other.iso\n" + hashlib.sha256(image).hexdigest().encode() + b" *./in st.iso\n",
                 "/b/i.iso": image, "/b/SHA256SUMS": b"0" * 64 + b"  i.iso\n", "/c/i.iso": image}
        files = {path.replace(" ", "%20"): data for path, data in files.items()}
        files["/a/SHA256SUMS"] = files["/a/SHA256SUMS"].replace(b"in st", b"in%20st")
        address, asked = self.publish(files)
        code = self.make("OVMF.fd", "")
        env = {"XDG_CACHE_HOME": self.path("cache"), "no_proxy": "*"}

        def run(url):
            status, _, err = self.run_machine("--iso", url, "--firmware", code, **env)
            return status, err

        def drive():
            (value,) = [v for v in self.values(self.argv(), "-drive") if "cd0" in v]
            return value.partition("file=")[2]

        url = address + "/a/in%20st.iso"
        status, err = run(url)
        self.assertEqual((status, err), (0, f"hesper: fetching {url}\n"))
        with open(drive(), "rb") as f:
            self.assertEqual(f.read(), image)
        self.assertTrue(drive().startswith(self.path("cache/hesper/")))
        # It is kept.
        count = len(asked)
        self.assertEqual((run(url), len(asked)), ((0, ""), count))
        # What has come before is not fetched again.
        os.rename(drive(), drive() + ".part")
        os.truncate(drive() + ".part", 60000)
        self.assertEqual(run(url)[0], 0)
        self.assertIn(("/a/in%20st.iso", "bytes=60000-"), asked)
        with open(drive(), "rb") as f:
            self.assertEqual(f.read(), image)
        # Another file than its publisher's is thrown away; one that nobody knows is taken.
        status, err = run(address + "/b/i.iso")
        self.assertEqual(status, 1)
        self.assertRegex(err.split("\n")[1], "^hesper: error: run: --iso: what came is not what the SHA256SUMS .* say")
        self.assertEqual(len(os.listdir(self.path("cache/hesper"))), 1)
        status, err = run(address + "/c/i.iso")
        self.assertEqual(status, 0)
        self.assertRegex(err.split("\n")[1], "^hesper: warning: run: --iso: there is no SHA256SUMS")
        status, err = run(address + "/d/i.iso")
        self.assertEqual(status, 1)
        self.assertRegex(err, "hesper: error: run: --iso: .* could not be fetched whole")
        self.assertRegex(run(address + "/")[1], "does not end in a file's name")

    def test_an_installers_image_is_a_drive(self):
        iso, code = self.make("i.iso", "x"), self.make("OVMF.fd", "")
        self.refused(2, "--iso and --cdrom are one drive", "run", "--iso", iso, "--cdrom", iso)
        argv = self.told("--iso", iso, "--firmware", code)
        self.assertIn(f"if=none,id=cd0,media=cdrom,readonly=on,format=raw,file={iso}", self.values(argv, "-drive"))

    def test_a_disk_that_another_machine_has(self):
        disk = self.make("disk", "x")
        for byte in (101, 201):  # as QEMU does
            with open(disk, "r+b") as f:
                fcntl.lockf(f, fcntl.LOCK_SH, 1, byte)
                status, _, err = self.run_machine("--disk", disk)
                self.assertEqual((status, err), (1, f"hesper: error: run: --disk: '{disk}' is in use: another machine writes to it\n"))
                status, _, err = self.run_machine("--disk", disk + ",readonly")
                self.assertEqual(status, int(byte == 101))
        self.told("--disk", disk)

    def test_an_empty_disk_is_made(self):
        disk = self.path("new, one.img")
        argv = self.told("--disk", disk + ",size=3G")
        self.assertIn(f"if=virtio,format=raw,file={disk.replace(',', ',,')}", self.values(argv, "-drive"))
        self.assertEqual((os.path.getsize(disk), os.stat(disk).st_blocks), (3 << 30, 0))
        os.truncate(disk, 512)
        self.told("--disk", disk + ",size=3G")
        self.assertEqual(os.path.getsize(disk), 512)  # it was there
        status, _, err = self.run_machine("--disk", self.path("none/d,size=1G"))
        self.assertEqual(status, 1)
        self.assertRegex(err, "^hesper: error: run: --disk: cannot make '.*none/d': No such file")

    def test_network_console_and_the_rest(self):
        argv = self.told("--kernel", self.kernel, "--net", "user,hostfwd=tcp::2222-:22", "--serial", "none")
        self.assertEqual(self.values(argv, "-netdev"), ["user,id=net0,hostfwd=tcp::2222-:22"])
        self.assertEqual(self.values(argv, "-serial"), ["none"])
        argv = self.told("--kernel", self.kernel, "--net", "none", "--", "-name", "a b", "--disk")
        self.assertNotIn("-netdev", argv)
        self.assertEqual(argv[-3:], ["-name", "a b", "--disk"])

    def credentials(self, *options, **env):
        """What a guest is handed: {name: text}."""
        prefix = "name=opt/io.systemd.credentials/"
        found = [v for v in self.values(self.told("--kernel", self.kernel, *options, **env), "-fw_cfg")]
        self.assertTrue(all(v.startswith(prefix) for v in found))
        pairs = [v[len(prefix):].split(",string=", 1) for v in found]
        return {name: text.replace(",,", ",") for name, text in pairs}

    def test_a_guest_draws_opengl_by_vulkan(self):
        """The files that docs/desktop.md has a person write, for systemd-tmpfiles."""
        lines = self.credentials("--guest-gl", "zink")["tmpfiles.extra"].splitlines()
        texts = {l.split()[1]: l.split(None, 6)[6] for l in lines if l.startswith("f ")}
        links = {l.split()[1]: l.split()[6] for l in lines if l.startswith("L ")}
        self.assertEqual(len(texts) + len(links), len(lines))
        root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
        for place, example in (("/etc/drirc", "drirc"), ("/etc/X11/xorg.conf.d/10-hesper.conf", "xorg.conf")):
            with open(os.path.join(root, "tests/vm/guest", example)) as f:
                expected = re.sub(r"(?s)<!--.*?-->|#[^\n]*", "", f.read())
            given = texts[links[place]].replace("\\n", "\n")
            self.assertEqual(re.sub(r"\s", "", given), re.sub(r"\s", "", expected))
        self.assertEqual(self.credentials("--guest-gl", "off"), {})
        self.assertEqual(self.credentials(), {})  # --no-venus: there is no Vulkan to draw by

    def test_a_key_for_ssh(self):
        key = self.make("key.pub", "ssh-ed25519 AAAA a, b\nssh-rsa BBBB c\n")
        self.assertEqual(self.credentials("--ssh-key", key), {"ssh.authorized_keys.root": "ssh-ed25519 AAAA a, b\nssh-rsa BBBB c\n"})

    def test_forwarded_ports(self):
        with socket.socket() as taken, socket.socket() as free:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            free.bind(("127.0.0.1", 0))
            busy, port = taken.getsockname()[1], free.getsockname()[1]
            free.close()
            argv = self.told("--kernel", self.kernel, "--net", "user,restrict=on", "--forward", f"{port}:22", "--forward", f"0.0.0.0:{port}:80")
            self.assertEqual(self.values(argv, "-netdev"), [f"user,id=net0,restrict=on,hostfwd=tcp:127.0.0.1:{port}-:22,hostfwd=tcp:0.0.0.0:{port}-:80"])
            status, _, err = self.run_machine("--kernel", self.kernel, "--forward", f"{busy}:22")
            self.assertEqual(status, 1)
            self.assertRegex(err, f"^hesper: error: run: --forward: port {busy} of 127.0.0.1 cannot be had: .*in use\n$")

    def without_virtiofsd(self):
        """A PATH that has none, or a skip where the machine's own would be found."""
        for place in ("/usr/libexec", "/usr/lib"):
            if os.path.exists(place + "/virtiofsd"):
                self.skipTest("this machine has virtiofsd")
        return {"PATH": "/usr/bin:/bin"}

    def test_a_folder_without_virtiofsd(self):
        env = self.without_virtiofsd()
        os.mkdir(self.path("my, files"))
        os.mkdir(self.path("a:b"))
        argv = self.told("--kernel", self.kernel, "--share", "my, files", "--share", "a:b:two", **env)
        doubled = self.path("my, files").replace(",", ",,")
        self.assertEqual(self.values(argv, "-fsdev"), [
            f"local,id=hesper-share0,security_model=none,path={doubled}", f"local,id=hesper-share1,security_model=none,path={self.path('a:b')}"])
        self.assertIn("virtio-9p-pci,fsdev=hesper-share0,mount_tag=my--files", self.values(argv, "-device"))
        self.assertEqual(self.credentials("--share", "my, files", **env), {
            "fstab.extra": "my--files /mnt/my--files 9p nofail,trans=virtio,msize=1048576 0 0\n"})

    def test_a_folder_by_virtiofsd(self):
        os.mkdir(self.path("bin"))
        server = self.make("bin/virtiofsd", f"""#!{sys.executable}
import socket, sys
if "--help" in sys.argv:
    sys.exit(print("--shared-dir, --translate-uid"))
print(*sys.argv[1:], file=open("server", "w"))
link, _ = socket.socket(fileno=3).accept()
link.recv(1)
""")
        os.chmod(server, 0o755)
        folders = set(os.listdir(tempfile.gettempdir()))
        argv = self.told("--kernel", self.kernel, "--share", "bin:tools", PATH=self.path("bin") + ":" + os.environ["PATH"],
                         DOES="[ -S /dev/fd/64 ] || exit 9; until [ -s server ]; do sleep 0.02; done")
        self.assertIn("socket,id=hesper-share0,fd=64", self.values(argv, "-chardev"))
        self.assertIn("vhost-user-fs-pci,chardev=hesper-share0,tag=tools", self.values(argv, "-device"))
        with open(self.path("server")) as f:
            told = f.read().split()
        self.assertEqual(told[:3], ["--fd=3", "--shared-dir=" + self.path("bin"), "--log-level=error"])
        ids = [] if os.geteuid() == 0 else [f"--translate-uid=squash-guest:0:{os.geteuid()}:4294967295", f"--translate-gid=squash-guest:0:{os.getegid()}:4294967295"]
        self.assertEqual(told[3:], ids)
        self.assertFalse([name for name in set(os.listdir(tempfile.gettempdir())) - folders if re.fullmatch("hesper-......", name) and
                          os.path.exists(os.path.join(tempfile.gettempdir(), name, "share"))])

    def test_a_virtiofsd_with_other_options_is_passed_over(self):
        env = self.without_virtiofsd()
        os.mkdir(self.path("bin"))
        os.chmod(self.make("bin/virtiofsd", "#!/bin/sh\necho '-o source=<path>'\n"), 0o755)
        argv = self.told("--kernel", self.kernel, "--share", "bin", PATH=self.path("bin") + ":" + env["PATH"])
        self.assertIn("virtio-9p-pci,fsdev=hesper-share0,mount_tag=bin", self.values(argv, "-device"))

    def test_a_folder_is_lost(self):
        os.mkdir(self.path("bin"))
        os.chmod(self.make("bin/virtiofsd", "#!/bin/sh\n[ $1 != --help ] || exec echo --shared-dir\nexit 3\n"), 0o755)
        _, _, err = self.run_machine("--kernel", self.kernel, "--share", "bin", PATH=self.path("bin") + ":" + os.environ["PATH"], DOES="sleep 1")
        self.assertEqual(err, f"hesper: error: the guest has lost the folder '{self.path('bin')}': virtiofsd has ended\n")

    def test_sound(self):
        def drivers(*options, **env):
            argv = self.told("--kernel", self.kernel, *options, **env)
            (card,) = [v for v in self.values(argv, "-device") if "virtio-sound" in v]
            only_out = ",streams=1" if "wav" in options[0] else ""
            self.assertEqual(card, "virtio-sound-pci,audiodev=hesper-sound" + only_out)
            return self.values(argv, "-audiodev")

        self.assertEqual(drivers("--sound=wav,path=a.wav"), ["wav,id=hesper-sound,path=a.wav"])
        self.assertEqual(drivers("--sound=none"), ["none,id=hesper-sound"])
        with socket.socket(socket.AF_UNIX) as pipewire:
            pipewire.bind(self.path("pipewire-0"))
            host = {"XDG_RUNTIME_DIR": self.folder, "PIPEWIRE_RUNTIME_DIR": self.folder}
            if sys.platform == "linux":
                self.assertEqual(drivers("--sound", AUDIO="pa pipewire", **host), ["pipewire,id=hesper-sound"])
                self.assertEqual(drivers("--sound", AUDIO="pa", PULSE_SERVER="x", **host), ["pa,id=hesper-sound"])
                if not os.path.exists("/dev/snd/controlC0"):
                    status, _, err = self.run_machine("--kernel", self.kernel, "--sound", **host)
                    self.assertEqual(status, 0)
                    self.assertRegex(err, "^hesper: warning: the guest's sound is not heard: this QEMU has no driver for PipeWire.*\n$")
        status, _, err = self.run_machine("--kernel", self.kernel, "--sound=jack")
        self.assertEqual(status, 1)
        self.assertRegex(err, "^hesper: error: run: --sound: this QEMU has no audio driver 'jack'; Available audio drivers: none wav *\n$")

    def test_a_shared_clipboard(self):
        """The port of the guest's agent; and what its other end says first, that it can copy on demand."""
        heard = f"{sys.executable} -c 'import socket; open(\"heard\", \"w\").write(socket.socket(fileno=63).recv(36).hex())'"
        argv = self.told("--kernel", self.kernel, "--clipboard", DOES=heard)
        devices = self.values(argv, "-device")
        self.assertIn("socket,id=hesper-agent,fd=63", self.values(argv, "-chardev"))
        at = devices.index("virtio-serial-pci,id=hesper-serial")
        self.assertEqual(devices[at + 1], "virtserialport,bus=hesper-serial.0,chardev=hesper-agent,name=com.redhat.spice.0")
        with open(self.path("heard")) as f:
            self.assertEqual(f.read(), "01000000" "1c000000" "01000000" "06000000" + "00" * 8 + "08000000" "01000000" "62040000")
        self.assertNotIn("hesper-agent", " ".join(self.told("--kernel", self.kernel)))

    def test_usb_devices(self):
        status, _, err = self.run_machine("--kernel", self.kernel, "--usb", "046d:C52B", "--usb", "ffff:fffe")
        self.assertEqual(status, 0, err)
        devices = self.values(self.argv(), "-device")
        at = devices.index("qemu-xhci,id=hesper-usb")
        self.assertEqual(devices[at + 1:at + 3], [f"usb-host,bus=hesper-usb.0,vendorid=0x{v},productid=0x{p}" for v, p in (("046d", "c52b"), ("ffff", "fffe"))])

    def test_firmware(self):
        code, bios = self.make("OVMF_CODE.fd", ""), self.make("bios.bin", "")
        self.make("OVMF_VARS.fd", "")
        argv = self.told("--kernel", self.kernel, "--firmware", code)
        self.assertIn(f"if=pflash,unit=0,format=raw,readonly=on,file={code}", self.values(argv, "-drive"))
        argv = self.told("--kernel", self.kernel, "--firmware", bios)
        self.assertEqual(self.values(argv, "-bios"), [bios])

    def flash(self, *options):
        argv = self.told(*options)
        return [v for v in self.values(argv, "-drive") if "pflash,unit=1" in v]

    def test_a_machine_keeps_its_boot_entries(self):
        """Beside its first disk that may be written; as the firmware has them in the beginning."""
        code, disk, other = self.make("OVMF_CODE_4M.fd", ""), self.make("disk,1", "x"), self.make("other", "x")
        self.make("OVMF_VARS_4M.fd", b"variables" * 10000)
        options = ["--firmware", code, "--disk", other + ",readonly", "--disk", disk]
        store = disk + ".efivars.fd"
        self.assertEqual(self.flash(*options), [f"if=pflash,unit=1,format=raw,file={store.replace(',', ',,')}"])
        with open(store, "r+b") as f:
            self.assertEqual(f.read(), b"variables" * 10000)
            f.seek(0)
            f.write(b"installed")
        self.flash(*options)
        with open(store, "rb") as f:
            self.assertEqual(f.read(9), b"installed")
        self.assertFalse([name for name in os.listdir(self.folder) if ".part" in name])
        # Nothing to keep them beside: they are the machine's while it runs.
        template = self.path("OVMF_VARS_4M.fd")
        for options in (["--kernel", self.kernel], ["--disk", other + ",readonly"]):
            self.assertEqual(self.flash("--firmware", code, *options), [f"if=pflash,unit=1,format=raw,snapshot=on,file={template}"])
        self.assertFalse(os.path.exists(other + ".efivars.fd"))

    def test_firmware_without_variables_says_so(self):
        code = self.make("EFI_CODE.fd", "")
        status, _, err = self.run_machine("--kernel", self.kernel, "--firmware", code)
        self.assertEqual(status, 0)
        self.assertRegex(err, "^hesper: warning: boot entries are lost when the machine ends.*\n$")

    @unittest.skipIf(os.getuid() == 0, "root may write anywhere")
    def test_boot_entries_that_cannot_be_kept(self):
        code, disk = self.make("OVMF_CODE.fd", ""), self.make("disk", "x")
        self.make("OVMF_VARS.fd", "x")
        os.chmod(self.make("disk.efivars.fd", "x"), 0o400)
        status, _, err = self.run_machine("--disk", disk, "--firmware", code)
        self.assertEqual(status, 1)
        self.assertRegex(err, "^hesper: error: --firmware: cannot write")
        os.remove(self.path("disk.efivars.fd"))
        os.chmod(self.folder, 0o500)
        status, _, err = self.run_machine("--disk", disk, "--firmware", code)
        os.chmod(self.folder, 0o700)
        self.assertEqual(status, 1)
        self.assertRegex(err, "^hesper: error: --firmware: cannot make .*, where the machine's boot entries are kept")

    def test_names(self):
        """That of the file that it boots from, or what its person says."""
        disk = self.make("a debian.13.qcow2", "x")
        for name, options in (
            ("vmlinuz", ["--kernel", self.kernel]), ("a debian.13", ["--disk", disk]),
            ("my,, own", ["--disk", disk, "--name", "my, own"]), ("ä" * 31, ["--kernel", self.kernel, "--name", "ä" * 40]),
        ):
            self.assertEqual(self.values(self.told(*options), "-name"), ["guest=" + name])

    def test_who_sees_nothing_is_told(self):
        env = {name: value for name, value in os.environ.items() if name not in ("DISPLAY", "WAYLAND_DISPLAY")}
        for options, told in (([], sys.platform == "linux"), (["--display", "none"], False)):
            got = subprocess.run(
                [HESPER, "run", "--no-venus", "--qemu", self.qemu, "--placer", PLACER, "--kernel", self.kernel, *options],
                cwd=self.folder, env=env, capture_output=True, text=True, timeout=120,
            )
            self.assertEqual(got.returncode, 0, got.stderr)
            self.assertEqual("nobody sees the guest's screen: --display window, vnc" in got.stderr, told, got.stderr)

    def test_accelerator(self):
        self.assertEqual(self.values(self.told("--kernel", self.kernel, "--accel", "tcg"), "-accel"), ["tcg,thread=multi"])
        argv = self.told("--kernel", self.kernel, "--accel", "kvm")
        self.assertEqual((self.values(argv, "-accel"), self.values(argv, "-cpu")), (["kvm"], ["host"]))
        chosen = self.values(self.told("--kernel", self.kernel), "-accel")[0]
        if not os.access("/dev/kvm", os.R_OK | os.W_OK) and sys.platform == "linux":
            self.assertEqual(chosen, "tcg,thread=multi")

    def test_the_gpu_needs_no_file(self):
        argv = self.told("--kernel", self.kernel, DOES="[ -S /dev/fd/60 ] && [ -S /dev/fd/61 ] || exit 9")
        self.assertIn("socket,id=hesper-gpu,fd=60", self.values(argv, "-chardev"))
        self.assertEqual(self.values(argv, "-plugin"), [f"{PLACER},fd=61,version=7"])
        device = [d for d in self.values(argv, "-device") if "virtio-id=16" in d]
        self.assertEqual(len(device), 1)
        self.assertIn("chardev=hesper-gpu", device[0])

    def test_input_devices(self):
        def devices(*options, **env):
            argv = self.told("--kernel", self.kernel, *options, **env)
            found = [d for d in self.values(argv, "-device") if "virtio-id=18" in d]
            chardevs = [c for c in self.values(argv, "-chardev") if all(name not in c for name in ("hesper-gpu", "hesper-monitor", "hesper-guest-agent"))]
            self.assertEqual(len(found), len(chardevs))
            for device, chardev in zip(found, chardevs):
                self.assertIn("chardev=" + chardev.split(",")[1].replace("id=", "") + ",", device)
                self.assertIn("config_size=136", device)
            return [c.split("hesper-")[1] for c in chardevs]

        self.assertEqual(devices(DOES="[ -S /dev/fd/48 ] && [ -S /dev/fd/49 ] && [ -S /dev/fd/51 ] || exit 9"), ["keyboard,fd=48", "pointer,fd=49", "mouse,fd=51"])
        self.assertEqual(devices("--input", "none"), [])
        self.assertEqual(devices("--input", "touch,keyboard", DOES="[ -S /dev/fd/50 ] || exit 9"), ["keyboard,fd=48", "touch,fd=50"])
        self.assertEqual(devices("--input", "mouse,pad,pad4", DOES="[ -S /dev/fd/52 ] || exit 9"), ["mouse,fd=51", "pad,fd=52", "pad4,fd=55"])

    @unittest.skipUnless(X86, "QEMU's own firmware of other machines is none")
    def test_a_bios_is_told_to_speak_on_the_serial_console(self):
        """It cannot be seen on our screen. What is started otherwise needs no such help."""
        disk, firmware = self.path("bios.img"), self.path("bios.fd")
        for file in (disk, firmware):
            open(file, "wb").close()
        told = lambda *options: self.values(self.told(*options), "-machine")[0]  # noqa: E731
        self.assertEqual(told("--disk", disk), "q35,graphics=off")
        self.assertEqual(told("--disk", disk, "--firmware", firmware), "q35")
        self.assertEqual(told("--disk", disk, "--kernel", self.kernel), "q35")

    def test_qemu_gets_the_limits_that_hesper_got(self):
        limit = subprocess.run("ulimit -n", shell=True, capture_output=True, text=True).stdout.strip()
        status, out, _ = self.run_machine("--kernel", self.kernel, DOES="ulimit -n")
        self.assertEqual((status, out.strip()), (0, limit))

    def test_a_guest_of_another_architecture(self):
        """The name of QEMU's program says what it is, wherever it lies."""
        for program, machine, console in (
            ("qemu-system-x86_64", "q35", "ttyS0"), ("qemu-system-aarch64", "virt", "ttyAMA0"),
            ("my-qemu-system-aarch64-11.2", "virt", "ttyAMA0"), ("qemu-kvm", "q35" if X86 else "virt", CONSOLE),
        ):
            qemu = self.make(program, FAKE_QEMU)
            os.chmod(qemu, 0o755)
            process = self.start("run", "--no-venus", "--qemu", qemu, "--placer", PLACER, "--kernel", self.kernel, "--display", "none")
            _, err = process.communicate(timeout=120)
            self.assertEqual(process.returncode, 0, err)
            argv = self.argv()
            self.assertEqual(self.values(argv, "-machine")[0], machine)
            self.assertEqual(self.values(argv, "-append"), [f"console={console} "])
            if (machine == "q35") != X86:
                self.assertEqual((self.values(argv, "-accel"), self.values(argv, "-cpu")), (["tcg,thread=multi"], ["max"]))
                self.assertRegex(err, "^hesper: warning: .*is emulated.*of another kind.*\n$")

    # --- which QEMU ----------------------------------------------------------------------------------

    def run_refused(self, status, what, *argv, **env):
        self.refused(status, what, "run", "--no-venus", *argv, **env)

    def test_versions_of_qemu(self):
        with_qemu = ["--qemu", self.qemu, "--placer", "none", "--kernel", self.kernel]
        for version in ("7.2.22", "10.0.2", "11.0.91"):  # the last: without the placer
            says = f"QEMU emulator version {version} (Debian 1:{version}+ds-1)"
            self.run_refused(1, "too old.*" + version.rpartition(".")[0], *with_qemu, SAYS=says)
        for version in ("11.1.0", "11.2.50", "12.0.0"):
            self.told("--kernel", self.kernel, SAYS=f"QEMU emulator version {version}")
            os.remove(self.path("argv"))
        self.run_refused(1, "no QEMU that works: GNU", *with_qemu, SAYS="GNU sed 4.9")
        self.run_refused(1, "no QEMU that works: it does not say", *with_qemu, SAYS="")
        self.run_refused(1, "no QEMU that works", *with_qemu, VERSION_STATUS="127")

    def test_no_qemu(self):
        self.run_refused(1, "there is no '/nowhere/qemu'; install", "--qemu", "/nowhere/qemu", "--kernel", self.kernel)
        if not os.path.exists(os.path.join(os.path.dirname(HESPER), "vm/qemu")):  # else that is taken
            self.run_refused(1, "there is no 'qemu-system-.* in PATH; install", "--kernel", self.kernel, PATH=self.folder)
        self.run_refused(1, f"cannot run '{self.kernel}'", "--qemu", self.kernel, "--kernel", self.kernel)

    def test_the_qemu_of_the_build_folder(self):
        """Where PATH has none, or one that is too old."""
        global HESPER
        usual = HESPER
        self.addCleanup(lambda: globals().update(HESPER=usual))
        HESPER = self.path("hesper")
        shutil.copy(usual, HESPER)
        os.makedirs(self.path("vm/qemu"))
        name = "qemu-system-" + ("x86_64" if X86 else "aarch64")
        shutil.copy(self.qemu, self.path("vm/qemu/" + name))
        os.mkdir(self.path("bin"))
        for old in (False, True):
            if old:
                with open(self.path("bin/" + name), "w") as f:
                    f.write("#!/bin/sh\necho QEMU emulator version 7.2.0")
                os.chmod(self.path("bin/" + name), 0o755)
            status, _, err = self.hesper(
                "run", "--no-venus", "--placer", PLACER, "--kernel", self.kernel, PATH=self.path("bin") + ":" + os.environ["PATH"]
            )
            self.assertEqual((status, err), (0, ""))
            os.remove(self.path("argv"))

    def test_the_plugin_claims_what_qemu_wants(self):
        says = "qemu: Could not load plugin p: plugin requires API version 0, but this QEMU supports only a minimum version of 12"
        self.assertEqual(self.values(self.told("--kernel", self.kernel, PLUGINS=says), "-plugin"), [f"{PLACER},fd=61,version=12"])

    def test_a_qemu_without_plugins_gets_the_placer_preloaded(self):
        with open(PLACER, "rb") as f:
            if re.search(rb"__[at]san_init", f.read()):
                self.skipTest("a sanitizer cannot be preloaded")
        argv = self.told("--kernel", self.kernel, PLUGINS="qemu: -plugin: invalid option")
        self.assertNotIn("-plugin", argv)
        with open(self.path("environment")) as f:
            environment = f.read().splitlines()
        self.assertIn("LD_PRELOAD=" + PLACER, environment)
        self.assertIn("HESPER_PLACER_FD=61", environment)

    def test_the_placer(self):
        rest = ["--qemu", self.qemu, "--kernel", self.kernel]
        self.run_refused(1, "--placer: cannot read '/nowhere'", "--placer", "/nowhere", *rest)
        says = "qemu: Could not load plugin p: invalid ELF header"
        self.run_refused(1, "does not load the placer .*invalid ELF.*--placer none", "--placer", PLACER, *rest, PLUGINS=says)
        status, _, _ = self.hesper("run", "--no-venus", "--placer", "none", *rest)
        self.assertEqual(status, 0)
        self.assertNotIn("-plugin", self.argv())

    # --- the end -------------------------------------------------------------------------------------

    def test_the_exit_status_is_qemus(self):
        for does, status in (("true", 0), ("exit 1", 1), ("exit 7", 7), ("kill -9 $$", 128 + 9), ("kill -6 $$", 128 + 6)):
            got, _, err = self.run_machine("--kernel", self.kernel, DOES=does)
            self.assertEqual(got, status)
            self.assertEqual(err.count("\n"), 1 if status > 128 else 0, err)

    def test_signals_end_qemu_first(self):
        waits = "trap 'echo told >ended; exit 0' TERM; echo >started; while :; do sleep 0.05; done"
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            process = self.start("run", "--no-venus", "--qemu", self.qemu, "--placer", PLACER, "--kernel", self.kernel, DOES=waits)
            self.await_file("started")
            process.send_signal(number)
            process.communicate(timeout=60)
            self.assertEqual(process.returncode, 128 + number)
            self.await_file("ended")
            for name in ("started", "ended"):
                os.remove(self.path(name))

    def start_with_a_monitor(self, what, *options, **env):
        self.make("monitor.py", MONITOR)
        before = self.told_monitor().count("qmp_capabilities")
        process = self.start(
            "run", "--no-venus", "--qemu", self.qemu, "--placer", PLACER, "--kernel", self.kernel, "--display", "none", *options,
            DOES=f"exec {sys.executable} monitor.py {what}", **env,
        )
        self.addCleanup(process.kill)
        self.await_told("qmp_capabilities", before + 1)
        return process

    def await_told(self, word, times):
        deadline = time.monotonic() + 60
        while self.told_monitor().count(word) < times:
            self.assertLess(time.monotonic(), deadline, f"{word} was not told {times} times")
            time.sleep(0.02)

    def told_monitor(self):
        try:
            with open(self.path("monitor")) as f:
                return f.read().split()
        except FileNotFoundError:
            return []

    def test_ctrl_c_presses_the_power_button(self):
        process = self.start_with_a_monitor("obeys")
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 0, err)
        self.assertIn("power button was pressed; waiting", err)

    def test_the_second_ctrl_c_says_what_the_third_does(self):
        process = self.start_with_a_monitor("does-not-obey")
        for times in (1, 2):
            process.send_signal(signal.SIGINT)
            self.await_told("system_powerdown", times)
            self.assertIsNone(process.poll())
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 128 + signal.SIGINT, err)
        self.assertRegex(err, "pressed again; Ctrl-C once more cuts its power, and what it has not saved is lost")

    def test_a_terminal_that_goes_presses_the_power_button(self):
        process = self.start_with_a_monitor("obeys")
        process.send_signal(signal.SIGHUP)
        process.communicate(timeout=60)
        self.assertEqual(process.returncode, 128 + signal.SIGHUP)
        self.assertIn("system_powerdown", self.told_monitor())

    def test_qemu_does_not_hear_the_terminals_signals(self):
        self.make("qemu", f"""#!{sys.executable}
import signal, sys
if sys.argv[1:] == ["--version"]:
    print("QEMU emulator version 11.1.3")
elif "version=0" in " ".join(sys.argv):
    sys.exit("this QEMU supports only a minimum version of 7")
else:
    print(*sorted(int(s) for s in signal.pthread_sigmask(signal.SIG_BLOCK, [])))
""")
        status, out, err = self.run_machine("--kernel", self.kernel)
        self.assertEqual((status, out), (0, "1 2 3\n"), err)

    def test_a_full_disk_is_said_and_tried_again(self):
        process = self.start_with_a_monitor("full")
        self.await_told("cont", 1)
        process.terminate()
        _, err = process.communicate(timeout=60)
        self.assertRegex(err, "the machine stands still, as its disk cannot be written: No space left on device")

    # --- machines that run -----------------------------------------------------------------------------

    def machines(self, env):
        """[(name, process, state)]"""
        status, out, err = self.hesper("list", **env)
        self.assertEqual((status, err), (0, ""))
        lines = [line.split() for line in out.splitlines()]
        self.assertEqual(lines[0][:3], ["NAME", "PID", "STATE"])
        return [(name, int(pid), state) for name, pid, state, *_ in lines[1:]]

    def order(self, *argv, **env):
        status, out, err = self.hesper(*argv, **env)
        self.assertEqual((status, out, err), (0, "", ""), argv)

    def test_machines_are_paused_and_resumed_by_name(self):
        env = {"XDG_RUNTIME_DIR": self.folder}
        self.assertEqual(self.machines(env), [])
        self.refused(1, "pause: no virtual machine of 'hesper run' was found; --control PATH says", "pause", **env)
        one = self.start_with_a_monitor("obeys", "--name", "one", **env)
        self.assertEqual(self.machines(env), [("one", one.pid, "running")])
        self.order("pause", **env)
        self.assertEqual(self.machines(env), [("one", one.pid, "paused")])
        self.assertEqual(self.told_monitor()[-1], "stop")
        self.order("resume", "one", **env)
        self.assertEqual(self.machines(env), [("one", one.pid, "running")])
        self.assertEqual(self.told_monitor()[-1], "cont")
        self.order("pause", str(one.pid), **env)
        self.order("stop", "one", **env)  # a paused guest would not hear its power button
        self.assertEqual(self.told_monitor()[-2:], ["cont", "system_powerdown"])
        one.communicate(timeout=60)
        self.assertEqual(one.returncode, 0)
        self.assertEqual(self.machines(env), [])

    def test_a_recorder_joins_a_machine_and_leaves_it(self):
        env = {"XDG_RUNTIME_DIR": self.folder}
        for argv, what in ((["a.avi"], "FILE.mp4 or FILE.webm"), (["--rate", "0", "a.mp4"], "--rate is a number from 1 to 240"), ([], "say one file")):
            self.refused(2, what, "record-screen", *argv, **env)
        if not os.path.exists(os.path.join(os.path.dirname(HESPER), "hesper-image")):
            self.skipTest("hesper-image was not built")
        self.refused(1, "record-screen: no virtual machine of 'hesper run' was found", "record-screen", "a.mp4", **env)
        one = self.start_with_a_monitor("obeys", "--name", "one", **env)
        for argv, what in ((["--machine", "two"], "no machine is called 'two'"), (["--machine", "one", "--seconds", "1"], "nothing was recorded: the guest has shown nothing")):
            status, _, err = self.hesper("record-screen", *argv, "a.mp4", **env)
            self.assertEqual(status, 1)
            self.assertIn(what, err)
        self.assertEqual(self.machines(env), [("one", one.pid, "running")])
        self.assertEqual([name for name in os.listdir(self.folder) if name.startswith("hesper-") and not name.endswith(".control")], [])
        self.order("stop", "one", **env)
        one.communicate(timeout=60)
        self.assertEqual(one.returncode, 0)

    def test_a_display_that_joins_is_told_what_the_machine_does(self):
        env = {"XDG_RUNTIME_DIR": self.folder}
        one = self.start_with_a_monitor("obeys", "--name", "one", **env)
        self.assertEqual([name for name, *_ in self.machines(env)], ["one"])
        control, (display, theirs) = socket.socket(socket.AF_UNIX), socket.socketpair()
        self.addCleanup(display.close)
        self.addCleanup(control.close)
        control.connect(next(self.path(name) for name in os.listdir(self.folder) if name.endswith(".control")))
        socket.send_fds(control, [b"join\n"], [theirs.fileno()])
        theirs.close()
        self.assertEqual(json.loads(control.makefile().readline()), {"ok": True, "connected": True, "outputs_on": 0})
        display.settimeout(60)
        messages = display.makefile("rb")

        def message(wanted):  # others come too
            while True:
                size, kind, _ = struct.unpack("=IHH", messages.read(8))
                payload = messages.read(size + -size % 8)[:size]
                if kind == wanted:
                    return payload

        self.assertEqual(message(128)[16:20], b"one\0")
        for order, state in (("pause", 1), ("resume", 0)):
            self.order(order, **env)
            self.assertEqual(message(136), struct.pack("=I", state))
        self.order("stop", **env)
        messages.read()  # its end
        one.communicate(timeout=60)

    def test_an_agent_that_listens_is_told_the_time_after_a_pause(self):
        env = {"XDG_RUNTIME_DIR": self.folder}
        for what, times in (("agent", 2), ("obeys", 0)):
            one = self.start_with_a_monitor(what, "--name", "one", **env)
            for _ in range(2):
                self.order("pause", **env)
                self.order("resume", **env)
            self.order("stop", **env)
            one.communicate(timeout=60)
            heard = []
            if os.path.exists(self.path("heard")):
                with open(self.path("heard")) as f:
                    heard = [json.loads(line) for line in f]
                os.remove(self.path("heard"))
            self.assertEqual([command["execute"] for command in heard], times * ["guest-set-time"], what)
            for command in heard:
                self.assertAlmostEqual(command["arguments"]["time"] / 1e9, time.time(), delta=60)
        rest = ["--", "-device", "virtserialport,name=org.qemu.guest_agent.0"]
        self.assertNotIn("hesper-guest-agent", " ".join(self.told("--kernel", self.kernel, *rest)))

    def test_one_of_several_machines_is_stopped(self):
        env = {"XDG_RUNTIME_DIR": self.folder}
        one = self.start_with_a_monitor("obeys", "--name", "twin", **env)
        two = self.start_with_a_monitor("does-not-obey", "--name", "twin", **env)
        self.assertEqual(sorted(self.machines(env)), sorted([("twin", one.pid, "running"), ("twin", two.pid, "running")]))
        for argv, what in ((["stop"], "2 machines run"), (["stop", "twin"], "2 machines are called 'twin'"), (["stop", "other"], "no machine is called 'other'")):
            status, _, err = self.hesper(*argv, **env)
            self.assertEqual(status, 1)
            self.assertRegex(err, f"^hesper: error: stop: {what}.*\n$")
        self.order("stop", "--now", str(two.pid), **env)
        two.communicate(timeout=60)
        self.order("stop", "--control", self.path(f"hesper-{one.pid}.control"), **env)
        one.communicate(timeout=60)
        self.assertEqual(one.returncode, 0)

    def test_a_machine_of_somebody_elses_qemu_takes_no_orders(self):
        process = self.start("serve", "--no-venus", "--socket", self.path("gpu"), "--control", self.path("control"))
        self.addCleanup(process.kill)
        self.await_file("gpu")
        for command in ("stop", "pause", "resume"):
            status, _, err = self.hesper(command, "--control", self.path("control"))
            self.assertEqual(status, 1)
            self.assertRegex(err, "^hesper: error: .*its QEMU was not started by 'hesper run'\n$")
        process.terminate()
        process.communicate(timeout=60)

    def await_file(self, name):
        deadline = time.monotonic() + 60
        while not os.path.exists(self.path(name)):
            self.assertLess(time.monotonic(), deadline, name)
            time.sleep(0.02)

    # --- mistakes ------------------------------------------------------------------------------------

    def test_mistakes_are_one_line(self):
        kernel = ["--kernel", self.kernel]
        for what, argv in (
            ("--memory is a size", [*kernel, "--memory", "lots"]),
            ("--memory is a size", [*kernel, "--memory", "1000001"]),
            ("--memory is a size", [*kernel, "--memory", "-1G"]),
            ("--cpus is a number", [*kernel, "--cpus", "0"]),
            ("--cpus is a number", [*kernel, "--cpus", "256"]),
            ("--accel is", [*kernel, "--accel", "warp"]),
            ("--net is", [*kernel, "--net", "tap"]),
            ("--forward is", [*kernel, "--forward", "22"]),
            ("--forward is", [*kernel, "--forward", "0:22"]),
            ("--forward is", [*kernel, "--forward", "2222:65536"]),
            ("--forward is", [*kernel, "--forward", "host:2222:22"]),
            ("--forward is", [*kernel, "--forward", ":2222:22"]),
            ("--forward needs a network", [*kernel, "--forward", "2222:22", "--net", "none"]),
            ("at most", [*kernel, *["--forward", "2222:22"] * 17]),
            ("--usb is", [*kernel, "--usb", "046d"]),
            ("--usb is", [*kernel, "--usb", "046d:c52x"]),
            ("at most", [*kernel, *["--usb", "046d:c52b"] * 9]),
            ("at most", [*kernel, *["--share", "."] * 9]),
            ("--guest-gl is", [*kernel, "--guest-gl", "virgl"]),
            ("--aperture-size is", [*kernel, "--aperture-size", "3G"]),
            ("--aperture-size is", [*kernel, "--aperture-size", "512G"]),
            ("--resolution is", [*kernel, "--resolution", "1280"]),
            ("--refresh is a number from 20 to 500", [*kernel, "--refresh", "10"]),
            ("--refresh is", [*kernel, "--refresh", "144Hz"]),
            ("--dpi is a number from 40 to 800", [*kernel, "--dpi", "1000"]),
            ("--input is", [*kernel, "--input", "keyboard,mice"]),
            ("--input is", [*kernel, "--input", "touch,"]),
            ("--input is", [*kernel, "--input", ""]),
            ("unknown option '--frobnicate'", ["--frobnicate"]),
            ("'--kernel' needs a value", ["--kernel"]),
            ("'a.img' is no option", ["--cpus", "1", "a.img"]),
            ("at most", ["--disk", self.kernel] * 33),
            ("nothing to boot", []),
            ("--initrd and --append go with --kernel", ["--disk", self.kernel, "--append", "x"]),
        ):
            self.run_refused(2, what, *argv)
        for what, argv in (
            ("--kernel: cannot read '/nowhere'", ["--kernel", "/nowhere"]),
            ("--disk: cannot read", ["--disk", "/nowhere"]),
            ("--disk: cannot read .*directory", ["--disk", self.folder]),
            ("--cdrom: cannot read", ["--cdrom", "/nowhere"]),
            ("--share: cannot read the folder '/nowhere': No such file", [*kernel, "--share", "/nowhere"]),
            ("--share: cannot read the folder .*: Not a directory", [*kernel, "--share", self.kernel + ":x"]),
            ("--share: 'a b' cannot be", [*kernel, "--share", self.folder + ":a b"]),
            ("--share: '.x' cannot be", [*kernel, "--share", self.folder + ":.x"]),
            ("--share: '' cannot be", [*kernel, "--share", self.folder + ":"]),
            ("--share: two folders would be 'x'", [*kernel, "--share", self.folder + ":x", "--share", "/:x"]),
        ):
            self.run_refused(1, what, "--qemu", self.qemu, "--placer", PLACER, *argv)
        for what, argv in (
            ("--socket PATH", ["serve"]),
            ("--socket PATH", ["serve", "--socket", "s", "more"]),
            ("room for", ["serve", "--socket", "s" * 105]),
            ("--socket PATH", ["qemu-args"]),
            ("--format is", ["qemu-args", "--socket", "s", "--format", "json"]),
            ("list: it takes nothing", ["list", "x"]),
            ("top: 'x' is no option", ["top", "x"]),
            ("unknown option '--twice'", ["top", "--twice"]),
            ("stop: say one machine", ["stop", "a", "b"]),
            ("unknown option '--now'", ["pause", "--now"]),
            ("unknown command 'fly'", ["fly"]),
            ("unknown option '-x'", ["-x"]),
        ):
            self.refused(2, what, *argv)

    def test_keys_that_are_none(self):
        for what, path in (
            ("cannot read '/nowhere': No such file", "/nowhere"), ("cannot read .*directory", self.folder),
            ("does not hold public keys", self.kernel),
            ("does not hold public keys", self.make("key", "-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n")),
            ("does not hold public keys", self.make("long", "ssh-rsa " + "A" * 20000)),
            ("does not hold public keys", self.make("bytes", b"ssh-rsa \0AAAA\n")),
        ):
            status, _, err = self.run_machine("--kernel", self.kernel, "--ssh-key", path)
            self.assertEqual(status, 1)
            self.assertRegex(err, f"^hesper: error: --ssh-key: .*{what}.*\n$")

    def test_firmware_that_is_not_there(self):
        status, _, err = self.run_machine("--kernel", self.kernel, "--firmware", "/nowhere")
        self.assertEqual(status, 1)
        self.assertRegex(err, "^hesper: error: run: --firmware: cannot read '/nowhere'.*\n$")

    def test_without_a_driver(self):
        """With or without a Vulkan loader on this machine."""
        if '"check":"device","result":"good"' in self.hesper("doctor", "--json", "--qemu", "/nowhere")[1]:
            self.skipTest("this machine has a driver, which is found whatever the environment names")
        status, _, err = self.hesper(
            "run", "--qemu", self.qemu, "--placer", PLACER, "--disk", "d,size=1M", VK_DRIVER_FILES="/nowhere.json", VK_ICD_FILENAMES="/nowhere.json"
        )
        self.assertEqual(status, 1)
        self.assertEqual(err.count("\n"), 1, err)
        self.assertRegex(err, "hesper: error: .*install")
        self.assertFalse(os.path.exists(self.path("argv")))
        self.assertFalse(os.path.exists(self.path("d")))  # nothing is made in vain

    # --- for a QEMU of one's own -----------------------------------------------------------------------

    def test_serve(self):
        path = self.path("gpu")
        process = self.start("serve", "--no-venus", "--socket", path)
        self.assertEqual(process.stdout.readline(), f"hesper: listening on {path}\n")
        self.refused(1, "another server does", "serve", "--no-venus", "--socket", path)
        with socket.socket(socket.AF_UNIX) as qemu:
            qemu.connect(path)
        with socket.socket(socket.AF_UNIX) as keyboard, socket.socket(socket.AF_UNIX) as second:
            keyboard.connect(path + ".keyboard")
            second.connect(path + ".keyboard")
            self.assertEqual(second.recv(1), b"")  # each VM needs a hesper of its own
        self.assertEqual(sorted(os.listdir(self.folder)), ["gpu", "gpu.keyboard", "gpu.mouse", "gpu.placer", "gpu.pointer", "qemu", "vmlinuz"])
        process.terminate()
        process.communicate(timeout=60)
        self.assertEqual(process.returncode, 0)
        self.assertEqual(sorted(os.listdir(self.folder)), ["qemu", "vmlinuz"])
        self.refused(1, "not a socket is in the way", "serve", "--no-venus", "--socket", self.kernel)
        self.refused(1, "No such file", "serve", "--no-venus", "--socket", "/nowhere/gpu")

    def answer(self, path, words):
        """What comes back to a front end that says this; nothing: it was turned away."""
        with socket.socket(socket.AF_UNIX) as qemu:
            qemu.settimeout(60)
            qemu.connect(path)
            try:
                qemu.sendall(words)
                return qemu.recv(64)
            except ConnectionError:
                return b""

    def answered(self, path, words):
        """The same, also where the one before it has only just gone."""
        deadline = time.monotonic() + 60
        while not (got := self.answer(path, words)):
            self.assertLess(time.monotonic(), deadline, "no answer")
            time.sleep(0.02)
        return got

    def test_one_socket_is_for_either_front(self):
        path = self.path("gpu")
        get_features = struct.pack("=III", 1, 1, 0)
        text = b'{"capabilities":{"max_msg_fds":16,"max_data_xfer_size":1048576,"pgsizes":4096}}\0' + bytes(64)
        version = struct.pack("=HHIII", 0, 1, 20 + len(text), 0, 0) + bytes(4) + text
        for front, spoken in (("auto", "both"), ("vhost-user", "vhost"), ("vfio-user", "vfio")):
            process = self.start("serve", "--no-venus", "--socket", path, "--front", front)
            self.assertIn("listening", process.stdout.readline())
            for which in (path, path + ".keyboard"):
                if spoken != "vfio":
                    self.assertEqual(struct.unpack("=III", self.answered(which, get_features)[:12]), (1, 5, 8))
                if spoken != "vhost":
                    self.assertEqual(struct.unpack("=HHI", self.answered(which, version)[:8])[1], 1)
                if spoken == "both":
                    for nonsense in (b"GET / HTTP/1.1", b"\1", bytes(12)):
                        self.assertEqual(self.answer(which, nonsense), b"")
            process.terminate()
            process.communicate(timeout=60)
            self.assertEqual(process.returncode, 0)

    def test_a_clipboard_for_one_qemu_after_the_other(self):
        path = self.path("gpu")
        process = self.start("serve", "--no-venus", "--socket", path, "--clipboard")
        self.assertIn("listening", process.stdout.readline())
        # An agent's announcement of what it can do: port, protocol, type, opaque, size; that it wants an answer; nothing.
        announce = struct.pack("<IIIIQIII", 1, 28, 1, 6, 0, 8, 1, 0)
        for _ in range(2):
            deadline = time.monotonic() + 60
            while True:  # the one before may not be missed yet
                with socket.socket(socket.AF_UNIX) as qemu, socket.socket(socket.AF_UNIX) as second:
                    qemu.settimeout(60)
                    qemu.connect(path + ".clipboard")
                    try:
                        qemu.sendall(announce)
                        answer = qemu.recv(64)
                    except ConnectionError:
                        answer = b""
                    if answer:
                        second.connect(path + ".clipboard")
                        self.assertEqual(second.recv(1), b"")
                        break
                self.assertLess(time.monotonic(), deadline, "no answer")
                time.sleep(0.02)
            self.assertEqual(struct.unpack("<IIII", answer[:16])[::2], (1, 1))
        process.terminate()
        process.communicate(timeout=60)
        self.assertEqual(process.returncode, 0)
        self.assertFalse(os.path.exists(path + ".clipboard"))
        for form, place in (("lines", ""), ("libvirt", ",bus=pcie.0,addr=0x14")):
            told = self.hesper("qemu-args", "--socket", path, "--qemu", self.qemu, "--placer", PLACER, "--clipboard", "--format", form)[1]
            self.assertIn(f"socket,id=hesper-agent,path={path}.clipboard", told)
            self.assertRegex(told, "virtio-serial-pci,id=hesper-serial" + place + "\\b")

    def test_a_socket_left_behind_is_no_hindrance(self):
        path = self.path("gpu")
        process = self.start("serve", "--no-venus", "--socket", path)
        self.assertIn("listening", process.stdout.readline())
        process.kill()
        process.communicate(timeout=60)
        process = self.start("serve", "--no-venus", "--socket", path)
        self.assertIn("listening", process.stdout.readline())
        process.terminate()
        process.communicate(timeout=60)

    def test_the_three_forms_of_qemu_args_say_the_same(self):
        path = self.path("it's a <socket>, & more")
        common = ["qemu-args", "--socket", path, "--qemu", self.qemu, "--placer", PLACER, "--memory", "4G", "--format"]
        status, lines, err = self.hesper(*common, "lines")
        self.assertEqual((status, err), (0, ""))
        lines = lines.splitlines()
        self.assertIn("socket,id=hesper-gpu,path=" + path.replace(",", ",,"), lines)
        self.assertIn("memory-backend-memfd,id=hesper-mem,size=4096M,share=on" if sys.platform == "linux" else
                      "memory-backend-shm,id=hesper-mem,size=4096M,share=on", lines)
        self.assertIn("socket,id=hesper-pointer,path=" + path.replace(",", ",,") + ".pointer", lines)
        self.assertFalse([l for l in self.hesper(*common, "lines", "--input", "none")[1].splitlines() if "virtio-id=18" in l])
        shell = self.hesper(*common, "shell")[1]
        show = subprocess.run(["sh", "-c", "printf '%s\\n' " + shell], capture_output=True, text=True).stdout
        self.assertEqual(show.splitlines(), lines)
        libvirt = self.hesper(*common, "libvirt")[1]
        tree = xml.etree.ElementTree.fromstring(f"<d xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>{libvirt}</d>")
        values = [e.get("value") for e in tree.iter("{http://libvirt.org/schemas/domain/qemu/1.0}arg")]
        slots = [v.rpartition(",bus=pcie.0,addr=")[2] for v in values if ",bus=" in v]
        self.assertEqual(slots, ["0x15", "0x16", "0x17", "0x19"])  # libvirt gives away what it knows of, and no others
        self.assertEqual([v.partition(",bus=")[0] for v in values], [l.partition(",addr=")[0] for l in lines[lines.index("-chardev"):]])

    def test_qemu_args_hand_over_what_a_machine_of_run_has(self):
        key = self.make("key.pub", "ssh-ed25519 AAAA it's <a>, & \"b\"\nssh-rsa BBBB c\n")
        options = ["--ssh-key", key, "--guest-gl", "zink"]
        expected = self.values(self.told("--kernel", self.kernel, *options), "-fw_cfg")
        self.assertEqual(len(expected), 2)
        common = ["qemu-args", "--socket", self.path("gpu"), "--qemu", self.qemu, "--placer", PLACER, *options, "--format"]
        shell = self.hesper(*common, "shell")[1]
        argv = subprocess.run(["sh", "-c", "printf '%s\\0' " + shell], capture_output=True, text=True).stdout.split("\0")
        self.assertEqual(self.values(argv, "-fw_cfg"), expected)
        libvirt = self.hesper(*common, "libvirt")[1]
        tree = xml.etree.ElementTree.fromstring(f"<d xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>{libvirt}</d>")
        argv = [e.get("value") for e in tree.iter("{http://libvirt.org/schemas/domain/qemu/1.0}arg")]
        self.assertEqual(self.values(argv, "-fw_cfg"), expected)
        status, out, err = self.hesper(*common, "lines")
        self.assertEqual((status, out), (2, ""))
        self.assertRegex(err, "^hesper: error: qemu-args: .*several lines.*\n$")

    def test_vfio_user(self):
        path = self.path('a "socket"')
        common = ["qemu-args", "--socket", path, "--qemu", self.qemu, "--placer", PLACER, "--front", "vfio-user", "--format"]
        if sys.platform != "linux":
            return
        for version in ("10.1.0", "11.1.0"):
            status, lines, err = self.hesper(*common, "lines", SAYS=f"QEMU emulator version {version}")
            self.assertEqual((status, err), (0, ""))
            devices = [json.loads(l) for l in lines.splitlines() if l.startswith("{")]
            self.assertEqual([d["id"] for d in devices], ["gpu0", "keyboard0", "pointer0", "mouse0"])
            self.assertEqual({d["driver"] for d in devices}, {"vfio-user-pci"})
            self.assertEqual(devices[0]["socket"], {"type": "unix", "path": path})
            self.assertEqual(devices[1]["socket"]["path"], path + ".keyboard")
        # A screen that firmware can use is taken where there is firmware; else what costs less.
        firmware = self.make("OVMF.fd", "firmware")
        for options, driver in ((["--firmware", firmware], "vfio-user-pci"), (["--firmware", firmware, "--front", "vhost-user"], "vhost-user-test-device-pci"), ([], "vhost-user-test-device-pci")):
            told = self.values(self.told("--kernel", self.kernel, *options), "-device")
            self.assertTrue(any(driver in device for device in told), told)
            self.assertEqual(min(d["x-msg-timeout"] for d in devices), 600000)  # QEMU's own is too short
            self.assertEqual(devices[0]["addr"], "0x1e")
        slots = [json.loads(v)["addr"] for v in re.findall("value='({.*})'", self.hesper(*common, "libvirt")[1])]
        self.assertEqual(slots, ["0x15", "0x16", "0x17", "0x19"])
        # A QEMU that lacks what vhost-user needs gets its devices so, unless it is told otherwise.
        old = {"SAYS": "QEMU emulator version 10.2.1"}
        argv = self.told("--kernel", self.kernel, **old)
        device = json.loads(next(v for v in self.values(argv, "-device") if v.startswith("{")))
        self.assertEqual(device["socket"]["path"], "/proc/self/fd/60")
        self.assertNotIn("-run-with", argv)
        os.remove(self.path("argv"))
        self.run_refused(1, "cannot be used by vhost-user", "--qemu", self.qemu, "--placer", PLACER, "--kernel", self.kernel, "--front", "vhost-user", **old)
        self.run_refused(1, "cannot be used by vfio-user.*needs the placer", "--qemu", self.qemu, "--placer", "none", "--kernel", self.kernel, "--front", "vfio-user")
        self.run_refused(2, "--front is 'auto'", "--front", "vfio")

    def test_a_gpu_of_others_does_not_hide_ours(self):
        """Mesa takes the last virtio GPU that it finds on the bus."""
        for front in ("vhost-user", "vfio-user")[:2 if sys.platform == "linux" else 1]:
            devices = self.values(self.told("--kernel", self.kernel, "--front", front, "--", "-device", "virtio-gpu-pci"), "-device")
            ours = next(v for v in devices if "gpu0" in v)
            self.assertRegex(ours, "addr.*0x1e")
            self.assertNotIn("pcie.0", " ".join(devices))  # -machine pc has another bus

    def test_the_domain_of_libvirt_has_what_qemu_args_prints(self):
        """packaging/libvirt/domain.xml, an example to copy."""
        arg = "{http://libvirt.org/schemas/domain/qemu/1.0}arg"
        root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
        domain = xml.etree.ElementTree.parse(os.path.join(root, "packaging/libvirt/domain.xml")).getroot()
        printed = self.hesper("qemu-args", "--socket", "/run/hesper/gpu", "--qemu", self.qemu, "--placer", PLACER, "--format", "libvirt")[1]
        tree = xml.etree.ElementTree.fromstring(f"<d xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>{printed}</d>")
        plugin = "/usr/lib/x86_64-linux-gnu/hesper/hesper-placer.so"
        self.assertEqual([e.get("value") for e in domain.iter(arg)], [e.get("value").replace(PLACER, plugin) for e in tree.iter(arg)])
        self.assertEqual((domain.find("memoryBacking/access").get("mode"), domain.find("os/type").get("machine")), ("shared", "q35"))


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1] + sys.argv[3:])
