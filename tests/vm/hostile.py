"""A program of a guest that talks to the kernel's driver as it likes (guest/hostile.c), beside one that behaves
(tests/programs/beside.c): that one is served well, and afterwards the host holds no more than before."""

import base64
import gzip
import os
import re
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.append(os.path.join(os.path.dirname(HERE), "hostile"))
import record  # noqa: E402
import vm as machines  # noqa: E402

PROGRAM = os.path.join(machines.bed.BUILD, "tests/vm/guest/hostile")
MAY_GROW = 4 << 20  # bytes: what malloc keeps
RUN = """rm -f go beside.out; mkfifo go && {{ ./beside <go >beside.out 2>&1 & exec 3>go; }}
until grep -q begun beside.out; do kill -0 $! || exit 3; sleep 0.1; done
./hostile attack {seconds} 2>attack.log; echo status $?
exec 3>&-; wait $!; cat beside.out; dmesg | grep -i -e oom -e 'killed process' | tail -3"""


def held(vm, descriptors=1 << 20):
    """What this machine's device process has of the host: workers, descriptors, bytes of its own. It has a minute to
    come down to that many descriptors, and to its spare worker."""
    folder = f"/proc/{vm.process.pid}"
    deadline = time.monotonic() + 60
    while (len(vm.workers()) != 1 or len(os.listdir(folder + "/fd")) > descriptors) and time.monotonic() < deadline:
        time.sleep(0.2)
    with open(folder + "/status") as status:
        own = int(re.search(r"RssAnon:\s+(\d+)", status.read())[1]) * 1024
    return len(vm.workers()), len(os.listdir(folder + "/fd")), own


def trial(expect, seconds):
    def run(_native, vm):
        attack = base64.encodebytes(gzip.compress(record.record()[0])).decode()
        expect(vm.run(f"base64 -d <<END | gzip -d >attack\n{attack}END\n").status == 0, "the script does not arrive")
        expect(vm.run("./compute").status == 0, "nothing runs")
        lines = len(vm.said().splitlines())
        before = held(vm)
        text = vm.run(RUN.format(seconds=seconds)).out.decode(errors="replace")
        done = re.search(r"(\d+) attempts, \d+ ended by force, (\d+) without a context, (all|cut short)\nstatus 0", text)
        good = re.search(r"(\d+) rounds, (\d+) wrong, longest \d+ ms", text)
        expect(done and int(done[1]) > 5 and done[2] == "0", "the hostile program: " + text[-300:])
        expect(good and int(good[1]) and good[2] == "0", "the program that behaves: " + text[-300:])
        said = vm.said().splitlines()[lines:]
        lost = [line for line in said if "device lost in" in line]  # by chance: most of what it does is refused
        refused = [line for line in said if "answered with ERR_" in line]
        expect(lost or refused, "nothing of the hostile program was refused: it is harmless")
        after = held(vm, before[1])
        what = f"workers, descriptors, bytes: {before} before, {after} after"
        expect(after[0] == 1 and after[1] <= before[1] and after[2] <= before[2] + MAY_GROW, what)
        expect(vm.run("./compute").status == 0, "a program afterwards fails")
        return f"{done[0].splitlines()[0]}; {len(refused)} complaints, {len(lost)} contexts lost; beside them {good[0]}; {what}"

    return run
