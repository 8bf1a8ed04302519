"""What the sanitizers found in hesper and its workers; scripts/sanitize says where they write (HESPER_REPORTS).

A worker is sandboxed: it can neither start a symbolizer nor write anywhere but in its driver's cache folders. So
the folder of the reports is declared to be one, and addresses get their names here.
"""

import glob
import os
import re
import subprocess
import sys

FOLDER = os.environ.get("HESPER_REPORTS")
# Not "Running thread was not suspended": threads that the driver started before the sandbox closed
# can't be looked into by those inside. It could at worst make something reachable a leak.
HEADLINE = re.compile("ERROR: |WARNING: ThreadSanitizer|runtime error")


def environment():
    """For programs that may be instrumented. The variable is NVIDIA's; lavapipe does not read it."""
    return {"__GL_SHADER_DISK_CACHE_PATH": FOLDER} if FOLDER else {}


def paths():
    """Of all reports so far."""
    return {p for p in glob.glob(os.path.join(FOLDER, "*")) if headlines(p)} if FOLDER else set()


def headlines(path):
    with open(path, errors="replace") as f:
        return [line.strip() for line in f if HEADLINE.search(line)]


def named(text):
    """The text with functions and lines for addresses of programs and libraries that have debug information."""
    places = re.compile(r"\((/[^()]+)\+(0x[0-9a-f]+)\)( \(BuildId: \w+\))?")
    wanted = {}
    for module, address, _ in places.findall(text):
        wanted.setdefault(module, set()).add(address)
    names = {}
    for module, addresses in wanted.items():
        argv = ["addr2line", "-C", "-f", "-p", "-i", "-a", "-e", module, *sorted(addresses)]
        out = subprocess.run(argv, capture_output=True, text=True).stdout
        # Each answer begins with its address; inlined frames follow on lines of their own.
        for answer in re.split(r"^(?=0x)", out, flags=re.M)[1:]:
            address, _, rest = answer.partition(": ")
            frames = [l.replace(" (inlined by) ", "").strip() for l in rest.strip().splitlines()]
            if not frames[0].startswith("??"):
                names[module, int(address, 16)] = " < ".join(frames)

    def name(match):
        module, address, _ = match.groups()
        found = names.get((module, int(address, 16)))
        return found if found else f"({os.path.basename(module)}+{address})"

    return places.sub(name, text)


def read(path):
    with open(path, errors="replace") as f:
        return named(f.read())


def summary(found):
    """One line for a failed case."""
    return f"{len(found)} sanitizer reports: {headlines(min(found))[0]}" if found else ""


if __name__ == "__main__":
    for argument in sys.argv[1:]:
        print(read(argument))
