"""Writes venus_formats.h: what the renderer must know about formats.

One line per format: FORMAT(name, number of planes, bytes, width, height and depth of a block, bytes of
the depth and of the stencil aspect, then bytes and divisors of width and height of each of 3 planes).
"""
from registry import Registry
from tables import BANNER

ASPECT_BYTES = {0: 0, 8: 1, 16: 2, 24: 4, 32: 4}  # by bits, in a buffer or in host memory


def write_formats_h(registry: Registry) -> str:
    out = [BANNER]
    for f in registry.formats.values():
        numbers = [len(f.planes) or 1, f.block_bytes, *f.block_extent]
        numbers += [ASPECT_BYTES[f.components.get(aspect, 0)] for aspect in 'DS']
        planes = [(registry.formats[same].block_bytes, width, height) for same, width, height in f.planes]
        for plane in (planes + [(0, 0, 0)] * 3)[:3]:
            numbers += plane
        out.append('FORMAT(%s, %s)' % (f.name, ', '.join(map(str, numbers))))
    return '\n'.join(out) + '\n'
