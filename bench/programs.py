"""The programs that bench/compare runs, and how to read what they say.

Each prints a line when it has finished a row; vkbench also waits before each. So what its processes used for the
row is what they used since the line before.
"""

import collections
import json
import os
import pty
import re
import subprocess
import sys

import looks

import bed  # looks knows where it lies

HERE = os.path.dirname(os.path.abspath(__file__))
# One row of one run: microseconds an operation, how many there were, quantiles of single operations (None: not
# known), what the client and its server used for an operation, and each of their threads, by name.
Reading = collections.namedtuple("Reading", "us operations quantiles client server threads")
SCENES = (
    "vertex,vertex:device-local=false,texture,shading,shading:shading=phong,effect2d:kernel=edge,effect2d:kernel=blur,"
    "desktop,cube,clear"
)


BEGINS = object()


class Failed(Exception):
    pass


class Watch:
    """Looks at a client and its server, row after row."""

    def __init__(self, client, server):
        self.client, self.server = client, server
        self.begin()

    def begin(self):
        self.before = self.look()

    def look(self):
        return looks.look([self.client]), looks.look([self.server] if self.server else [])

    def reading(self, us, operations, quantiles=None):
        now = self.look()
        client, server = (looks.between(*pair) for pair in zip(self.before, now))
        self.before = now
        threads = collections.defaultdict(lambda: looks.NOTHING)
        for who, used in (("client", client), ("server", server)):
            for (_, _, name), u in used.items():
                threads[f"{who} {name}"] += u
        threads = {name: u.each(operations) for name, u in threads.items()}
        sums = (looks.total(used).each(operations) for used in (client, server))
        return Reading(us, operations, quantiles, *sums, threads)


def lines_of(side, argv, env):
    """(process, its lines): what it says, as it says it. A terminal, so that it does not keep lines back."""
    ours, its = pty.openpty()
    process = side.start(argv, env, stdin=subprocess.PIPE, stdout=its, stderr=subprocess.PIPE)
    os.close(its)

    def lines():
        with open(ours, "rb", buffering=0) as f:
            text = b""
            while True:
                try:
                    piece = f.read(4096)
                except OSError:  # nobody has the other end any more
                    return
                text += piece
                while b"\n" in text:
                    line, _, text = text.partition(b"\n")
                    yield line.decode(errors="replace").strip()

    return process, lines()


def run(side, argv, read, env=None, timeout=600):
    """{row: Reading} of a program; read(LINE): (row, us, operations, quantiles), None, or BEGINS: it waits for us."""
    process, lines = lines_of(side, argv, {**(env or {}), **side.environment})
    watch = Watch(process.pid, side.server_pid)
    found = {}
    try:
        for line in lines:
            got = read(line)
            if got is BEGINS:
                watch.begin()
                process.stdin.write(b"\n")
                process.stdin.flush()
            elif got:
                found[got[0]] = watch.reading(*got[1:])
        said = process.stderr.read().decode(errors="replace").strip().splitlines()[-1:]
        if process.wait(timeout) != 0 or not found:
            raise Failed(f"{argv[0]}: exit status {process.returncode}: {''.join(said)[:200]}")
    finally:
        bed.end(process)
        process.stdin.close()
        process.stderr.close()
    return found


# ---- vkbench --------------------------------------------------------------------------------------


def vkbench_line(line):
    parts = line.split("\t")
    if len(parts) != 4:
        return BEGINS if len(parts) == 2 else None
    return parts[0], float(parts[1]), int(parts[2]), [float(q) for q in parts[3].split(",")]


def rows(side, opt):
    return run(side, ["vkbench", "-g", "-t", opt.seconds, *opt.rows], vkbench_line)


def idle(side, opt):
    return run(side, ["vkbench", "-g", "-t", "0.05", "small_submit", "idle"], vkbench_line)


def clients(side, opt):
    """So many programs at once: microseconds for an operation of any of them, and what each one sees."""
    found = {}
    for count in (int(c) for c in opt.clients.split(",")):
        for row in ("empty_submit", "record_submit"):
            found[f"{row}, {count} at once"] = together(side, count, row, opt.seconds)
    return found


def together(side, count, row, seconds):
    argv = ["vkbench", "-g", "-t", str(4 * float(seconds)), row]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL, "text": True}
    processes = [side.start(argv, **pipes) for _ in range(count)]
    try:
        for p in processes:
            p.stdout.readline()
        for p in processes:
            p.stdin.write("\n")
            p.stdin.close()
        got = [vkbench_line(p.stdout.readline().strip()) for p in processes]
    except BrokenPipeError:
        got = [None]
    finally:
        for p in processes:
            p.stdout.close()
            bed.end(p)
    if not all(isinstance(g, tuple) for g in got):
        raise Failed(f"{row}: not all of {count} have come to an end")
    quantiles = [sum(q) / count for q in zip(*(g[3] for g in got))]
    us = 1 / sum(1 / g[1] for g in got)
    return Reading(us, sum(g[2] for g in got), quantiles, None, None, {})


# ---- vkmark ---------------------------------------------------------------------------------------


def frames(side, opt):
    """Microseconds for a frame of each scene, without a window."""
    tree, seconds = side.tree, float(opt.scene_seconds)
    argv = ["vkmark", "--winsys-dir", os.path.join(tree.lib, "vkmark"), "--winsys", "headless"]
    argv += ["--data-dir", os.path.join(tree.path, "usr/share/vkmark"), "--size", opt.size]
    for scene in opt.scenes.split(","):
        argv += ["-b", f"{scene}:duration={seconds}"]

    def read(line):
        got = re.search(r"\[(\w+)\] (\S*?):?duration=\S+ FPS: (\d+) FrameTime: (\S+) ms", line)
        if not got:
            return None
        scene = ":".join(word for word in (got[1], got[2]) if word)
        # Frames a second is a whole number; the time of a frame has three digits behind the point.
        us = max(1e3 * float(got[4]), 1e6 / (int(got[3]) + 1))
        return "frame: " + scene, us, max(1, round(1e6 * seconds / us)), None

    return run(side, argv, read)


# ---- llama-bench ----------------------------------------------------------------------------------


def model(opt):
    """A file of random weights; without --layers the tests' small one."""
    path = os.path.join(bed.BUILD, f"bench/model-{opt.layers}.gguf")
    if not os.path.exists(path):
        small = os.path.join(HERE, "../tests/vtest/model.py")
        writer = [os.path.join(HERE, "model"), opt.layers] if opt.layers != "0" else [small]
        subprocess.run([sys.executable, *writer, path + ".new"], check=True)
        os.rename(path + ".new", path)
    return path


def tokens(side, opt):
    """Microseconds for a token: read in a prompt, and generated."""
    argv = ["llama-bench", "-m", opt.model or model(opt), "-ngl", "99", "-p", "1," + opt.prompt, "-n", opt.tokens, "-r", "3", "-o", "jsonl"]

    def read(line):
        if not line.startswith("{"):
            return None
        got = json.loads(line)
        count = got["n_prompt"] or got["n_gen"]
        if got["n_prompt"] == 1:  # the time to load the model is in it
            return None
        times = sorted(1e-3 * ns / count for ns in got["samples_ns"])
        name = "token: prompt" if got["n_prompt"] else "token: generated"
        # A prompt is read once before it is timed, and so is one token.
        operations = 4 * count if got["n_prompt"] else 3 * count + 1
        return name, times[len(times) // 2], operations, None

    return run(side, argv, read, {"GGML_VK_VISIBLE_DEVICES": "0"})


KINDS = {"rows": rows, "frames": frames, "tokens": tokens, "idle": idle, "clients": clients}
