"""Cases about ends: a worker, a client or the server is killed in mid-frame, or a client talks nonsense.

What must hold: who is left goes on and draws the right pixels, one log line says what happened, and no process, no file
and no descriptor stays behind. Each case runs a server of its own.
"""

import contextlib
import os
import random
import signal
import socket
import struct
import subprocess
import time

import bed
from cases import Failed, Skip, expect, program, read
from processes import processes

PATIENCE = 30  # seconds, for what happens soon on a machine that has nothing else to do
GIVE_UP = 120  # seconds, for Mesa to notice that its renderer has gone


@contextlib.contextmanager
def server(bench, side, *options, files=None):
    if not isinstance(side, bed.Hesper):
        raise Skip("about hesper only")
    at = bed.Server(bench.tree, side.profile, side.hesper, *options, files=files)
    try:
        yield at
        at.process.terminate()
        expect(at.process.wait(60) == 0, f"the server ends with {at.process.returncode}")
        nothing_left(at)
    finally:
        at.close()


def wait_for(what, true, seconds=PATIENCE):
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() > deadline:
            raise Failed(f"after {seconds} s still not so: {what}")
        time.sleep(0.02)


def nothing_left(at):
    """The server has ended, in whatever way."""
    live = lambda: [pid for pid, p in processes().items() if pid in at.workers_seen and p.arguments[1:2] == ["worker"]]
    wait_for("its workers have ended", lambda: not live())
    wait_for("its socket is removed", lambda: os.listdir(at.folder) == ["log"])
    ours = [f"hesper-{pid}-" for pid in {*at.workers_seen, at.process.pid}]
    left = [name for name in os.listdir("/dev/shm") if name.startswith(tuple(ours))]
    expect(not left, f"left in /dev/shm: {left}")


