"""Cases about memory: one program takes all that it can get, and others beside it go on.

What must hold: the greedy one is refused by an error and goes on too, a small one gets what it asks for, and
`hesper top` says who holds what. Each case runs a server of its own.
"""

import json
import os
import subprocess

import bed
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


CASES = {"greedy": greedy}
