#!/usr/bin/env python3
"""scripts/check-rooms finds what it promises to find: each case breaks one rule in a copy of a few files."""

import os
import shutil
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
CHECK = os.path.join(ROOT, "scripts/check-rooms")

def function(name, body=""):
    return f"void {name}(void)\n{{\n    {body}\n}}\n"


# (what is promised, file, what is written into it, what must be said; None: nothing)
# More than one file: {file: text}, and None for the text.
CASES = [
    ("a room includes what is below it", "src/link/x.c", '#include "os/os.h"\n', None),
    ("a room does not include what is above it", "src/os/x.c", '#include "link/link.h"\n', "is not below it"),
    ("nor its neighbour", "src/front/vtest/x.c", '#include "gpu/gpu.h"\n', "is not below it"),
    ("nor what was generated for one above it", "src/link/x.c", '#include "wire_vulkan.h"\n', "is not below it"),
    ("a path must lead to a room", "src/cli/x.c", '#include "attic/x.h"\n', "is in no room"),
    ("a room needs a row", "src/attic/x.c", "int x;\n", "no row for src/attic"),
    ("a platform's header", "src/venus/x.c", "#include <sys/eventfd.h>\n", "is of one platform"),
    ("a platform's function", "src/gpu/x.c", "int f(void)\n{\n    return kqueue();\n}\n", "x.c:3: kqueue is of one platform"),
    ("a platform's macro", "src/base/x.h", "#ifdef __APPLE__\n#endif\n", "is of one platform"),
    ("they may be talked about", "src/base/x.c", '// epoll\n/* not\n kqueue */ const char *x = "memfd_create";\n', None),
    ("a file of the platform may use them", "src/os/linux_x.c", "#include <sys/epoll.h>\nint x = EPOLLIN;\n", None),
    ("also of the other", "src/os/macos_x.c", "#include <sys/event.h>\nint x = EVFILT_READ;\n", None),
    ("the others of src/os may not", "src/os/x.c", "int x = EPOLLIN;\n", "is of one platform"),
    ("nor what is not named like this", "src/os/linux.c", "#include <sys/epoll.h>\n", "is of one platform"),
    ("the placer has two such files", "src/placer/placer_linux.c", "#include <sys/sysmacros.h>\n", None),
    ("of macOS too", "src/placer/placer_macos.c", "#include <crt_externs.h>\n", None),
    ("and no more", "src/placer/placer.c", "#ifdef __linux__\n#endif\n", "is of one platform"),
    ("eventfd in the device", "src/gpu/x.c", "#include <sys/eventfd.h>\nint x(void)\n{\n    return eventfd(0, 0);\n}\n",
     "eventfd is of one platform"),
    ("a hypervisor's functions are looked up by name", "src/placer/x.c", "int x = hv_vm_unmap(0, 0);\n", "hv_vm_unmap is of one"),
    ("only workers load drivers", "src/front/vtest/x.c", 'void *x = dlopen("libvulkan.so.1", 0);\n', "load drivers"),
    ("a room that is described inside has no file besides", "src/venus/x.c", "int x;\n", "x.c:1: it has no place in the table of src/venus/"),
    ("a header goes with its source", "src/venus/ring.h", "int x;\n", None),
    ("600 lines are enough", "src/base/x.c", "int x;\n" * 601, "601 lines"),
    ("600 lines are not too many", "src/base/x.c", "int x;\n" * 600, None),
    ("a room may be named with its one header", "src/gpu/x.c", '#include "wire/capset.h"\n', None),
    ("and no other of it is allowed", "src/gpu/x.c", '#include "wire/wire.h"\n', "of wire only capset.h"),
    ("the room itself includes all of its headers", "src/wire/x.c", '#include "wire/wire.h"\n', None),
    ("a private header is for its room",
     {"src/os/x.h": "// Private to src/os: x.\n", "src/os/x.c": '#include "os/x.h"\n'}, None, None),
    ("and for no other",
     {"src/os/x.h": "// What it is. Private\n// to src/os.\n", "src/link/x.c": '#include "os/x.h"\n'}, None,
     '"os/x.h" is private to src/os'),
    ("functions are used in one direction",
     {"src/os/a.c": function("a", "b();"), "src/os/b.c": function("b")}, None, None),
    ("and not in a circle",
     {"src/os/a.c": function("a", "b();"), "src/os/b.c": function("b", "c();"), "src/os/c.c": function("c", "x = a;")},
     None, "a circle of 3 files: a.c uses b of b.c; b.c uses c of c.c; c.c uses a of a.c"),
    ("also by way of a function in a header",
     {"src/os/a.c": function("a", "b();"), "src/os/b.c": function("b"), "src/os/b.h": function("inlined", "a();")}, None,
     "a circle of 2 files"),
    ("which a declaration is not",
     {"src/os/a.c": function("a", "b();"), "src/os/b.c": function("b"), "src/os/b.h": "void a(void);\n"}, None, None),
    ("nor a member or a structure of that name",
     {"src/os/a.c": function("a", "b();"), "src/os/b.c": function("b", "x.a = sizeof(struct a) + y->a;")}, None, None),
    ("nor a static function",
     {"src/os/a.c": "static " + function("a", "b();"), "src/os/b.c": function("b", "a();")}, None, None),
    ("nor what is said about it",
     {"src/os/a.c": function("a", "b();"), "src/os/b.c": function("b", "// a()")}, None, None),
    ("a circle that is there for a reason",
     {"src/input/device.c": function("a", "b();"), "src/input/state.c": function("b", "a();")}, None, None),
    ("a reader of others' bytes is told of", "src/link/link.c", "int x = recvmsg(y);\n", None),
    ("wherever it is", "src/os/x.c", "int x = recv(y);\n", "x.c:1: recv: whoever receives bytes has a row"),
    ("a fuzzer is told of", {"tests/fuzz/x.c": "int LLVMFuzzerTestOneInput(int x)", "src/os/x.c": ""}, None,
     "the target x has no row"),
    ("and what is told of is there", {"tests/fuzz/vtest.c": "int LLVMFuzzerTestOneInput(int x)", "src/os/x.c": ""}, None,
     "the target venus is not in tests/fuzz"),
    ("a room of the guest kit includes what its table allows", "guest/pci/x.c", '#include "guest/transport.h"\n', None),
    ("and nothing above it", "guest/x.c", '#include "guest/vulkan/guest.h"\n', "guest/vulkan is not below it"),
    ("nor what was generated for that", "guest/x.c", '#include "guest_vulkan.h"\n', "guest/vulkan is not below it"),
    ("it may use what a platform has", "guest/linux/x.c", "#include <sys/eventfd.h>\nint x = EFD_CLOEXEC;\n", None),
    ("no room of the host uses the kit", "src/venus/x.c", '#include "guest/ring.h"\n', "guest is not below it"),
    ("sizeof has parentheses", "src/os/x.c", "int x = sizeof y;\n", "x.c:1: sizeof without parentheses"),
    ("where it has them", "src/os/x.c", "int x = sizeof(y); // sizeof y\n", None),
    ("a section line", "src/os/x.c", "// ---- name -----\n", None),
    ("has a name", "src/os/x.c", "// ---------------\n", "a section line is"),
    ("and ends with dashes", "src/os/x.c", "// ---- name\n", "a section line is"),
    ("and is not too long", "src/os/x.c", "// ---- name " + "-" * 66 + "\n", "a section line is"),
]


def try_case(promise, path, text, said):
    folder = tempfile.mkdtemp(prefix="hesper-rooms-")
    try:
        for page in ("docs/architecture.md", "docs/security.md", "guest/README.md"):
            os.makedirs(os.path.join(folder, os.path.dirname(page)), exist_ok=True)
            shutil.copy(os.path.join(ROOT, page), os.path.join(folder, page))
        for name, content in (path if text is None else {path: text}).items():
            os.makedirs(os.path.join(folder, os.path.dirname(name)), exist_ok=True)
            with open(os.path.join(folder, name), "w", encoding="utf-8") as f:
                f.write(content)
        got = subprocess.run([CHECK, folder], capture_output=True, text=True)
    finally:
        shutil.rmtree(folder)
    good = got.returncode == 0 if said is None else got.returncode == 1 and said in got.stdout
    if not good:
        print(f"FAIL  {promise}: exit status {got.returncode}\n{got.stdout}{got.stderr}")
    return good


def main():
    passed = sum([try_case(*case) for case in CASES])
    print(f"{passed} passed, {len(CASES) - passed} failed, 0 skipped")
    return 0 if passed == len(CASES) else 1


if __name__ == "__main__":
    sys.exit(main())
