"""The test bed: programs of a Debian tree (scripts/tree), natively on its lavapipe or through Hesper.

A Side says how a program's Vulkan reaches the driver: natively (Side), Hesper, a profile each, or Peer;
Server is a Hesper that several clients share.
A Display is an Xvfb whose picture can be read. Only processes that were started here are ended.
"""

import glob
import json
import os
import re
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("HESPER_BUILD", os.path.join(ROOT, "build"))
sys.path.insert(0, os.path.join(ROOT, "scripts"))
import picture  # noqa: E402
import reports  # noqa: E402
from processes import children  # noqa: E402

SUITES = {"trixie": "25.0", "trixie-backports": "26.1", "sid": "26.2"}
# What the caller's shell may hold and a test must not inherit.
FOREIGN = ("VK_", "VN_", "VTEST_", "MESA_", "LIBGL_", "GALLIUM_", "ZINK_", "LP_", "GGML_", "DISPLAY", "WAYLAND_", "PLAN")


def busy():
    """Is there more to do on this machine than it can do at once? Then speed says nothing."""
    return os.getloadavg()[0] > len(os.sched_getaffinity(0))


class Result:
    """What a finished program left: exit status (None: timed out), output, seconds."""

    def __init__(self, status, out, err, seconds):
        self.status, self.out, self.err, self.seconds = status, out, err, seconds

    def why(self):
        """One line on how it ended, for a failure report."""
        tail = [l for l in self.err.decode(errors="replace").splitlines() if l.strip()][-1:]
        how = "timed out" if self.status is None else f"exit status {self.status}"
        return how + (": " + tail[0][:160] if tail else "")


def end(process):
    """Ends a process group that we started."""
    if process.poll() is not None:
        return
    for sig, patience in ((signal.SIGTERM, 3), (signal.SIGKILL, 10)):
        try:
            os.killpg(process.pid, sig)
            process.wait(patience)
            return
        except subprocess.TimeoutExpired:
            continue
        except ProcessLookupError:
            return


class Tree:
    """One suite's tree, and a folder for what its programs write."""

    def __init__(self, suite, host_driver=None):
        self.suite = suite
        self.host_driver = host_driver  # a manifest; None: its lavapipe
        self.path = os.path.join(ROOT, "build/trees", suite)
        self.lib = os.path.dirname(glob.glob(os.path.join(self.path, "usr/lib/*/libc.so.6"))[0])
        self.work = os.path.join(BUILD, "vtest", suite)
        os.makedirs(os.path.join(self.work, "cache"), exist_ok=True)

    def has(self, program):
        return os.path.exists(os.path.join(self.path, "usr/bin", program))

    def adopt(self, program, name=None):
        """Copies a program of ours into the tree, for its C library to run it; returns the copy's path."""
        script = os.path.join(ROOT, "scripts/tree")
        folder = "build" if name else os.path.relpath(program, ROOT).split(os.sep)[0]
        name = name or os.path.basename(program)
        if folder != "build":  # another build folder's programs lie beside, not over, those of build/
            name += "-" + folder.replace("..", "elsewhere")
        subprocess.run([script, "--program", self.suite, program, name], check=True)
        return os.path.join(self.path, "usr/bin", name)

    def driver(self, name):
        found = glob.glob(os.path.join(self.path, f"usr/share/vulkan/icd.d/{name}_icd*.json"))
        return found[0] if found else None

    def environment(self):
        env = {k: v for k, v in os.environ.items() if not k.startswith(FOREIGN)}
        env.update(
            PATH=os.path.join(self.path, "usr/bin") + ":" + env.get("PATH", "/usr/bin:/bin"),
            XDG_DATA_DIRS=os.path.join(self.path, "usr/share"),
            XDG_CACHE_HOME=os.path.join(self.work, "cache"),
            XDG_RUNTIME_DIR=self.work,
            VK_DRIVER_FILES=self.host_driver or self.driver("lvp"),
            LIBGL_DRIVERS_PATH=os.path.join(self.lib, "dri"),
            GBM_BACKENDS_PATH=os.path.join(self.lib, "gbm"),
            RENDER_SERVER_EXEC_PATH=os.path.join(self.path, "usr/libexec/virgl_render_server"),
            LC_ALL="C.UTF-8",
        )
        if not self.host_driver:  # NVIDIA's Vulkan looks for its own vendor's file
            env["__EGL_VENDOR_LIBRARY_DIRS"] = os.path.join(self.path, "usr/share/glvnd/egl_vendor.d")
        return env


