"""Stacked horizontal bars as SVG text: what memory holds, and in which dtype each op works."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape

from ampfix.report.svg import TOP, WIDTH, opened, text

_LABEL, _END, _ROW, _LEGEND = 190, 120, 26, 22


@dataclass(frozen=True)
class Bar:
    """One row: amounts by part. note: said at the right instead of the total."""

    label: str
    parts: tuple[tuple[str, float], ...]
    note: str = ""

    @property
    def total(self) -> float:
        return sum(amount for _, amount in self.parts)


def stacked(bars: Sequence[Bar], unit: str, shown: Callable[[float], str]) -> str:
    """Bars on one scale from 0, each part with a colour of its own, named above. shown: an amount as text."""
    names = list(dict.fromkeys(name for bar in bars for name, _ in bar.parts))
    height = TOP + _LEGEND + _ROW * len(bars) + 4
    most = max((bar.total for bar in bars), default=0.0) or 1.0
    width = WIDTH - _LABEL - _END
    parts = [opened(height, unit)]
    at = float(_LABEL)
    for index, name in enumerate(names):
        parts.append(f'<rect class="part tone-{index % 8}" x="{at:.1f}" y="4" width="10" height="10"/>')
        parts.append(text(at + 14, 13, name, "tick", "start"))
        at += 28 + 5.4 * len(name)
    for row, bar in enumerate(bars):
        y, left = TOP + _LEGEND + _ROW * row, float(_LABEL)
        parts.append(text(_LABEL - 10, y + 14, bar.label, "label", "end"))
        for name, amount in bar.parts:
            long = width * amount / most
            if amount > 0:
                tone = f"part tone-{names.index(name) % 8}"
                place = f'x="{left:.1f}" y="{y:.1f}" width="{max(long, 0.5):.1f}" height="{_ROW - 8}"'
                parts.append(f'<rect class="{tone}" {place}><title>{escape(bar.label)}, {escape(name)}: ')
                parts.append(f"{escape(shown(amount))}</title></rect>")
            left += long
        parts.append(text(WIDTH - 4, y + 14, bar.note or shown(bar.total), "label", "end"))
    return "".join([*parts, "</svg>"])
