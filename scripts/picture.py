#!/usr/bin/env python3
"""Pictures for the tests and the demo, with Python's standard library only.

  picture.py IN OUT.png      IN: a PPM (P6), or the XWD that Xvfb -fbdir keeps
"""

import struct
import sys
import zlib


def read_ppm(data):
    fields = []
    at = 2
    while len(fields) < 3:
        while data[at : at + 1].isspace():
            at += 1
        end = at
        while not data[end : end + 1].isspace():
            end += 1
        fields.append(int(data[at:end]))
        at = end
    width, height, top = fields
    if top != 255:
        raise ValueError("only 8 bits a channel")
    return width, height, data[at + 1 : at + 1 + 3 * width * height]


def read_xwd(data):
    h = struct.unpack(">25I", data[:100])
    header_size, width, height, order, bpp, stride = h[0], h[4], h[5], h[7], h[11], h[12]
    if bpp != 32 or h[14:17] != (0xFF0000, 0xFF00, 0xFF):
        raise ValueError("only 32-bit XRGB windows")
    start = header_size + 12 * h[19]
    at = (2, 1, 0) if order == 0 else (1, 2, 3)
    rgb = bytearray(3 * width * height)
    for y in range(height):
        row = data[start + y * stride : start + y * stride + 4 * width]
        for channel in range(3):
            rgb[3 * width * y + channel : 3 * width * (y + 1) : 3] = row[at[channel] :: 4]
    return width, height, bytes(rgb)


def read(path):
    """(width, height, RGB bytes) of a picture file."""
    with open(path, "rb") as f:
        data = f.read()
    if data[:2] == b"P6":
        return read_ppm(data)
    return read_xwd(data)


def crop(shot, x, y, width, height):
    stride, rgb = 3 * shot[0], shot[2]
    rows = (rgb[r * stride + 3 * x : r * stride + 3 * (x + width)] for r in range(y, y + height))
    return width, height, b"".join(rows)


def write_png(path, width, height, rgb):
    def chunk(kind, body):
        crc = zlib.crc32(kind + body)
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", crc)

    rows = b"".join(b"\0" + rgb[3 * width * y : 3 * width * (y + 1)] for y in range(height))
    with open(path, "wb") as f:
        f.write(
            b"\x89PNG\r\n\x1a\n"
            + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
            + chunk(b"IDAT", zlib.compress(rows, 9))
            + chunk(b"IEND", b"")
        )


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    write_png(sys.argv[2], *read(sys.argv[1]))


if __name__ == "__main__":
    main()
