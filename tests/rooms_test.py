#!/usr/bin/env python3
"""scripts/check-rooms finds what it promises to find: each case breaks one rule in a copy of a few files."""

import os
import shutil
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
CHECK = os.path.join(ROOT, "scripts/check-rooms")

# (what is promised, file, what is written into it, what must be said; None: nothing)
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
    ("600 lines are enough", "src/base/x.c", "int x;\n" * 601, "601 lines"),
    ("600 lines are not too many", "src/base/x.c", "int x;\n" * 600, None),
]


def try_case(promise, path, text, said):
    folder = tempfile.mkdtemp(prefix="hesper-rooms-")
    try:
        os.makedirs(os.path.join(folder, "docs"))
        shutil.copy(os.path.join(ROOT, "docs/architecture.md"), os.path.join(folder, "docs"))
        os.makedirs(os.path.join(folder, os.path.dirname(path)))
        with open(os.path.join(folder, path), "w", encoding="utf-8") as f:
            f.write(text)
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
