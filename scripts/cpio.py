#!/usr/bin/env python3
"""cpio.py FOLDER: the folder as an archive of the "newc" format, which the kernel unpacks at boot, on standard output."""

import os
import stat
import sys


def entry(out, number, name, mode, data):
    fields = (number, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name) + 1, 0)
    header = b"070701" + b"".join(b"%08x" % field for field in fields) + name + b"\0"
    out.write(header + bytes(-len(header) % 4) + data + bytes(-len(data) % 4))


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    top = os.fsencode(sys.argv[1])
    out = sys.stdout.buffer
    number = 0
    for folder, folders, files in os.walk(top):
        folders.sort()
        for name in sorted(folders + files):
            path = os.path.join(folder, name)
            mode = os.lstat(path).st_mode
            data = b""
            if stat.S_ISLNK(mode):
                data = os.readlink(path)
            elif stat.S_ISREG(mode):
                with open(path, "rb") as file:
                    data = file.read()
            number += 1
            entry(out, number, os.path.relpath(path, top), mode, data)
    entry(out, 0, b"TRAILER!!!", 0, b"")


if __name__ == "__main__":
    main()
