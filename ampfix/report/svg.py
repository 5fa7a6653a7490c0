"""Small charts as SVG text. Colours are CSS classes, so that the page decides them for light and dark."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

from ampfix.report.scales import Scale, fit

WIDTH = 640
ROW = 24
LABEL = 170
AXIS = 26
RIGHT = 70
TOP = 6
CURVE_HEIGHT = 190
CURVE_LEFT = 54

# More points than pixels would only make the page heavier.
MOST_POINTS = 400


@dataclass(frozen=True)
class Dots:
    """One row of a dot plot: a value per seed. tone: the CSS class that colours it."""

    label: str
    values: tuple[float, ...]
    tone: str


@dataclass(frozen=True)
class Curve:
    """One line of a chart; y over x. Non-finite values interrupt it. tone: the CSS class that colours it."""

    label: str
    points: tuple[tuple[float, float], ...]
    tone: str


def dot_plot(rows: Sequence[Dots], unit: str) -> str:
    """Values per row on one shared axis, with the median as a bar; non-finite values stand at the right as crosses."""
    height = TOP + ROW * len(rows) + AXIS
    scale = fit((value for row in rows for value in row.values), LABEL, WIDTH - RIGHT)
    parts = [_open(height, f"{unit} by variant"), *_vertical_grid(scale, height - AXIS)]
    for index, row in enumerate(rows):
        parts += _dots(row, TOP + ROW * (index + 0.5), scale)
    parts.append(_text((LABEL + WIDTH - RIGHT) / 2, height - 2, unit, "axis", "middle"))
    return "".join([*parts, "</svg>"])


def line_chart(curves: Sequence[Curve], x_label: str, y_label: str) -> str:
    """Curves over a shared horizontal axis, with a legend in the top row."""
    points = [point for curve in curves for point in curve.points]
    x_scale = fit((x for x, _ in points), CURVE_LEFT, WIDTH - 10)
    x_scale = Scale(min(x for x, _ in points), max(x for x, _ in points), x_scale.start, x_scale.stop, log=False)
    bottom = CURVE_HEIGHT - AXIS - 8
    y_scale = fit((y for _, y in points), bottom, 24)
    parts = [_open(CURVE_HEIGHT, f"{y_label} over {x_label}"), *_horizontal_grid(y_scale)]
    parts += [_text(x_scale(tick), bottom + 14, _number(tick), "tick", "middle") for tick in x_scale.ticks()]
    for curve in curves:
        parts.append(f'<path class="curve {escape(curve.tone)}" d="{_path(curve.points, x_scale, y_scale)}">')
        parts.append(f"<title>{escape(curve.label)}</title></path>")
    parts += _legend(curves)
    parts.append(_text((CURVE_LEFT + WIDTH) / 2, CURVE_HEIGHT - 2, x_label, "axis", "middle"))
    parts.append(_text(4, 14, y_label, "axis", "start"))
    return "".join([*parts, "</svg>"])


def _dots(row: Dots, y: float, scale: Scale) -> Iterator[str]:
    yield _text(LABEL - 10, y + 4, row.label, "label", "end")
    finite = sorted(value for value in row.values if math.isfinite(value))
    if finite:
        x = scale(_median(finite))
        yield f'<line class="median {escape(row.tone)}" x1="{x:.1f}" x2="{x:.1f}" y1="{y - 8:.1f}" y2="{y + 8:.1f}"/>'
    for value in finite:
        yield f'<circle class="dot {escape(row.tone)}" cx="{scale(value):.1f}" cy="{y:.1f}" r="4">'
        yield f"<title>{escape(row.label)}: {_number(value)}</title></circle>"
    lost = len(row.values) - len(finite)
    if lost:
        yield _text(WIDTH - RIGHT + 8, y + 4, f"not finite ×{lost}", f"lost {row.tone}", "start")


def _path(points: Sequence[tuple[float, float]], x_scale: Scale, y_scale: Scale) -> str:
    stride = max(1, math.ceil(len(points) / MOST_POINTS))
    kept = [*points[:-1:stride], points[-1]] if points else []
    commands, drawing = [], False
    for x, y in kept:
        if math.isfinite(y):
            commands.append(f"{'L' if drawing else 'M'}{x_scale(x):.1f} {y_scale(y):.1f}")
        drawing = math.isfinite(y)
    return "".join(commands)


def _legend(curves: Sequence[Curve]) -> Iterator[str]:
    x = WIDTH - 10.0
    for curve in reversed(curves):
        yield _text(x, 14, curve.label, "label", "end")
        x -= 7 * len(curve.label) + 8
        yield f'<line class="curve {escape(curve.tone)}" x1="{x - 16:.1f}" x2="{x:.1f}" y1="10" y2="10"/>'
        x -= 28


def _vertical_grid(scale: Scale, bottom: float) -> Iterator[str]:
    for tick in scale.ticks():
        x = scale(tick)
        yield f'<line class="grid" x1="{x:.1f}" x2="{x:.1f}" y1="{TOP}" y2="{bottom:.1f}"/>'
        yield _text(x, bottom + 12, _number(tick), "tick", "middle")


def _horizontal_grid(scale: Scale) -> Iterator[str]:
    for tick in scale.ticks():
        y = scale(tick)
        yield f'<line class="grid" x1="{CURVE_LEFT}" x2="{WIDTH - 10}" y1="{y:.1f}" y2="{y:.1f}"/>'
        yield _text(CURVE_LEFT - 6, y + 4, _number(tick), "tick", "end")


def _open(height: float, title: str) -> str:
    return f'<svg viewBox="0 0 {WIDTH} {height:.0f}" role="img" aria-label="{escape(title)}">'


def _text(x: float, y: float, text: str, tone: str, anchor: str) -> str:
    return f'<text class="{escape(tone)}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _median(ordered: Sequence[float]) -> float:
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


def _number(value: float) -> str:
    return f"{value:.6g}" if 1e-3 <= abs(value) < 1e6 or value == 0 else f"{value:.0e}"
