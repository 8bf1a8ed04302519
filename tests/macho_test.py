#!/usr/bin/env python3
"""scripts/check-macos objects to what it promises to object to: each case is a made-up Mach-O file."""

import importlib.machinery
import importlib.util
import os
import struct
import sys
import tempfile

SCRIPTS = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "scripts")
sys.path.insert(0, SCRIPTS)
sys.dont_write_bytecode = True
loader = importlib.machinery.SourceFileLoader("check_macos", os.path.join(SCRIPTS, "check-macos"))
check_macos = importlib.util.module_from_spec(importlib.util.spec_from_loader("check_macos", loader))
loader.exec_module(check_macos)

ARM, INTEL = 0x0100000C, 0x01000007
UNDEFINED, DEFINED, PRIVATE = 0x01, 0x0F, 0x1F


def make(cpu=ARM, kind=2, libraries=("/usr/lib/libSystem.B.dylib",), symbols=(("_close", UNDEFINED, 0),), signed=True,
         oldest=11 << 16, platform=1):
    commands = []
    for name in libraries:
        text = name.encode() + b"\0" * (8 - len(name) % 8)
        commands.append(struct.pack("<6I", 0xC, 24 + len(text), 24, 0, 0, 0) + text)
    commands.append(struct.pack("<6I", 0x32, 24, platform, oldest, oldest, 0))
    if signed:
        commands.append(struct.pack("<4I", 0x1D, 16, 0, 0))
    strings, entries = b"\0", b""
    for name, type_, description in symbols:
        value = 0 if type_ == UNDEFINED else 0x1000
        entries += struct.pack("<IBBHQ", len(strings), type_, 0 if not value else 1, description, value)
        strings += name.encode() + b"\0"
    head = 32 + sum(map(len, commands)) + 24
    commands.append(struct.pack("<6I", 2, 24, head, len(symbols), head + len(entries), len(strings)))
    body = b"".join(commands)
    return struct.pack("<8I", 0xFEEDFACF, cpu, 0, kind, len(commands), len(body), 0, 0) + body + entries + strings


# (what is promised, the file, what must be said; None: nothing)
CASES = [
    ("a file that keeps the rules", make(), None),
    ("its architecture", make(cpu=INTEL), "is for x86_64"),
    ("its kind", make(kind=6), "is a library"),
    ("no library but the system's", make(libraries=("/usr/lib/libSystem.B.dylib", "@rpath/libvulkan.1.dylib")), "needs @rpath/libvulkan"),
    ("no framework", make(libraries=("/System/Library/Frameworks/Metal.framework/Metal",)), "needs /System"),
    ("nothing that only Linux has", make(symbols=(("_eventfd", UNDEFINED, 0),)), "imports eventfd, which macOS does not have"),
    ("nor a family of it", make(symbols=(("_epoll_wait", UNDEFINED, 0),)), "imports epoll_wait"),
    ("nothing that Hesper forbids itself", make(symbols=(("_fork", UNDEFINED, 0),)), "imports fork: children"),
    ("under whatever variant of its name", make(symbols=(("_fork$UNIX2003", UNDEFINED, 0),)), "imports fork"),
    ("no more to see than was meant", make(symbols=(("_secret", DEFINED, 0),)), "exports secret"),
    ("what the linker hides is hidden", make(symbols=(("_secret", PRIVATE, 0),)), None),
    ("the compiler's own helpers don't count", make(symbols=(("_memcpy", DEFINED, 0x80),)), None),
    ("a signature, where a Mac asks for one", make(signed=False), "no signature"),
    ("no newer macOS than was promised", make(oldest=14 << 16), "needs macOS (14, 0)"),
    ("macOS and not another system of Apple's", make(platform=2), "for platform 2"),
    ("a program of Linux is none of macOS", b"\x7fELF" + bytes(60), "no 64-bit Mach-O"),
    ("a file that is cut short", make()[:60], "cut short"),
]


def try_case(promise, data, said):
    with tempfile.NamedTemporaryFile() as file:
        file.write(data)
        file.flush()
        wrong, _ = check_macos.objections(file.name, "aarch64", "program", {"main"})
    good = not wrong if said is None else any(said in line for line in wrong)
    if not good:
        print(f"FAIL  {promise}: {wrong}")
    return good


def main():
    passed = sum([try_case(*case) for case in CASES])
    print(f"{passed} passed, {len(CASES) - passed} failed, 0 skipped")
    return 0 if passed == len(CASES) else 1


if __name__ == "__main__":
    sys.exit(main())
