"""A line chart as SVG, with nothing but the standard library."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

WIDTH, HEIGHT, MARGIN = 640, 360, 56
COLOURS = ("#2b6cb0", "#c05621", "#2f855a", "#6b46c1")


def line_chart(series: Mapping[str, Sequence[tuple[float, float]]], across: str, up: str) -> str:
    """Points joined by lines, axes from zero, one colour a series."""
    right = max(x for points in series.values() for x, _ in points)
    top = max(y for points in series.values() for _, y in points)

    def place(x: float, y: float) -> tuple[float, float]:
        wide, high = WIDTH - 2 * MARGIN, HEIGHT - 2 * MARGIN
        return round(MARGIN + wide * x / right, 1), round(HEIGHT - MARGIN - high * y / top, 1)

    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif"'
        ' font-size="12">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        f'<path d="M{MARGIN} {MARGIN}V{HEIGHT - MARGIN}H{WIDTH - MARGIN}" fill="none" stroke="#444"/>',
        f'<text x="{WIDTH / 2}" y="{HEIGHT - 14}" text-anchor="middle">{escape(across)}</text>',
        f'<text x="{MARGIN}" y="{MARGIN - 28}">{escape(up)}</text>',
    ]
    for step in range(6):
        x, _ = place(right * step / 5, 0)
        _, y = place(0, top * step / 5)
        parts.append(
            f'<text x="{x}" y="{HEIGHT - MARGIN + 16}" text-anchor="middle">{right * step / 5:,.0f}</text>'
            f'<text x="{MARGIN - 6}" y="{y + 4}" text-anchor="end">{top * step / 5:.2g}</text>'
        )
    for index, (name, points) in enumerate(series.items()):
        colour = COLOURS[index % len(COLOURS)]
        drawn = [place(x, y) for x, y in points]
        parts.append(
            f'<polyline points="{" ".join(f"{x},{y}" for x, y in drawn)}" fill="none" stroke="{colour}"'
            ' stroke-width="2"/>'
        )
        parts += [f'<circle cx="{x}" cy="{y}" r="3" fill="{colour}"/>' for x, y in drawn]
        parts.append(f'<text x="{MARGIN + 14}" y="{MARGIN - 6 + 16 * index}" fill="{colour}">{escape(name)}</text>')
    return "\n".join([*parts, "</svg>\n"])
