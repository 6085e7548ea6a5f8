#!/usr/bin/env python3
"""Draws rivals.tsv of distill.sh: quality against the processor's time.   distill_plot.py RIVALS.tsv OUT.svg"""

import csv
import sys

WIDTH, HEIGHT, LEFT, BOTTOM = 720, 440, 70, 60
COLORS = {"eugen": "#d25a32", "low": "#4670b4", "thin": "#5a9646", "int8": "#8c5aa0", "full": "#444444"}


def main(table, out):
    rows = [row for row in csv.DictReader(open(table), delimiter="\t") if row["form"] != "full-again"]
    points = [(float(row["user_s"]), float(row["psnr"]), row["form"]) for row in rows]
    x1 = 1.15 * max(x for x, _, _ in points)
    y0, y1 = min(y for _, y, _ in points), max(y for _, y, _ in points)
    pad = 0.15 * (y1 - y0) + 0.1
    y0, y1 = y0 - pad, y1 + pad
    px = lambda x: LEFT + x / x1 * (WIDTH - LEFT - 20)
    py = lambda y: HEIGHT - BOTTOM - (y - y0) / (y1 - y0) * (HEIGHT - BOTTOM - 20)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" font-family="sans-serif" font-size="13">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        f'<path d="M{LEFT} 20V{HEIGHT - BOTTOM}H{WIDTH - 20}" fill="none" stroke="#888"/>',
        f'<text x="{WIDTH / 2}" y="{HEIGHT - 15}" text-anchor="middle">processor seconds for the held-out views</text>',
        f'<text x="18" y="{HEIGHT / 2}" text-anchor="middle" transform="rotate(-90 18 {HEIGHT / 2})">PSNR, dB</text>',
    ]
    for i in range(6):
        x, y = x1 * i / 5, y0 + (y1 - y0) * i / 5
        parts.append(f'<text x="{px(x):.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle" fill="#666">{x:.1f}</text>')
        parts.append(f'<text x="{LEFT - 6}" y="{py(y) + 4:.1f}" text-anchor="end" fill="#666">{y:.1f}</text>')
    for x, y, form in points:
        color = COLORS[form.split("-")[0]]
        parts.append(f'<circle cx="{px(x):.1f}" cy="{py(y):.1f}" r="5" fill="{color}"/>')
        parts.append(f'<text x="{px(x) + 8:.1f}" y="{py(y) - 6:.1f}" fill="{color}">{form}</text>')
    open(out, "w").write("\n".join(parts) + "\n</svg>\n")


if __name__ == "__main__":
    main(*sys.argv[1:])
