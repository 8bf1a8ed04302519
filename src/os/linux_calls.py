#!/usr/bin/env python3
"""linux_calls.py OUTPUT COMPILER...: the names of system calls by their numbers, as the C library's kernel headers have them."""

import re
import subprocess
import sys

found = subprocess.run(
    sys.argv[2:] + ["-E", "-dM", "-x", "c", "-"], input="#include <asm/unistd.h>\n", text=True, check=True, capture_output=True
)
names = {int(number): name for name, number in re.findall(r"^#define __NR_(\w+) (\d+)$", found.stdout, re.M)}
with open(sys.argv[1], "w") as out:
    for number in sorted(names):
        out.write(f'[{number}] = "{names[number]}",\n')
