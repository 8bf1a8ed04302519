"""Cases about memory and descriptors: one program takes all that it can get, and others beside it go on.

What must hold: the greedy one is refused by an error and goes on too, a small one gets what it asks for, and
`hesper top` says who holds what. Each case runs a server of its own.
"""

import contextlib
import json
import os
import socket
import struct
import subprocess

import bed
import cases
import kill
from cases import expect, program

BUDGET = 1024  # MiB
RESERVE = BUDGET // 8  # for those who hold little


class Holder:
    """A program of tests/programs/greedy.c, which holds memory until its input ends."""

    def __init__(self, at, name, piece, most):
        path = at.tree.adopt(os.path.join(bed.BUILD, "tests/programs/greedy"), name)
        self.process = at.start(
            [path, str(piece), str(most)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        self.piece = piece
        self.says = self.process.stdout.readline().decode()
        expect(self.says, f"{name} ends at once: {self.process.stderr.read().decode() if not self.says else ''}")

    def mebibytes(self):
        return self.piece * int(self.says.split()[0])

    def let_go(self):
        out, err = self.process.communicate(timeout=60)
        expect(out.decode().strip() == "goes on" and not self.process.returncode, f"{out} {err}")

    def end(self):
        if self.process.poll() is None:
            bed.end(self.process)
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            pipe.close()


def top(at, *options):
    argv = [at.hesper, "top", "--once", "--control", at.control, *options]
    got = subprocess.run(argv, env=at.tree.environment(), capture_output=True, timeout=60)
    expect(got.returncode == 0, f"top: {got.stderr.decode()}")
    return got.stdout.decode()


def greedy(bench, side):
    """Beside a greedy program a small one gets what it asks for, and others run as if nothing were."""
    holders = []
    with kill.server(bench, side, f"--gpu-memory={BUDGET}M") as at:
        try:
            holders.append(Holder(at, "hog", 16, 1000))
            hog = holders[0].mebibytes()
            expect("then refused" in holders[0].says, holders[0].says)
            expect(f"a heap of {BUDGET - RESERVE} MiB" in holders[0].says, holders[0].says)
            expect(BUDGET * 3 // 4 < hog <= BUDGET - RESERVE, f"it holds {hog} MiB")

            holders.append(Holder(at, "modest", 4, 8))
            expect(holders[1].says.startswith("8 pieces, of"), holders[1].says)
            program("compute", output="words")(bench, at)

            table = top(at)
            expect(" hog " in table and " modest " in table and "of 1.0G" in table, table)
            (server,) = json.loads(top(at, "--json"))["servers"]
            by_name = {c["name"]: c for c in server["contexts"]}
            held = {n: by_name[n]["mappable_bytes"] >> 20 for n in ("hog", "modest")}
            expect(hog <= held["hog"] < BUDGET and 32 <= held["modest"] < 64, f"top says {held}")
            expect(by_name["hog"]["refusals"] > 0 and by_name["modest"]["refusals"] == 0, f"{by_name}")
            expect(server["memory_limit"] == BUDGET << 20 and server["contexts_lost"] == 0, f"{server}")
            expect(by_name["modest"]["submissions"] > 0 and by_name["modest"]["resident_bytes"] > 0, f"{by_name}")

            for holder in holders:
                holder.let_go()
            lines = [w for w in at.warnings() if "and the guest did not wait for it" not in w]
            expect(len(lines) == 1 and "(hog): 16 MiB of memory refused" in lines[0], f"{lines}")
            # What was given back is there for the next.
            holders.append(Holder(at, "heir", 16, 48))
            expect(holders[2].says.startswith("48 pieces, of"), holders[2].says)
            holders[2].let_go()
        finally:
            for holder in holders:
                holder.end()
    return f"refused at {hog} MiB of {BUDGET}"


def recorded(bench, side):
    """What a driver keeps of a program's commands is memory of that program: others run beside it."""
    most = 512  # MiB
    with kill.server(bench, side, f"--gpu-memory={most}M") as at:
        hog = Holder(at, "hog", "recorded", 4 * most)
        try:
            count = int(hog.says.split()[0])
            expect("then refused" in hog.says and most // 2 < count < most, hog.says)
            (server,) = json.loads(top(at, "--json"))["servers"]
            held = server["contexts"][0]["driver_bytes"] >> 20 if server["contexts"] else 0
            program("compute", output="words")(bench, at)
        finally:
            hog.end()
    return f"refused at {count} MiB of {most}, where the driver holds {held}"


FILES = 256  # that the server and each of its workers may have open
SHARE = FILES * 3 // 4  # of clients


class Waiter:
    """A client that waits for what never comes, as often as it may: the server holds a descriptor for each wait."""

    def __init__(self, at, name):
        self.waits = 0
        self.socket = kill.connect(at)
        self.socket.sendall(kill.hello(name) + kill.message(kill.CONTEXT_INIT, 4) + kill.message(kill.SYNC_CREATE, 0, 0))
        self.sync = struct.unpack("<6I", self.bytes(24))[5]

    def bytes(self, size):
        data = self.socket.recv(size, socket.MSG_WAITALL)
        expect(len(data) == size and any(data), "the server hangs up")
        return data

    def wait(self):
        self.socket.sendall(kill.message(kill.SYNC_WAIT, 0, 0xFFFFFFFF, self.sync, 1, 0))
        self.bytes(8)
        _, fds, _, _ = socket.recv_fds(self.socket, 1, 1)
        expect(len(fds) == 1, "no descriptor")
        os.close(fds[0])
        self.waits += 1

    def wait_until_refused(self):
        with contextlib.suppress(cases.Failed, ConnectionError):
            while True:
                self.wait()


def descriptors(bench, side):
    """Beside clients that take all descriptors of the server and of their workers, others begin and run."""
    neighbours, waiters = [], []
    with kill.server(bench, side, files=FILES) as at:
        try:
            waiters = [Waiter(at, b"first"), Waiter(at, b"second")]
            while waiters[0].waits < SHARE // 2:
                waiters[0].wait()
            (server,) = json.loads(top(at, "--json"))["servers"]
            held = {c["name"]: c["descriptors"] for c in server["contexts"]}
            expect(held["first"] == waiters[0].waits + held["second"] and server["descriptor_limit"] == SHARE, f"{server}")
            for waiter in waiters:
                waiter.wait_until_refused()
                program("compute", output="words")(bench, at)
            expect(SHARE // 2 < waiters[0].waits < SHARE, f"{waiters[0].waits} waits")
            lines = at.warnings()
            expect(len(lines) == 2 and all("there are no descriptors for it" in line for line in lines), f"{lines}")
            # A worker refuses memory before it lacks descriptors itself.
            neighbours.append(Holder(at, "hog", 1, 1000))
            expect("then refused" in neighbours[0].says, neighbours[0].says)
            expect(FILES // 2 < neighbours[0].mebibytes() < SHARE, neighbours[0].says)
            by_name = {c["name"]: c for c in json.loads(top(at, "--json"))["servers"][0]["contexts"]}
            expect(by_name["hog"]["worker_descriptors"] > neighbours[0].mebibytes(), f"{by_name}")
            neighbours[0].let_go()
        finally:
            for holder in neighbours:
                holder.end()
            for waiter in waiters:
                waiter.socket.close()
    return f"refused at {waiters[0].waits} waits of {SHARE} descriptors"


CASES = {"greedy": greedy, "recorded": recorded, "descriptors": descriptors}
