"""What a Mach-O file says of itself: as much as scripts/check-macos asks. 64 bits, one architecture."""

import struct

ARCHITECTURES = {0x0100000C: "aarch64", 0x01000007: "x86_64"}
KINDS = {2: "program", 6: "library", 8: "bundle"}

MAGIC = 0xFEEDFACF
SYMTAB, DYLIB, CODE_SIGNATURE, BUILD_VERSION, VERSION_MIN = 0x2, 0xC, 0x1D, 0x32, 0x24
DYLIBS = (DYLIB, 0x80000018, 0x8000001F, 0x20, 0x80000023)  # wanted, weak, re-exported, lazy, upward
MACOS = 1

STAB, TYPE, EXTERNAL, PRIVATE = 0xE0, 0x0E, 0x01, 0x10  # in n_type
WEAK = 0x80  # in n_desc: a definition that another may replace; the compiler's own helpers are


class Bad(Exception):
    """The file is not what this reads."""


class File:
    """architecture, kind, libraries, imports, exports, oldest (macOS version, a tuple), signed"""

    def __init__(self, data):
        try:
            self._read(data)
        except struct.error as error:
            raise Bad(f"cut short ({error})") from error

    def _read(self, data):
        magic, cpu, _, kind, commands, _, _, _ = struct.unpack_from("<8I", data)
        if magic != MAGIC:
            raise Bad(f"no 64-bit Mach-O file (magic {magic:#x})")
        self.architecture = ARCHITECTURES.get(cpu, hex(cpu))
        self.kind = KINDS.get(kind, str(kind))
        self.libraries, self.imports, self.exports = [], [], []
        self.oldest, self.signed = None, False
        at = 32
        for _ in range(commands):
            command, size = struct.unpack_from("<2I", data, at)
            if size < 8:
                raise Bad("a load command without a size")
            if command in DYLIBS:
                (name,) = struct.unpack_from("<I", data, at + 8)
                self.libraries.append(data[at + name : at + size].split(b"\0")[0].decode())
            elif command == SYMTAB:
                self._symbols(data, *struct.unpack_from("<4I", data, at + 8))
            elif command == CODE_SIGNATURE:
                self.signed = True
            elif command == BUILD_VERSION:
                platform, version = struct.unpack_from("<2I", data, at + 8)
                if platform != MACOS:
                    raise Bad(f"for platform {platform}, not macOS")
                self.oldest = (version >> 16, version >> 8 & 255)
            elif command == VERSION_MIN:
                (version,) = struct.unpack_from("<I", data, at + 8)
                self.oldest = (version >> 16, version >> 8 & 255)
            at += size

    def _symbols(self, data, symbols, count, strings, _):
        for i in range(count):
            name, kind, _, description, value = struct.unpack_from("<IBBHQ", data, symbols + 16 * i)
            if kind & STAB or not kind & EXTERNAL:
                continue
            end = data.index(b"\0", strings + name)
            text = data[strings + name : end].decode().removeprefix("_")
            if kind & TYPE == 0 and not value:
                self.imports.append(text)
            elif not kind & PRIVATE and not description & WEAK:
                self.exports.append(text)
