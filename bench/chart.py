"""A picture of measurements as SVG: a line for each row, a mark for each side."""

import math
from xml.sax.saxutils import escape

COLOURS = ("#666666", "#1f6fb4", "#c8501e", "#3d8f3d", "#8a4fbf")
LEFT, WIDTH, STEP, TOP, BOTTOM = 210, 620, 9, 56, 34


def quantile(values, share):
    values = sorted(values)
    return values[min(len(values) - 1, int(share * len(values)))]


class Scale:
    """Times on a logarithmic axis."""

    def __init__(self, low, high):
        self.low, self.high = math.log10(low), math.log10(high)

    def x(self, value):
        share = (math.log10(max(value, 1e-9)) - self.low) / (self.high - self.low or 1)
        return LEFT + WIDTH * min(1, max(0, share))

    def decades(self):
        return range(math.ceil(self.low), math.floor(self.high) + 1)


def tick(exponent):
    if exponent >= 6:
        return f"{10 ** (exponent - 6)} s"
    return f"{10 ** (exponent - 3)} ms" if exponent >= 3 else f"{10.0 ** exponent:g} us"


def mark(scale, y, colour, spread):
    """Line: of a hundred the 1st to the 99th. Box: 25th to 75th. Stroke: the median."""
    low, first, median, third, high = (scale.x(v) for v in spread)
    return (
        f'<line x1="{low:.1f}" x2="{high:.1f}" y1="{y}" y2="{y}" stroke="{colour}" stroke-opacity=".5"/>'
        f'<rect x="{first:.1f}" y="{y - 3}" width="{max(third - first, 1):.1f}" height="6" fill="{colour}" '
        'fill-opacity=".45"/>'
        f'<line x1="{median:.1f}" x2="{median:.1f}" y1="{y - 4}" y2="{y + 4}" stroke="{colour}" stroke-width="2"/>'
    )


def svg(title, sides, rows):
    """sides: {side: what it is called}; rows: {name: {side: (1st, 25th, 50th, 75th, 99th)}}, in microseconds."""
    ends = [v for of_side in rows.values() for spread in of_side.values() for v in (spread[0], spread[-1])]
    scale = Scale(max(min(ends), 1e-3), max(ends))
    height = TOP + BOTTOM + len(rows) * (len(sides) + 1) * STEP
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{LEFT + WIDTH + 30}" height="{height}" '
        'font-family="sans-serif" font-size="11"><rect width="100%" height="100%" fill="white"/>',
        f'<text x="10" y="18" font-size="13">{escape(title)}</text>',
    ]
    for i, name in enumerate(sides.values()):
        colour = COLOURS[i % len(COLOURS)]
        out.append(f'<text x="{LEFT + 110 * i}" y="38" fill="{colour}">{escape(name)}</text>')
    for exponent in scale.decades():
        x = scale.x(10.0**exponent)
        out.append(f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{TOP - 8}" y2="{height - BOTTOM + 4}" stroke="#dddddd"/>')
        out.append(f'<text x="{x:.1f}" y="{height - 12}" text-anchor="middle">{tick(exponent)}</text>')
    y = TOP
    for name, of_side in rows.items():
        middle = y + (len(sides) - 1) * STEP / 2 + 4
        out.append(f'<text x="{LEFT - 8}" y="{middle:.1f}" text-anchor="end">{escape(name)}</text>')
        for i, side in enumerate(sides):
            if side in of_side:
                out.append(mark(scale, y + i * STEP, COLOURS[i % len(COLOURS)], of_side[side]))
        y += (len(sides) + 1) * STEP
    return "\n".join(out + ["</svg>", ""])
