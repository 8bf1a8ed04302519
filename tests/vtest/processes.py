"""Which processes there are on this machine. Zombies do not count."""

import collections
import os

Process = collections.namedtuple("Process", "parent session arguments")


def processes():
    """{pid: Process}, in the order in which they were started."""
    found = []
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/stat") as f:
                fields = f.read().rpartition(")")[2].split()
            with open(f"/proc/{pid}/cmdline", errors="replace") as f:
                arguments = f.read().split("\0")[:-1]
        except OSError:
            continue  # it has ended
        if fields[0] != "Z":
            found.append((int(fields[19]), int(pid), Process(int(fields[1]), int(fields[3]), arguments)))
    return {pid: process for _, pid, process in sorted(found)}


def children(parent, command=None):
    """Their numbers, oldest first; of those only that run this command of hesper, if one is named."""
    return [pid for pid, p in processes().items() if p.parent == parent and command in (None, *p.arguments[1:2])]
