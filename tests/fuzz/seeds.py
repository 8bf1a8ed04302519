#!/usr/bin/env python3
"""Turns the samples of the unit tests (one of every command and more) into seed files: seeds.py SAMPLES FOLDER [EVERY]."""
import os
import struct
import sys

data = open(sys.argv[1], 'rb').read()
every = int(sys.argv[3]) if len(sys.argv) > 3 else 3
os.makedirs(sys.argv[2], exist_ok=True)
at = n = 0
while at < len(data):
    size, = struct.unpack_from('<I', data, at)
    if n % 2 == 0 and n // 2 % every == 0:  # requests only
        with open(os.path.join(sys.argv[2], 'sample-%05d' % (n // 2)), 'wb') as file:
            file.write(struct.pack('<I', n // 2 // every % 4) + data[at + 4:at + 4 + size])
    at += 4 + size
    n += 1
