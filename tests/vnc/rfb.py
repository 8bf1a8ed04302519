"""A VNC client for tests (RFC 6143), one thread: what it knows is what the tests look at.

Encodings: raw, copy, zlib, ZRLE, hextile (of the library's, enough), cursor with alpha mask, desktop size, extended desktop
size, QEMU's keys and mouse. Security: none, VNC's password, VeNCrypt (X509) with either.
"""

import os
import socket
import ssl
import struct
import time
import zlib

RAW, COPY, HEXTILE, ZLIB, ZRLE = 0, 1, 5, 6, 16
CURSOR, DESKTOP_SIZE, EXTENDED_DESKTOP_SIZE, QEMU_KEYS = -239, -223, -308, -258
QEMU_MOUSE = -257
SET_SCALE, SET_SCALE_PALMVNC = 8, 15
EXTENDED_CLIPBOARD = 0xC0A1E5CE - (1 << 32)
CLIP_TEXT, CLIP_CAPS, CLIP_REQUEST, CLIP_NOTIFY, CLIP_PROVIDE = 1, 1 << 24, 1 << 25, 1 << 27, 1 << 28


class Closed(Exception):
    """The server has ended the connection."""


class Refused(Exception):
    """The server has said why not."""


def connect(address, timeout=120):
    """(host, port) or the path of a socket."""
    if isinstance(address, str):
        s = socket.socket(socket.AF_UNIX)
        s.settimeout(timeout)
        s.connect(address)
        return s
    s = socket.create_connection(address, timeout)
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return s