class Side:
    """A way for a program's Vulkan to reach the tree's lavapipe."""

    name = "host"
    native = True
    like_a_mac = False  # the host profile shows no more than a Mac has

    def __init__(self, tree):
        self.tree = tree

    def command(self, argv):
        return argv

    def start(self, argv, env=None, **popen):
        full = self.tree.environment()
        full.update(env or {})
        argv = [os.path.join(self.tree.path, "usr/bin", argv[0])] + argv[1:]
        return subprocess.Popen(
            self.command(argv), env=full, cwd=self.tree.work, start_new_session=True, **popen
        )

    def run(self, argv, env=None, timeout=600):
        began = time.monotonic()
        p = self.start(argv, env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        try:
            out, err = p.communicate(timeout=timeout)
            status = p.returncode
        except subprocess.TimeoutExpired:
            end(p)
            out, err = p.communicate()
            status = None
        return Result(status, out, err, time.monotonic() - began)

    def close(self):
        pass


class Shown(Side):
    """Natively, with no more than a guest is shown (bench/shown.c); extensions: of the device."""

    name = "shown"

    def __init__(self, tree, extensions):
        super().__init__(tree)
        self.shown = {"SHOWN_EXTENSIONS": f",{','.join(extensions)},", **wrapped(tree, "shown", "bench/shown.so")}

    def start(self, argv, env=None, **popen):
        return super().start(argv, {**self.shown, **(env or {})}, **popen)


class Hesper(Side):
    native = False

    def __init__(self, tree, profile, hesper=None):
        super().__init__(tree)
        self.profile = profile
        self.name = profile
        self.like_a_mac = profile in ("portable", "moltenvk", "kosmickrisp")
        self.hesper = tree.adopt(hesper or os.environ.get("HESPER", os.path.join(BUILD, "hesper")))

    def command(self, argv):
        return [self.hesper, "vtest", f"--host-profile={self.profile}", "--"] + argv

    def start(self, argv, env=None, **popen):
        return super().start(argv, {**reports.environment(), **(env or {})}, **popen)


class Kit(Hesper):
    """Through Hesper by the driver of the guest kit (guest/) instead of Mesa's."""

    MANIFEST = os.path.join(BUILD, "guest/hesper_icd.json")

    def __init__(self, tree, hesper=None):
        super().__init__(tree, "native", hesper)
        self.name = "kit"

    def command(self, argv):
        driver = [f"{name}={self.MANIFEST}" for name in ("VK_DRIVER_FILES", "VK_ICD_FILENAMES")]
        return super().command(["/usr/bin/env", *driver, *argv])


class Traced(Hesper):
    """A program under hesper trace, which writes to the file `path`."""

    def __init__(self, side, options, path):
        super().__init__(side.tree, side.profile, side.hesper)
        self.options, self.path = options, path

    def command(self, argv):
        return [self.hesper, "trace", f"--host-profile={self.profile}", "-o", self.path, *self.options, "--"] + argv


class Server(Hesper):
    """One hesper vtest that many clients use; its log is a file."""

    guest_driver = None  # a manifest; None: the tree's Venus

    def __init__(self, tree, profile, hesper=None, *options, files=None):
        """files: the limit of open files."""
        super().__init__(tree, profile, hesper)
        self.folder = tempfile.mkdtemp(prefix="hesper-server-")
        self.socket = os.path.join(self.folder, "socket")
        self.control = os.path.join(self.folder, "control")
        self.log_path = os.path.join(self.folder, "log")
        self.workers_seen = set()
        argv = [self.hesper, "vtest", "-v", f"--host-profile={profile}", "--socket", self.socket]
        argv += ["--control", self.control, *options]
        if files:
            argv = ["prlimit", f"--nofile={files}:{files}", *argv]
        env = {**tree.environment(), **reports.environment()}
        with open(self.log_path, "wb") as log:
            self.process = subprocess.Popen(
                argv, env=env, stdout=subprocess.PIPE, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True
            )
        if b"listening" not in self.process.stdout.readline():
            raise RuntimeError("the server does not start: " + " ".join(self.log()))

    def command(self, argv):
        return argv

    def start(self, argv, env=None, **popen):
        full = {**venus_environment(self.tree, self.socket), **(env or {})}
        if self.guest_driver:
            full["VK_DRIVER_FILES"] = self.guest_driver
        return super().start(argv, full, **popen)

    def log(self):
        with open(self.log_path, errors="replace") as log:
            return log.read().splitlines()

    def warnings(self):
        return [line for line in self.log() if "warning:" in line or "error:" in line]

    def workers(self):
        """Of its children, those that live."""
        found = set(children(self.process.pid, "worker"))
        self.workers_seen |= found
        return found

    def worker_of(self, name):
        """Whose worker serves the client of that name; None: not connected yet."""
        found = re.findall(rf"\({re.escape(name)}\): served by worker (\d+)", "\n".join(self.log()))
        return int(found[-1]) if found else None

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def close(self):
        end(self.process)
        self.process.stdout.close()
        shutil.rmtree(self.folder, ignore_errors=True)


def cpu_seconds(pid):
    """User and system time of a process; 0 when it has gone."""
    try:
        with open(f"/proc/{pid}/stat") as stat:
            fields = stat.read().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    except OSError:
        return 0


def venus_environment(tree, socket):
    """What sends a program's Vulkan to a vtest server."""
    return {
        "VK_DRIVER_FILES": tree.driver("virtio"),
        "VN_DEBUG": "vtest",
        "VTEST_SOCKET_NAME": socket,
        "MESA_VK_WSI_DEBUG": "sw",
    }


class Peer(Side):
    """virgl_test_server, which needs memory that leaves its driver as a dma-buf, or a stand-in for that."""

    native = False
    name = "peer"

    def __init__(self, tree):
        super().__init__(tree)
        self.socket = os.path.join(tempfile.mkdtemp(prefix="hesper-peer-"), "socket")
        env = tree.environment()
        env.update(exports(tree) if tree.host_driver else udmabuf())
        program = os.path.join(tree.path, "usr/bin/virgl_test_server")
        self.server = subprocess.Popen(
            [program, "--venus", "--no-virgl", "--multi-clients", "--socket-path=" + self.socket],
            env=env,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        for _ in range(100):
            if os.path.exists(self.socket):
                break
            time.sleep(0.05)

    def start(self, argv, env=None, **popen):
        return super().start(argv, {**venus_environment(self.tree, self.socket), **(env or {})}, **popen)

    def close(self):
        end(self.server)
        shutil.rmtree(os.path.dirname(self.socket), ignore_errors=True)


def udmabuf():
    """What makes a native program find a /dev/udmabuf: nothing where there is one."""
    module = os.path.join(BUILD, "tests/programs/udmabuf.so")
    if os.path.exists("/dev/udmabuf") or not os.path.exists(module):
        return {}
    return {"LD_PRELOAD": module}


def wrapped(tree, name, module):
    """What puts a driver of ours between a program and the tree's or the host's, whose library it finds in NAME_DRIVER."""
    manifest = os.path.join(tree.work, name + "_icd.json")
    with open(tree.host_driver or tree.driver("lvp")) as f:
        text = json.load(f)
    env = {name.upper() + "_DRIVER": text["ICD"]["library_path"], "VK_DRIVER_FILES": manifest}
    text["ICD"]["library_path"] = os.path.join(BUILD, module)
    with open(manifest + ".new", "w") as f:
        json.dump(text, f)
    os.replace(manifest + ".new", manifest)
    return env


def exports(tree):
    """What lets a GPU's driver export memory (bench/exports.c): nothing where it has a DRM device to do so."""
    return {} if glob.glob("/dev/dri/renderD*") else wrapped(tree, "exports", "bench/exports.so")


def plan(tree, rules):
    """What makes the host's driver fail by plan (tests/plan/icd.c), natively and through Hesper."""
    return {"PLAN": rules, **wrapped(tree, "plan", "tests/plan/plan.so")}


class Display:
    """An Xvfb that nobody else uses; shot() is what it shows."""

    def __init__(self, width=640, height=480):
        self.folder = tempfile.mkdtemp(prefix="hesper-xvfb-")
        read, write = os.pipe()
        self.process = subprocess.Popen(
            ["Xvfb", "-displayfd", str(write), "-screen", "0", f"{width}x{height}x24", "-fbdir", self.folder]
            + ["-noreset", "-nolisten", "tcp"],
            pass_fds=[write],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        os.close(write)
        number = b""  # written piece by piece; a reader that leaves before the newline kills Xvfb
        while not number.endswith(b"\n") and select.select([read], [], [], 20)[0]:
            piece = os.read(read, 16)
            if not piece:
                break
            number += piece
        os.close(read)
        if not number.endswith(b"\n"):
            self.close()
            raise RuntimeError("Xvfb does not start")
        self.name = ":" + number.decode().strip()

    def shot(self):
        """(width, height, RGB bytes)"""
        return picture.read(os.path.join(self.folder, "Xvfb_screen0"))

    def close(self):
        end(self.process)
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def far_apart(a, b):
    """Share of the pixels of two RGB strings that differ by more than 8 of 255 in some channel."""
    far = {i // 3 for i, (x, y) in enumerate(zip(a, b)) if abs(x - y) > 8}
    return len(far) / (len(a) / 3)


def sample(rgb):
    return b"".join(rgb[i : i + 3] for i in range(0, len(rgb), 3 * 61))


def difference(a, b):
    """Share of the pixels of two shots that differ visibly; 1 if their sizes do."""
    if a[:2] != b[:2]:
        return 1.0
    if a[2] == b[2]:
        return 0.0
    rough = far_apart(sample(a[2]), sample(b[2]))
    return rough if rough > 0.03 else far_apart(a[2], b[2])


def colours(shot):
    """How many different colours a picture has."""
    rgb = shot[2]
    return len({rgb[i : i + 3] for i in range(0, len(rgb), 3)})