class Client:
    """A vkmark that renders until it is told to end, and the worker that serves it."""

    def __init__(self, at, name):
        tree = at.tree
        argv = ["vkmark", "--winsys-dir", os.path.join(tree.lib, "vkmark"), "--winsys", "headless"]
        argv += ["--data-dir", os.path.join(tree.path, "usr/share/vkmark"), "--size", "400x300"]
        argv += ["-b", "cube:duration=600"]
        self.process = at.start(
            argv,
            {"MESA_PROCESS_NAME": name},  # what the server knows it by
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        wait_for(f"client '{name}' is connected", lambda: at.worker_of(name), 120)
        self.worker = at.worker_of(name)
        self.drawing()

    def drawing(self):
        """Waits until its worker has worked for a while more."""
        began = bed.cpu_seconds(self.worker)
        wait_for("the worker draws", lambda: bed.cpu_seconds(self.worker) > began + 0.2, 120)

    def end(self):
        bed.end(self.process)


def right_pixels(bench, at):
    """A new client on that server draws what it draws natively."""
    at.name = "server-" + at.profile
    return program("offscreen", output="frame.ppm")(bench, at)


def kill_worker(bench, side):
    """Ends its client with an error, and no other."""
    with server(bench, side) as at:
        other, victim = Client(at, "other"), Client(at, "victim")
        try:
            at.workers()
            os.kill(victim.worker, signal.SIGKILL)
            wait_for("the client has ended", lambda: victim.process.poll() is not None, GIVE_UP)
            expect(victim.process.returncode != 0, "its client ended as if all were well")
            other.drawing()
            expect(other.process.poll() is None, "another client ended too")
            right_pixels(bench, at)
            lines = at.warnings()
            expect(len(lines) == 1, f"{len(lines)} log lines: {lines[:3]}")
            expect("(victim)" in lines[0] and "killed by signal 9" in lines[0], lines[0])
        finally:
            other.end()
            victim.end()


def kill_client(bench, side):
    """Ends its worker, soon and without a word, and no other."""
    with server(bench, side) as at:
        other, victim = Client(at, "other"), Client(at, "victim")
        try:
            victim.process.kill()
            victim.process.wait()
            wait_for("its worker has ended", lambda: victim.worker not in at.workers())
            other.drawing()
            expect(other.process.poll() is None, "another client ended too")
            right_pixels(bench, at)
            expect(not at.warnings(), f"leaving is no error: {at.warnings()[:1]}")
        finally:
            other.end()
            victim.end()


def kill_server(bench, side):
    """Leaves no worker, no socket and no shared memory; clients end with an error."""
    if not isinstance(side, bed.Hesper):
        raise Skip("about hesper only")
    at = bed.Server(bench.tree, side.profile, side.hesper)
    clients = []
    try:
        clients = [Client(at, "one"), Client(at, "two")]
        expect(len(at.workers()) >= 2, "no workers")
        at.process.kill()
        at.process.wait()
        nothing_left(at)
        for client in clients:
            wait_for("its clients have ended", lambda: client.process.poll() is not None, GIVE_UP)
            expect(client.process.returncode != 0, "a client ended as if all were well")
    finally:
        for client in clients:
            client.end()
        at.close()


# --- clients that talk nonsense -----------------------------------------------------------------------

UNREF, BUSY_WAIT, CREATE_RENDERER, PING, PROTOCOL_VERSION = 3, 7, 8, 10, 11
GET_PARAM, GET_CAPSET, CONTEXT_INIT, CREATE_BLOB = 15, 16, 17, 18
SYNC_CREATE, SYNC_READ, SYNC_WAIT, SUBMIT = 19, 21, 23, 24


def message(command, *words):
    return struct.pack(f"<{2 + len(words)}I", len(words), command, *words)


def hello(name=b"nonsense"):
    return struct.pack("<2I", len(name) + 1, CREATE_RENDERER) + name + b"\0" + message(PROTOCOL_VERSION, 4)


def noise(seed, count):
    return random.Random(seed).randbytes(count)


START = hello() + message(CONTEXT_INIT, 4)
NONSENSE = {
    "another protocol": b"GET / HTTP/1.1\r\nHost: hesper\r\n\r\n",
    "noise": noise(1, 4096),
    "noise after hello": hello() + noise(2, 4096),
    "noise in a context": START + noise(3, 4096),
    "an unknown command": message(99),
    "a command out of turn": message(CONTEXT_INIT, 4),
    "hello twice": hello() + hello(),
    "a context twice": START + message(CONTEXT_INIT, 4),
    "another capset": hello() + message(CONTEXT_INIT, 1),
    "a name of 4 GiB": struct.pack("<2I", 0xFFFFFFFF, CREATE_RENDERER),
    "a submission of 16 GiB": START + struct.pack("<2I", 0xFFFFFFFF, SUBMIT),
    "too few words": START + message(CREATE_BLOB, 2, 1),
    "a blob of 4 EiB": START + message(CREATE_BLOB, 2, 1, 0, 0x40000000, 0, 0),
    "a blob of nothing": START + message(CREATE_BLOB, 2, 1, 0, 0, 0, 0),
    "a blob of no memory": START + message(CREATE_BLOB, 2, 1, 4096, 0, 77, 0),
    "an unknown resource": START + message(UNREF, 5),
    "an unknown sync": START + message(SYNC_READ, 5),
    "a wait for nothing known": START + message(SYNC_WAIT, 0, 0, 9, 1, 0),
    "a batch beyond its end": START + message(SUBMIT, 1, 0, 9, 1000000, 0, 0, 0, 0, 0),
    "more batches than words": START + message(SUBMIT, 0x20000000, 0, 0, 0),
    "commands that are none": START + message(SUBMIT, 1, 0, 9, 4, 0, 0, 0, 0, 0, *struct.unpack("<4I", noise(4, 16))),
    "half a command": START + message(SUBMIT, 1, 0, 9, 1, 0, 0, 0, 0, 0, 0),
}


def connect(at):
    s = socket.socket(socket.AF_UNIX)
    s.settimeout(10)
    s.connect(at.socket)
    return s


def closed(s):
    """Reads until the server hangs up; False: it did not within 10 s."""
    try:
        while s.recv(4096):
            pass
    except socket.timeout:
        return False
    except ConnectionError:
        pass
    return True


def idle(at, seconds=0.5):
    """The server sleeps; it does not spin on somebody who keeps it waiting."""
    began = bed.cpu_seconds(at.process.pid)
    time.sleep(seconds)
    used = bed.cpu_seconds(at.process.pid) - began
    expect(used <= 0.2 * seconds, f"the server uses {used / seconds:.0%} of a core for nothing")


def bad_clients(bench, side):
    """Nonsense costs its sender the connection and one log line; a client beside it does not notice."""
    with server(bench, side) as at, contextlib.ExitStack() as held:
        neighbour = Client(at, "other")
        held.callback(neighbour.end)
        for what, data in NONSENSE.items():
            known = len(at.warnings())
            with connect(at) as s:
                with contextlib.suppress(ConnectionError):  # it may hang up before everything is sent
                    s.sendall(data)
                expect(closed(s), f"{what}: not disconnected")
            wait_for(f"{what}: a log line", lambda: len(at.warnings()) > known)
            lines = at.warnings()[known:]
            expect(len(lines) == 1 and "disconnected" in lines[0], f"{what}: {lines[:3]}")
        known = len(at.warnings())

        # Who leaves in the middle of a message has left, no more.
        for data in START, START + message(SUBMIT, *[0] * 50), hello():
            for cut in 1, 7, 9, len(data) - 1:
                with connect(at) as s:
                    s.sendall(data[:cut])
        # Half a message, and then nothing.
        for data in message(PING)[:5], hello()[:-3], START[:-1], START + message(SUBMIT, *[0] * 50)[:-9]:
            held.enter_context(connect(at)).sendall(data)
        # Asks and asks, and never listens: the server stops listening too.
        deaf = held.enter_context(connect(at))
        deaf.sendall(hello())
        deaf.settimeout(1)
        sent = 0
        with contextlib.suppress(socket.timeout):
            while sent < 64 << 20:
                sent += deaf.send(message(GET_CAPSET, 4, 0) * 1000)
        expect(sent < 64 << 20, "takes any number of requests from a client that reads no answer")

        neighbour.drawing()
        bed.end(neighbour.process)
        wait_for("its worker has ended", lambda: neighbour.worker not in at.workers())
        idle(at)
        right_pixels(bench, at)
        expect(len(at.warnings()) == known, f"needless: {at.warnings()[known:][:3]}")


def many_connections(bench, side):
    """200 clients come and go: the server has as many descriptors and workers as before."""
    with server(bench, side) as at:
        count = lambda: (at.descriptors(), len(at.workers()))
        at.workers()
        before = count()
        for i in range(200):
            with connect(at) as s:
                if i % 10 == 0:  # with a worker
                    s.sendall(START + message(SYNC_CREATE, 0, 0))
                    expect(s.recv(4) != b"", "no answer")
                elif i % 2:
                    s.sendall(hello() + message(GET_CAPSET, 4, 0))
                    expect(s.recv(4) != b"", "no answer")
        wait_for(f"{before} descriptors and workers", lambda: count() == before, 10)
        expect(not at.warnings(), f"leaving is no error: {at.warnings()[:1]}")
        right_pixels(bench, at)


CASES = {
    "kill-worker": kill_worker,
    "kill-client": kill_client,
    "kill-server": kill_server,
    "bad-clients": bad_clients,
    "many-connections": many_connections,
}
# The same whatever Mesa is used: run with the newest only.
ONCE = {"kill-client", "bad-clients", "many-connections", "recorded", "descriptors"}
