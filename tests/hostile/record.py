#!/usr/bin/env python3
"""record FILE [ATTEMPTS]: writes down what the clients of tests/hostile/run would say, for a program in a virtual machine.

tests/vm/guest/hostile.c plays it. Attempts that need a vtest socket are left out. Records begin with a letter:
A name      a context of its own from here on       M id size            shared memory
W id offset bytes   written into it                 S ring bytes         a submission
F milliseconds      waits for all of it, so long at most
A resource has a made-up number here, which the player replaces by the kernel's.
"""

import itertools
import os
import struct
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "../vtest")]
import client  # noqa: E402
import kinds  # noqa: E402

ATTEMPTS = 120
MADE_UP = 0x51A70000
SHOWN = 65536  # bytes of a memory that may be written
PIECE = 1 << 20


class NotHere(Exception):
    """What the attempt wants is vtest's, or too long."""


class Memory(bytearray):
    def __init__(self, size):
        super().__init__(min(size, SHOWN))
        self.before = bytes(self)

    def close(self):
        pass


class Recorder:
    """In the place of client.Guest."""

    def __init__(self, name):
        self.out = [b"A" + struct.pack("<I", len(name)) + name.encode()]
        self.memories = []

    def memory(self, size):
        number = MADE_UP + len(self.memories)
        self.memories.append(Memory(size))
        self.out.append(b"M" + struct.pack("<2I", number, min(size, 0xFFFFFFFF)))
        return number, self.memories[-1]

    def written(self):
        """What has changed in memory; the words in front, a ring's tail, last."""
        for number, memory in enumerate(self.memories):
            for at in range(len(memory) - 64, -1, -64):
                if memory[at : at + 64] != memory.before[at : at + 64]:
                    self.out.append(b"W" + struct.pack("<3I", MADE_UP + number, at, 64) + memory[at : at + 64])
            memory.before = bytes(memory)

    def submit(self, commands, syncs=b"", ring=0):
        if syncs:
            raise NotHere("syncs")
        self.written()
        if len(commands) > PIECE:
            raise NotHere("too long")
        commands += bytes(-len(commands) % 4)
        self.out.append(b"S" + struct.pack("<2I", ring, len(commands)) + commands)

    def settled(self, seconds=2):
        self.written()
        self.out.append(b"F" + struct.pack("<I", int(seconds * 1000)))
        return True

    def read(self, _words):
        raise NotHere("answers")

    def send(self, _data):
        raise NotHere("the socket")


def record(attempts=ATTEMPTS):
    """(bytes, how many attempts were left out). One of each kind, then another of each: who stops early has seen all."""
    model, out, left_out = client.load(), [], 0
    each = max(1, attempts // len(kinds.KINDS))
    rounds = []
    for name, function in kinds.KINDS.items():
        tries = list(function(model))
        step = max(1, len(tries) // each)
        rounds.append([(name, *attempt) for attempt in tries[step // 2 :: step][:each]])
    for name, what, does in (attempt for a_round in itertools.zip_longest(*rounds) for attempt in a_round if attempt):
        guest = Recorder(f"{name}: {what}")
        try:
            does(guest, client.Commands(model, client.seeded(name, what)))
            guest.settled()
            out += guest.out
        except NotHere:
            left_out += 1
    return b"".join(out), left_out


if __name__ == "__main__":
    data, left_out = record(*map(int, sys.argv[2:]))
    with open(sys.argv[1], "wb") as f:
        f.write(data)
    print(f"{len(data)} bytes; {left_out} attempts left out")
