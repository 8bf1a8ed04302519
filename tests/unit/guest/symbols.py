"""What the guest kit's library wants of a C library: five functions, and nothing else.

    symbols.py LIBRARY
"""

import subprocess
import sys

WANTED = {"memcpy", "memset", "memcmp", "strlen", "strcmp"}
# What a compiler may make of those, or refers to itself.
COMPILER = {"bcmp", "_GLOBAL_OFFSET_TABLE_"}


def names(library, *options):
    out = subprocess.run(["nm", *options, library], check=True, capture_output=True, text=True).stdout
    return {line.split()[-1] for line in out.splitlines() if len(line.split()) > 1}


def main():
    library = sys.argv[1]
    defined = names(library, "--defined-only")
    missing = names(library, "--undefined-only") - defined - WANTED - COMPILER
    for name in sorted(missing):
        print(f"{library}: uses {name}, which a system without a C library does not have")
    if len(defined) < 300 or "vkCreateInstance" not in defined:
        print(f"{library}: has {len(defined)} symbols; is it the library?")
        return 1
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
