"""Screenshots and what is on them. With Python's standard library only."""

import struct
import zlib


class Picture:
    """8-bit RGB."""

    def __init__(self, width, height, rgb):
        self.width, self.height, self.rgb = width, height, rgb

    def row(self, y, left=0, right=None):
        right = self.width if right is None else right
        at = y * self.width
        return self.rgb[3 * (at + left) : 3 * (at + right)]

    def pixel(self, x, y):
        return self.rgb[3 * (y * self.width + x) :][:3].hex()

    def count(self, colour, box=None):
        """Pixels of the colour ("336699") in the box (left, top, right, bottom)."""
        left, top, right, bottom = box or (0, 0, self.width, self.height)
        wanted = bytes.fromhex(colour)
        total = 0
        for y in range(top, bottom):
            row = self.row(y, left, right)
            at = row.find(wanted)
            while at >= 0:
                if at % 3 == 0:
                    total += 1
                at = row.find(wanted, at + (3 - at % 3))
        return total

    def share(self, colour, box=None):
        left, top, right, bottom = box or (0, 0, self.width, self.height)
        return self.count(colour, box) / max(1, (right - left) * (bottom - top))

    def pixels(self, box=None, step=1):
        """(r, g, b) of every step-th pixel of every step-th row."""
        left, top, right, bottom = box or (0, 0, self.width, self.height)
        for y in range(top, bottom, step):
            row = self.row(y, left, right)
            for x in range(0, len(row), 3 * step):
                yield row[x], row[x + 1], row[x + 2]

    def box_of(self, colour, least=100):
        """The smallest box around all rows and columns that have at least `least` pixels of the colour, or None."""
        wanted = bytes.fromhex(colour)
        rows = [y for y in range(self.height) if self.count(colour, (0, y, self.width, y + 1)) >= least]
        if not rows:
            return None
        columns = [0] * self.width
        for y in rows:
            row = self.row(y)
            for x in range(self.width):
                columns[x] += row[3 * x : 3 * x + 3] == wanted
        columns = [x for x in range(self.width) if columns[x] >= least]
        return (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1) if columns else None


def changed(one, other, box=None):
    """How many pixels of the box differ."""
    left, top, right, bottom = box or (0, 0, one.width, one.height)
    total = 0
    for y in range(top, bottom):
        a, b = one.row(y, left, right), other.row(y, left, right)
        if a != b:
            total += sum(a[x : x + 3] != b[x : x + 3] for x in range(0, len(a), 3))
    return total


def paeth(a, b, c):
    p = a + b - c
    pa, pb, pc = abs(p - a), abs(p - b), abs(p - c)
    return a if pa <= pb and pa <= pc else b if pb <= pc else c


def unfilter(kind, line, above, size):
    if kind == 2:
        return bytearray((x + y) & 255 for x, y in zip(line, above))
    out = bytearray(line)
    for i in range(len(out)):
        left = out[i - size] if i >= size else 0
        if kind == 1:
            out[i] = (out[i] + left) & 255
        elif kind == 3:
            out[i] = (out[i] + (left + above[i]) // 2) & 255
        elif kind == 4:
            out[i] = (out[i] + paeth(left, above[i], above[i - size] if i >= size else 0)) & 255
    return out


def read_png(path):
    with open(path, "rb") as f:
        data = f.read()
    if data[:8] != b"\x89PNG\r\n\x1a\n":
        raise ValueError(path + " is no PNG")
    at, body, header = 8, b"", None
    while at < len(data):
        length, kind = struct.unpack(">I4s", data[at : at + 8])
        if kind == b"IHDR":
            header = struct.unpack(">IIBBBBB", data[at + 8 : at + 8 + length])
        elif kind == b"IDAT":
            body += data[at + 8 : at + 8 + length]
        at += 12 + length
    width, height, depth, colour, _, _, interlace = header
    if depth != 8 or colour not in (2, 6) or interlace:
        raise ValueError(f"{path}: a kind of PNG that nobody here writes")
    size = 3 if colour == 2 else 4
    raw, stride = zlib.decompress(body), width * size
    rgb, above = bytearray(), bytearray(stride)
    for y in range(height):
        start = y * (stride + 1)
        kind, line = raw[start], raw[start + 1 : start + 1 + stride]
        above = bytearray(line) if kind == 0 else unfilter(kind, line, above, size)
        if size == 3:
            rgb += above
        else:
            pixels = bytearray(3 * width)
            for channel in range(3):
                pixels[channel::3] = above[channel::4]
            rgb += pixels
    return Picture(width, height, bytes(rgb))
