"""Curves over the steps of a run as SVG text: losses laid over each other, and a loss scale with its skipped steps."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape

from ampfix.report.scales import Scale, fit
from ampfix.report.svg import AXIS, TOP, WIDTH, figure, opened, text

HEIGHT = 210
LEFT, RIGHT_EDGE = 64, WIDTH - 12
_LEGEND, _FIRST_LINE, _LINE = 20, 14, 13
_UNIT_ENDS = LEFT + 100  # the name of the vertical axis stands before it
_MOST = 400
"""Points of one curve: a page with several curves stays small, and pixels are no more."""

Point = tuple[float, float]


@dataclass(frozen=True)
class Curve:
    """One curve. tone: the CSS class that colours it. Values that are not finite are marked at the upper edge."""

    label: str
    points: tuple[Point, ...]
    tone: str


def line_chart(curves: Sequence[Curve], unit: str, across: str = "attempt") -> str:
    """Curves on shared axes, each with its name in its colour."""
    shown = [curve for curve in curves if curve.points]
    legend, top = _legend(shown)
    x, y = _axes([point for curve in shown for point in curve.points], top)
    parts = [opened(HEIGHT, f"{unit} by {across}"), *_frame(x, y, unit, across), *legend]
    for curve in shown:
        points = thinned(curve.points)
        parts += _line(points, x, y, curve.tone)
        parts += _lost(points, x, curve, top)
    return "".join([*parts, "</svg>"])


def scale_chart(scales: Sequence[Curve], skipped: Sequence[float], unit: str = "loss scale") -> str:
    """Loss scales as steps, a mark below at each skipped attempt; named where there are several."""
    shown = [Curve(curve.label, tuple(point for point in curve.points if point[1] > 0), curve.tone) for curve in scales]
    told = f"{len(skipped)} skipped (red marks)" if skipped else "none skipped"
    legend, top = _legend(shown if len(shown) > 1 else [], reserved=told)
    x, y = _axes([point for curve in shown for point in curve.points], top)
    parts = [opened(HEIGHT, f"{unit} by attempt, {len(skipped)} skipped"), *_frame(x, y, unit, "attempt", powers=True)]
    parts += [*legend, *(_stairs(curve, x, y) for curve in shown if curve.points)]
    bottom = HEIGHT - AXIS
    parts += [_skip(x(at), bottom, at) for at, _ in thinned([(one, 0.0) for one in skipped])]
    parts.append(text(RIGHT_EDGE, _FIRST_LINE, told, "tick", "end"))
    return "".join([*parts, "</svg>"])


def _stairs(curve: Curve, x: Scale, y: Scale) -> str:
    path: list[str] = []
    for at, value in _changes(curve.points):
        path.append(f"M{x(at):.1f} {y(value):.1f}" if not path else f"H{x(at):.1f}V{y(value):.1f}")
    path.append(f"H{x(curve.points[-1][0]):.1f}")
    return f'<path class="curve {escape(curve.tone)}" d="{"".join(path)}"/>'


def _skip(x: float, bottom: float, at: float) -> str:
    return f'<path class="skip" d="M{x:.1f} {bottom:.1f}v-9"><title>skipped: {at:g}</title></path>'


def thinned(points: Sequence[Point], most: int = _MOST) -> list[Point]:
    """At most about `most` points: of each stretch the lowest and the highest, so that no peak is lost."""
    if len(points) <= most:
        return list(points)
    size = math.ceil(2 * len(points) / most)
    kept: list[Point] = []
    for start in range(0, len(points), size):
        part = points[start : start + size]
        bad = [point for point in part if not math.isfinite(point[1])]
        kept += sorted(dict.fromkeys([*bad[:1], min(part, key=_value), max(part, key=_value)]))
    return kept


def _value(point: Point) -> float:
    return point[1] if math.isfinite(point[1]) else 0.0


def _changes(points: Sequence[Point]) -> Iterator[Point]:
    before = None
    for at, value in points:
        if value != before:
            yield at, value
        before = value


def _axes(points: Sequence[Point], top: float) -> tuple[Scale, Scale]:
    ends = [at for at, _ in points] or [0.0, 1.0]
    x = Scale(min(ends), max(max(ends), min(ends) + 1), LEFT, RIGHT_EDGE, log=False)
    return x, fit((value for _, value in points), HEIGHT - AXIS - 4, top)


def _frame(x: Scale, y: Scale, unit: str, across: str, *, powers: bool = False) -> Iterator[str]:
    for tick in _powers(y) if powers else y.ticks():
        at = y(tick)
        yield f'<line class="grid" x1="{LEFT}" x2="{RIGHT_EDGE}" y1="{at:.1f}" y2="{at:.1f}"/>'
        yield text(LEFT - 6, at + 3, f"2^{math.log2(tick):.0f}" if powers else figure(tick), "tick", "end")
    for tick in x.ticks(8):
        if tick == int(tick):
            yield text(x(tick), HEIGHT - AXIS + 12, figure(tick), "tick", "middle")
    yield text(LEFT, 12, unit, "axis", "start")
    yield text(RIGHT_EDGE, HEIGHT - 2, across, "axis", "end")


def _powers(y: Scale) -> list[float]:
    low, high = math.ceil(math.log2(max(y.low, 1e-30))), math.floor(math.log2(max(y.high, 1e-30)))
    step = max(1, math.ceil((high - low + 1) / 6))
    return [2.0**power for power in range(low, high + 1, step)]


def _legend(curves: Sequence[Curve], reserved: str = "") -> tuple[list[str], float]:
    """The curves' names from the right, in as many lines as they need, and where the chart begins below them.

    reserved: words that stand at the right of the first line already.
    """
    line, at = 0, RIGHT_EDGE - _length(reserved)
    parts = []
    for curve in reversed(curves):
        if at < RIGHT_EDGE and at - _length(curve.label) < _UNIT_ENDS:
            line, at = line + 1, float(RIGHT_EDGE)
        parts.append(text(at, _FIRST_LINE + _LINE * line, curve.label, f"legend {curve.tone}", "end"))
        at -= _length(curve.label)
    return parts, TOP + _LEGEND + _LINE * line


def _length(words: str) -> float:
    return 14 + 6.2 * len(words) if words else 0.0


def _line(points: Sequence[Point], x: Scale, y: Scale, tone: str) -> Iterator[str]:
    path, pen_is_down = [], False
    for at, value in points:
        if math.isfinite(value):
            path.append(f"{'L' if pen_is_down else 'M'}{x(at):.1f} {y(value):.1f}")
        pen_is_down = math.isfinite(value)
    yield f'<path class="curve {escape(tone)}" d="{"".join(path)}"/>'


def _lost(points: Sequence[Point], x: Scale, curve: Curve, top: float) -> Iterator[str]:
    lost = [at for at, value in points if not math.isfinite(value)]
    for at in lost:
        yield f'<path class="lost-mark {escape(curve.tone)}" d="M{x(at):.1f} {top:g}v6">'
        yield f"<title>{escape(curve.label)} is not finite at {at:g}</title></path>"
