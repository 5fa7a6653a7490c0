"""The values of one table row as dots on an axis that the table's head draws.

A page with hundreds of such rows has to stay small: dots are strokes without length, whole pixels are near enough, and
colour, height and width are left to the page's style.
"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence

from ampfix.report.scales import Scale, fit
from ampfix.report.svg import figure, text

WIDTH, _MIDDLE = 160, 9
_MARGIN = 6
_TICKS = 3
_AXIS = 14


def axis_of(values: Sequence[float], limit: float) -> Scale:
    """The axis of all rows of a table, as far as `limit`."""
    return fit((value for value in values if value <= limit), _MARGIN, WIDTH - _MARGIN)


def head(scale: Scale) -> str:
    """The figures of the axis, for the column's head."""
    parts = ["<svg>"]
    for tick in scale.ticks(_TICKS):
        x = scale(tick)
        anchor = "start" if x < WIDTH / 6 else "end" if x > WIDTH * 5 / 6 else "middle"
        parts.append(f'<path d="M{x:.0f} {_AXIS}v4"/>{text(round(x), 11, figure(tick), "tick", anchor)}')
    return "".join([*parts, "</svg>"])


def strip(values: Sequence[float], scale: Scale, limit: float) -> str:
    """One row: a dot for each value, the median's upright, and how many lie beyond the axis."""
    shown = sorted(value for value in values if math.isfinite(value) and value <= limit)
    middle = statistics.median_low(shown) if shown else None
    at = shown.index(middle) if middle is not None else -1
    marks = [f"M{scale(value):.0f} {_MIDDLE - 4}v8" if index == at else f"M{scale(value):.0f} {_MIDDLE}h0"
             for index, value in enumerate(shown)]  # fmt: skip
    drawn = f'<svg><path d="{"".join(marks)}"/></svg>' if marks else ""
    above = sum(limit < value < math.inf for value in values)
    lost = sum(not math.isfinite(value) for value in values)
    return drawn + ", ".join(f"{count} {what}" for count, what in ((above, "far above"), (lost, "not finite")) if count)
