"""Dot, range and forest plots as SVG text, and what all charts are drawn with.

Colours are CSS classes, so that the page decides them for light and dark.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

from ampfix.report.scales import Scale, fit

WIDTH = 680
ROW = 24
LABEL = 170
AXIS = 26
RIGHT = 130
TOP = 6


@dataclass(frozen=True)
class Dots:
    """One row of a dot plot: a value per seed. tone: the CSS class that colours it."""

    label: str
    values: tuple[float, ...]
    tone: str


def dot_plot(rows: Sequence[Dots], unit: str, limit: float = math.inf) -> str:
    """Values per row on one shared axis, with the median as a bar.

    Values that are not finite, and those above `limit`, are counted at the right: drawn, they would press the rest
    together.
    """
    height = TOP + ROW * len(rows) + AXIS
    scale = fit((value for row in rows for value in row.values if value <= limit), LABEL, WIDTH - RIGHT)
    parts = [opened(height, f"{unit} by variant"), *vertical_grid(scale, height - AXIS)]
    for index, row in enumerate(rows):
        parts += _dots(row, TOP + ROW * (index + 0.5), scale, limit)
    parts.append(text((LABEL + WIDTH - RIGHT) / 2, height - 2, unit, "axis", "middle"))
    return "".join([*parts, "</svg>"])


def _dots(row: Dots, y: float, scale: Scale, limit: float) -> Iterator[str]:
    yield text(LABEL - 10, y + 4, row.label, "label", "end")
    shown = sorted(value for value in row.values if math.isfinite(value) and value <= limit)
    for value in shown:
        yield f'<circle class="dot {escape(row.tone)}" cx="{scale(value):.1f}" cy="{y:.1f}" r="4">'
        yield f"<title>{escape(row.label)}: {figure(value)}</title></circle>"
    if shown:
        x = scale(statistics.median(shown))
        yield f'<line class="median {escape(row.tone)}" x1="{x:.1f}" x2="{x:.1f}" y1="{y - 8:.1f}" y2="{y + 8:.1f}"/>'
    above = sum(limit < value < math.inf for value in row.values)
    lost = sum(not math.isfinite(value) for value in row.values)
    notes = [f"{count} {what}" for count, what in ((above, "far above"), (lost, "not finite")) if count]
    if notes:
        yield text(WIDTH - 4, y + 4, ", ".join(notes), f"lost {row.tone}", "end")


def vertical_grid(scale: Scale, bottom: float) -> Iterator[str]:
    """Lines and figures of the horizontal axis."""
    for tick in scale.ticks():
        x = scale(tick)
        yield f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{bottom:.1f}"/>'
        yield text(x, bottom + 12, figure(tick), "tick", "middle")


def opened(height: float, title: str) -> str:
    """The beginning of a chart; `title` is what those hear who cannot see it."""
    return f'<svg viewBox="0 0 {WIDTH} {height:.0f}" role="img" aria-label="{escape(title)}">'


def text(x: float, y: float, words: str, tone: str, anchor: str) -> str:
    """Words at a place; anchor: start, middle or end."""
    return f'<text class="{escape(tone)}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(words)}</text>'


def figure(value: float) -> str:
    """A number as axes show it."""
    return f"{value:.6g}" if 1e-3 <= abs(value) < 1e6 or value == 0 else f"{value:.0e}"


@dataclass(frozen=True)
class Range:
    """One row of a range plot: an estimate with its interval, all within 0..1."""

    label: str
    low: float
    estimate: float
    high: float


def range_plot(rows: Sequence[Range], unit: str) -> str:
    """Rates with their intervals on an axis from 0 to 1."""
    height = TOP + ROW * len(rows) + AXIS
    scale = Scale(0.0, 1.0, LABEL, WIDTH - RIGHT, log=False)
    parts = [opened(height, unit), *vertical_grid(scale, height - AXIS)]
    for index, row in enumerate(rows):
        y = TOP + ROW * (index + 0.5)
        parts.append(text(LABEL - 10, y + 4, row.label, "label", "end"))
        low, high = f"{scale(row.low):.1f}", f"{scale(row.high):.1f}"
        parts.append(f'<line class="range agent" x1="{low}" x2="{high}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<circle class="agent" cx="{scale(row.estimate):.1f}" cy="{y:.1f}" r="4">')
        shown = f"{row.estimate:.3f} ({row.low:.3f} to {row.high:.3f})"
        parts.append(f"<title>{escape(row.label)}: {shown}</title></circle>")
        parts.append(text(WIDTH - 4, y + 4, f"{100 * row.estimate:.1f} %", "label", "end"))
    parts.append(text((LABEL + WIDTH - RIGHT) / 2, height - 2, unit, "axis", "middle"))
    return "".join([*parts, "</svg>"])


@dataclass(frozen=True)
class Ratio:
    """One row of a forest plot: a ratio with its interval, above 0. tone: the CSS class that colours it."""

    label: str
    low: float
    estimate: float
    high: float
    tone: str


def forest_plot(rows: Sequence[Ratio], unit: str, marks: Sequence[tuple[float, str]] = ()) -> str:
    """Ratios with their intervals, a line at 1, and one at each of `marks`, with its name."""
    height = TOP + ROW * len(rows) + AXIS + (12 if marks else 0)
    bottom = height - AXIS
    values = [value for row in rows for value in (row.low, row.high)]
    scale = fit([*values, 1.0, *(at for at, _ in marks if at <= max(values, default=1.0) * 1.1)], LABEL, WIDTH - RIGHT)
    parts = [opened(height, unit), *vertical_grid(scale, bottom)]
    for at, name in ((1.0, ""), *marks):
        if scale.low <= at <= scale.high:
            x = scale(at)
            parts.append(f'<line class="mark" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{bottom:.1f}"/>')
            parts.append(text(x + 3, bottom - 3, name, "tick", "start"))
    for index, row in enumerate(rows):
        y = TOP + ROW * (index + 0.5)
        shown = f"{row.estimate:.2f}x ({row.low:.2f} to {row.high:.2f})"
        tone = escape(row.tone)
        parts.append(text(LABEL - 10, y + 4, row.label, "label", "end"))
        ends = f'x1="{scale(row.low):.1f}" x2="{scale(row.high):.1f}" y1="{y:.1f}" y2="{y:.1f}"'
        parts.append(f'<line class="range {tone}" {ends}/>')
        parts.append(f'<circle class="dot {tone}" cx="{scale(row.estimate):.1f}" cy="{y:.1f}" r="4">')
        parts.append(f"<title>{escape(row.label)}: {shown}</title></circle>")
        parts.append(text(WIDTH - 4, y + 4, shown, "label", "end"))
    parts.append(text((LABEL + WIDTH - RIGHT) / 2, height - 2, unit, "axis", "middle"))
    return "".join([*parts, "</svg>"])
