"""What processes have used between two looks at /proc: CPU time, sleeps, page faults, by thread."""

import collections
import os
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
sys.path.insert(0, os.path.join(ROOT, "tests/vtest"))
from processes import processes  # noqa: E402


class Used(collections.namedtuple("Used", "cpu sleeps preempted faults")):
    """Microseconds, and counts. A sleep is a switch that the thread itself asked for."""

    def __add__(self, other):
        return Used(*(a + b for a, b in zip(self, other)))

    def __sub__(self, other):
        return Used(*(a - b for a, b in zip(self, other)))

    def each(self, operations):
        return Used(*(a / operations for a in self))


NOTHING = Used(0, 0, 0, 0)


def descendants(root):
    """The process and all that it and its children have started."""
    parents = {pid: process.parent for pid, process in processes().items()}
    found, more = set(), {root}
    while more:
        found |= more
        more = {pid for pid, parent in parents.items() if parent in found} - found
    return found


def thread(folder):
    with open(folder + "/status") as f:
        status = dict(line.split(":\t", 1) for line in f.read().splitlines() if ":\t" in line)
    with open(folder + "/stat") as f:
        stat = f.read().rpartition(")")[2].split()
    try:
        with open(folder + "/schedstat") as f:
            cpu = int(f.read().split()[0]) / 1000
    except OSError:
        cpu = (int(stat[11]) + int(stat[12])) * 1e6 / os.sysconf("SC_CLK_TCK")
    switches = [int(status[k]) for k in ("voluntary_ctxt_switches", "nonvoluntary_ctxt_switches")]
    return status["Name"], Used(cpu, *switches, int(stat[7]))


def look(roots):
    """{(pid, tid, name): Used} of the processes and what they have started."""
    found = {}
    for pid in set().union(*map(descendants, roots)) if roots else ():
        try:
            for tid in os.listdir(f"/proc/{pid}/task"):
                name, used = thread(f"/proc/{pid}/task/{tid}")
                found[pid, int(tid), name] = used
        except OSError:
            continue  # it has just ended
    return found


def between(before, after):
    """{(pid, tid, name): Used} of those that were there at both looks, or came between them."""
    return {key: used - before.get(key, NOTHING) for key, used in after.items()}


def total(used):
    return sum(used.values(), NOTHING)