class Client:
    """A viewer. `frame` is its picture: rows of R, G, B, X."""

    def __init__(self, address, password=None, encodings=(RAW, DESKTOP_SIZE), security=None, sock=None, timeout=120, version=b"RFB 003.008\n", tls=None):
        self.sock = sock or connect(address, timeout)
        self.timeout = timeout
        self.inflate = zlib.decompressobj()
        self.cursor = None  # (width, height, hot x, hot y, pixels, mask)
        self.cursors = self.updates = self.rectangles = self.pixels = self.bytes = 0
        self.areas = []  # of the last update: (x, y, width, height, encoding)
        self.qemu_keys = False
        self.absolute = None  # what the pointer means, to a viewer with QEMU's mouse; True: a place
        self.copied = []  # texts of the server: bytes in Latin-1, or str
        self.resized = []  # (reason, status, width, height)
        self.version = self.read(12)
        self.write(version)
        self.login(password, security, tls)
        self.write(b"\x01")  # shared
        self.width, self.height = struct.unpack(">HH", self.read(4))
        self.server_format = self.read(16)
        self.name = self.read(struct.unpack(">I", self.read(4))[0]).decode()
        self.frame = bytearray(self.width * self.height * 4)
        self.write(struct.pack(">B3xBBBBHHHBBB3x", 0, 32, 24, 0, 1, 255, 255, 255, 0, 8, 16))
        self.set_encodings(encodings)

    # -- bytes

    def read(self, size):
        parts = []
        while size:
            try:
                part = self.sock.recv(min(size, 1 << 20))
            except (ConnectionError, ssl.SSLError) as e:
                raise Closed(str(e))
            if not part:
                raise Closed("end of stream")
            parts.append(part)
            size -= len(part)
            self.bytes += len(part)
        return b"".join(parts)

    def write(self, data):
        try:
            self.sock.sendall(data)
        except (ConnectionError, ssl.SSLError) as e:
            raise Closed(str(e))

    def close(self):
        self.sock.close()

    # -- beginning

    def reason(self):
        return self.read(struct.unpack(">I", self.read(4))[0]).decode()

    def login(self, password, security, tls):
        kinds = self.read(self.read(1)[0])
        if not kinds:
            raise Refused(self.reason())
        self.security = list(kinds)
        kind = security if security is not None else 19 if tls else 2 if password is not None else 1
        if kind not in kinds:
            raise Refused(f"security types are {list(kinds)}")
        self.write(bytes([kind]))
        if kind == 19:
            kind = self.vencrypt(password, tls)
        if kind == 2:
            self.write(answer(password, self.read(16)))
        if struct.unpack(">I", self.read(4))[0]:
            raise Refused(self.reason())

    def vencrypt(self, password, context):
        assert self.read(2) == b"\0\2"
        self.write(b"\0\2")
        assert self.read(1) == b"\0"
        kinds = struct.unpack(f">{(n := self.read(1)[0])}I", self.read(4 * n))
        kind = 261 if password is not None else 260
        if kind not in kinds:
            raise Refused(f"VeNCrypt types are {list(kinds)}")
        self.write(struct.pack(">I", kind))
        assert self.read(1) == b"\1"
        self.sock = context.wrap_socket(self.sock, server_hostname="localhost")
        return 2 if kind == 261 else 1

    def set_encodings(self, encodings):
        self.write(struct.pack(f">BxH{len(encodings)}i", 2, len(encodings), *encodings))

    # -- what a person does

    def key(self, symbol, down):
        self.write(struct.pack(">BBHI", 4, down, 0, symbol))

    def type(self, symbol):
        self.key(symbol, 1)
        self.key(symbol, 0)

    def scancode(self, code, down, symbol=0):
        self.write(struct.pack(">BBHII", 255, 0, down, symbol, code))

    def pointer(self, x, y, buttons=0):
        self.write(struct.pack(">BBHH", 5, buttons, x, y))

    def move(self, x, y, buttons=0):
        self.pointer(0x7FFF + x, 0x7FFF + y, buttons)

    def set_size(self, width, height):
        self.write(struct.pack(">BxHHBxIHHHHI", 251, width, height, 1, 0, 0, 0, width, height, 0))

    def scale(self, divisor, kind=SET_SCALE):
        self.write(bytes([kind, divisor, 0, 0]))

    def request(self, incremental=True):
        self.write(struct.pack(">BBHHHH", 3, incremental, 0, 0, self.width, self.height))

    def copy(self, text):
        """bytes: Latin-1, as old viewers do; str: the extended clipboard's way."""
        if isinstance(text, bytes):
            self.write(struct.pack(">B3xI", 6, len(text)) + text)
        else:
            data, deflate = text.encode() + b"\0", zlib.compressobj()
            data = deflate.compress(struct.pack(">I", len(data)) + data) + deflate.flush(zlib.Z_SYNC_FLUSH)  # as viewers do
            self.extended(CLIP_PROVIDE | CLIP_TEXT, data)

    def extended(self, flags, data=b""):
        self.write(struct.pack(">B3xiI", 6, -4 - len(data), flags) + data)

    # -- what comes

    def take_text(self, size):
        if size >= 0:
            self.copied.append(self.read(size))
            return
        (flags,), data = struct.unpack(">I", self.read(4)), self.read(-size - 4)
        if flags & CLIP_CAPS:
            self.extended(CLIP_CAPS | CLIP_PROVIDE | CLIP_NOTIFY | CLIP_REQUEST | CLIP_TEXT, struct.pack(">I", 1 << 20))
        elif flags & CLIP_NOTIFY:
            self.extended(CLIP_REQUEST | CLIP_TEXT)
        elif flags & CLIP_PROVIDE:
            self.copied.append(zlib.decompressobj().decompress(data)[4:].rstrip(b"\0").decode())

    def rgb(self, x, y):
        at = (y * self.width + x) * 4
        return tuple(self.frame[at : at + 3])

    def put(self, x, y, width, height, pixels):
        for row in range(height):
            at = ((y + row) * self.width + x) * 4
            self.frame[at : at + width * 4] = pixels[row * width * 4 : (row + 1) * width * 4]

    def fill(self, x, y, width, height, pixel):
        for row in range(y, y + height):
            at = (row * self.width + x) * 4
            self.frame[at : at + width * 4] = pixel * width

    def resize(self, width, height):
        if (width, height) != (self.width, self.height):
            self.width, self.height = width, height
            self.frame = bytearray(width * height * 4)

    def hextile(self, x, y, width, height):
        background = foreground = b"\0\0\0\0"
        for top in range(y, y + height, 16):
            for left in range(x, x + width, 16):
                w, h = min(16, x + width - left), min(16, y + height - top)
                flags = self.read(1)[0]
                if flags & 1:
                    self.put(left, top, w, h, self.read(w * h * 4))
                    continue
                background = self.read(4) if flags & 2 else background
                foreground = self.read(4) if flags & 4 else foreground
                self.fill(left, top, w, h, background)
                for _ in range(self.read(1)[0] if flags & 8 else 0):
                    color = self.read(4) if flags & 16 else foreground
                    place, size = self.read(2)
                    self.fill(left + (place >> 4), top + (place & 15), (size >> 4) + 1, (size & 15) + 1, color)

    def zrle(self, x, y, width, height):
        data = self.inflate.decompress(self.read(struct.unpack(">I", self.read(4))[0]))
        at = 0

        def take(size):
            nonlocal at
            at += size
            return data[at - size : at]

        def color():
            return take(3) + b"\0"

        def run():
            length = 1
            while (byte := take(1)[0]) == 255:
                length += 255
            return length + byte

        for top in range(y, y + height, 64):
            for left in range(x, x + width, 64):
                w, h = min(64, x + width - left), min(64, y + height - top)
                kind = take(1)[0]
                palette = [color() for _ in range(kind & 127)]
                if kind == 0:
                    pixels = b"".join(color() for _ in range(w * h))
                elif kind == 1:
                    pixels = palette[0] * (w * h)
                elif kind < 128:
                    bits = 1 if kind <= 2 else 2 if kind <= 4 else 4
                    rows = []
                    for _ in range(h):
                        row = take((w * bits + 7) // 8)
                        rows += [palette[row[i * bits // 8] >> (8 - bits - i * bits % 8) & (1 << bits) - 1] for i in range(w)]
                    pixels = b"".join(rows)
                else:
                    parts, left_over = [], w * h
                    while left_over > 0:
                        if kind == 128:
                            pixel, length = color(), run()
                        else:
                            index = take(1)[0]
                            pixel, length = palette[index & 127], run() if index & 128 else 1
                        parts.append(pixel * length)
                        left_over -= length
                    pixels = b"".join(parts)
                self.put(left, top, w, h, pixels)

    def rectangle(self):
        x, y, width, height, encoding = struct.unpack(">HHHHi", self.read(12))
        if encoding == RAW:
            self.put(x, y, width, height, self.read(width * height * 4))
        elif encoding == COPY:
            from_x, from_y = struct.unpack(">HH", self.read(4))
            rows = [self.frame[((from_y + r) * self.width + from_x) * 4 :][: width * 4] for r in range(height)]
            self.put(x, y, width, height, b"".join(rows))
        elif encoding == HEXTILE:
            self.hextile(x, y, width, height)
        elif encoding == ZLIB:
            self.put(x, y, width, height, self.inflate.decompress(self.read(struct.unpack(">I", self.read(4))[0])))
        elif encoding == ZRLE:
            self.zrle(x, y, width, height)
        elif encoding == CURSOR:
            pixels, mask = self.read(width * height * 4), self.read((width + 7) // 8 * height)
            self.cursor = (width, height, x, y, pixels, mask)
            self.cursors += 1
        elif encoding == DESKTOP_SIZE:
            self.resize(width, height)
        elif encoding == EXTENDED_DESKTOP_SIZE:
            self.read(16 * self.read(4)[0])
            self.resized.append((x, y, width, height))
            self.resize(width, height)
        elif encoding == QEMU_KEYS:
            self.qemu_keys = True
        elif encoding == QEMU_MOUSE:
            self.absolute = bool(x)
        else:
            raise AssertionError(f"encoding {encoding} was not asked for")
        if encoding >= 0:
            self.rectangles += 1
            self.pixels += width * height
            self.areas.append((x, y, width, height, encoding))

    def message(self, timeout=None):
        """One message of the server's. False: none in `timeout` seconds."""
        self.sock.settimeout(timeout or self.timeout)
        try:
            kind = self.read(1)[0]
        except (socket.timeout, ssl.SSLWantReadError):
            return False
        finally:
            self.sock.settimeout(self.timeout)
        if kind == 0:
            self.areas = []
            for _ in range(struct.unpack(">xH", self.read(3))[0]):
                self.rectangle()
            self.updates += 1
        elif kind == 1:
            self.read(struct.unpack(">x2xH", self.read(5))[0] * 6)
        elif kind == 3:
            self.take_text(struct.unpack(">3xi", self.read(7))[0])
        elif kind in (4, 15):  # the size of a scaled picture, also as PalmVNC wants it
            self.read(5 if kind == 4 else 11)
        elif kind != 2:
            raise AssertionError(f"message {kind}")
        return True

    def until(self, condition, timeout=120, incremental=True):
        """Asks for updates until condition() holds."""
        end = time.monotonic() + timeout
        if condition():
            return True
        self.request(incremental)
        while time.monotonic() < end:
            if not self.message(max(0.05, end - time.monotonic())):
                break
            if condition():
                return True
            self.request()
        return condition()

    def png(self, path):
        rows = bytearray()
        for y in range(self.height):
            row = self.frame[y * self.width * 4 : (y + 1) * self.width * 4]
            rgb = bytearray(self.width * 3)
            for i in range(3):
                rgb[i::3] = row[i::4]
            rows += b"\0" + rgb
        with open(path, "wb") as f:
            f.write(b"\x89PNG\r\n\x1a\n")
            header = struct.pack(">IIBBBBB", self.width, self.height, 8, 2, 0, 0, 0)
            for kind, data in ((b"IHDR", header), (b"IDAT", zlib.compress(bytes(rows))), (b"IEND", b"")):
                f.write(struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)))


# -- DES (FIPS 46-3), which VNC's password needs and Python lacks. Bits are counted from 1, the highest.

IP = [58 - 8 * (i % 8) + 2 * (i // 8) if i < 32 else 57 - 8 * (i % 8) + 2 * (i // 8 - 4) for i in range(64)]
E = [(4 * (i // 6) + i % 6 - 1) % 32 + 1 for i in range(48)]
P = [16, 7, 20, 21, 29, 12, 28, 17, 1, 15, 23, 26, 5, 18, 31, 10, 2, 8, 24, 14, 32, 27, 3, 9, 19, 13, 30, 6, 22, 11, 4, 25]
PC1 = [57, 49, 41, 33, 25, 17, 9, 1, 58, 50, 42, 34, 26, 18, 10, 2, 59, 51, 43, 35, 27, 19, 11, 3, 60, 52, 44, 36]
PC1 += [63, 55, 47, 39, 31, 23, 15, 7, 62, 54, 46, 38, 30, 22, 14, 6, 61, 53, 45, 37, 29, 21, 13, 5, 28, 20, 12, 4]
PC2 = [14, 17, 11, 24, 1, 5, 3, 28, 15, 6, 21, 10, 23, 19, 12, 4, 26, 8, 16, 7, 27, 20, 13, 2]
PC2 += [41, 52, 31, 37, 47, 55, 30, 40, 51, 45, 33, 48, 44, 49, 39, 56, 34, 53, 46, 42, 50, 36, 29, 32]
BOXES = [
    "e4d12fb83a6c5907 0f74e2d1a6cb9538 41e8d62bfc973a50 fc8249175b3ea06d",
    "f18e6b34972dc05a 3d47f28ec01a69b5 0e7ba4d158c6932f d8a13f42b67c05e9",
    "a09e63f51dc7b428 d709346a285ecbf1 d6498f30b12c5ae7 1ad069874fe3b52c",
    "7de3069a1285bc4f d8b56f03472c1ae9 a690cb7df13e5284 3f06a1d8945bc72e",
    "2c417ab6853fd0e9 eb2c47d150fa3986 421bad78f9c5630e b8c71e2d6f09a453",
    "c1af92680d34e75b af427c9561de0b38 9ef528c3704a1db6 432c95fabe17608d",
    "4b2ef08d3c975a61 d0b7491ae35c2f86 14bdc37eaf680592 6bd814a7950fe23c",
    "d2846fb1a93e50c7 1fd8a374c56b0e92 7b419ce206adf358 21e74a8dfc90356b",
]
S = [[[int(c, 16) for c in row] for row in box.split()] for box in BOXES]


def choose(bits, table):
    return [bits[i - 1] for i in table]


def des(key, block):
    to_bits = lambda data: [byte >> 7 - i & 1 for byte in data for i in range(8)]  # noqa: E731
    half = choose(to_bits(key), PC1)
    left, right, keys = half[:28], half[28:], []
    for turn in range(16):
        shift = 1 if turn in (0, 1, 8, 15) else 2
        left, right = left[shift:] + left[:shift], right[shift:] + right[:shift]
        keys.append(choose(left + right, PC2))
    bits = choose(to_bits(block), IP)
    left, right = bits[:32], bits[32:]
    for key_bits in keys:
        mixed = [a ^ b for a, b in zip(choose(right, E), key_bits)]
        out = []
        for i in range(8):
            six = mixed[6 * i : 6 * i + 6]
            value = S[i][six[0] << 1 | six[5]][six[1] << 3 | six[2] << 2 | six[3] << 1 | six[4]]
            out += [value >> 3 - j & 1 for j in range(4)]
        left, right = right, [a ^ b for a, b in zip(left, choose(out, P))]
    both, bits = right + left, [0] * 64
    for i, place in enumerate(IP):
        bits[place - 1] = both[i]
    return bytes(sum(bits[8 * i + j] << 7 - j for j in range(8)) for i in range(8))


def answer(password, challenge):
    """VNC's: each byte of the key has its bits the other way round."""
    key = bytes(int(f"{byte:08b}"[::-1], 2) for byte in password.encode()[:8].ljust(8, b"\0"))
    return des(key, challenge[:8]) + des(key, challenge[8:])


# Every row of every box is a permutation, and the known answer comes: a fault here is not looked for in the server.
assert all(sorted(row) == list(range(16)) for box in S for row in box)
assert des(bytes.fromhex("133457799BBCDFF1"), bytes.fromhex("0123456789ABCDEF")).hex() == "85e813540f0ab405"
