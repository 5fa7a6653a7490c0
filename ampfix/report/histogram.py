"""Magnitudes by binary exponent over the zones of float16, as SVG text, and each layer's range as a row."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape

from ampfix.report.scales import Scale
from ampfix.report.svg import WIDTH, opened, text

FLUSH, SUBNORMAL, OVERFLOW = -25, -14, 16
"""Exponents: what lies below 2**-25 rounds to zero in float16, below 2**-14 it is subnormal, from 2**16 on infinite."""
ZONES = (("flushed to zero", FLUSH), ("subnormal", SUBNORMAL), ("normal", OVERFLOW), ("infinite", None))
"""Names, and the exponent that ends each."""

HEIGHT, TOP, AXIS = 190, 22, 24
LEFT, STOP = 16, WIDTH - 12
_LABEL, _ROW = 190, 20

Counts = Mapping[int, int]


@dataclass(frozen=True)
class LayerRange:
    """One layer: the histogram of its values, what they are, and why float32 would suit it better, if it would."""

    label: str
    side: str
    dtype: str
    counts: Counts
    zeros: int = 0
    nonfinite: int = 0
    wants: str = ""


def shares(counts: Counts, shift: int = 0) -> dict[str, float]:
    """The share of nonzero values in each zone, after scaling by 2**shift."""
    total = sum(counts.values())
    found = {}
    low = -10_000
    for name, end in ZONES:
        high = 10_000 if end is None else end
        inside = sum(count for at, count in counts.items() if low <= at + shift < high)
        found[name] = inside / total if total else 0.0
        low = high
    return found


@dataclass(frozen=True)
class Geometry:
    """Where the bars of a histogram stand: the exponent at the left edge, its pixel, an exponent's width, the bars'
    lower end and greatest height. The page's script draws by it, too."""

    first: int
    left: float
    unit: float
    bottom: float
    height: float


def geometry(histograms: Sequence[Counts]) -> tuple[Geometry, Scale]:
    """One for several histograms, with room to move them by a slider."""
    low = min((min(counts) for counts in histograms if counts), default=FLUSH)
    high = max((max(counts) for counts in histograms if counts), default=OVERFLOW)
    x = Scale(min(low, FLUSH - 4) - 2, max(high, OVERFLOW + 4) + 2, LEFT, STOP, log=False)
    bottom = HEIGHT - AXIS
    return Geometry(int(x.low), LEFT, (STOP - LEFT) / (x.high - x.low), bottom, bottom - TOP - 10), x


def histogram(histograms: Sequence[Counts], shift: int = 0) -> str:
    """The first of several histograms on an axis that fits all, moved by `shift` exponents; the zones stay."""
    place, x = geometry(histograms)
    counts = histograms[0] if histograms else {}
    top = max(counts.values(), default=1)
    parts = [opened(HEIGHT, "magnitudes by binary exponent, in the zones of float16"), *_zones(x, place.bottom)]
    clip = f'<clipPath id="inside"><rect x="{LEFT}" y="0" width="{STOP - LEFT}" height="{HEIGHT}"/></clipPath>'
    parts.append(f'{clip}<g clip-path="url(#inside)">')
    parts.append(f'<g data-bars data-unit="{place.unit:.4f}" transform="translate({shift * place.unit:.2f} 0)">')
    for at, count in sorted(counts.items()):
        if count:
            height = max(place.height * count / top, 1)
            where = f'x="{x(at) + 0.5:.1f}" y="{place.bottom - height:.1f}"'
            parts.append(f'<rect class="bar" {where} width="{max(place.unit - 1, 1):.1f}" height="{height:.1f}"/>')
    return "".join([*parts, "</g></g></svg>"])


def _zones(x: Scale, bottom: float) -> Iterator[str]:
    start = x.low
    for index, (name, end) in enumerate(ZONES):
        stop = x.high if end is None else end
        left, right = x(start), x(stop)
        size = f'width="{right - left:.1f}" height="{bottom - TOP:.1f}"'
        yield f'<rect class="zone zone-{index}" x="{left:.1f}" y="{TOP}" {size}/>'
        yield text((left + right) / 2, TOP - 8, name, "tick", "middle")
        if end is not None:
            yield text(right, bottom + 13, f"2^{end}", "tick", "middle")
        start = stop


def range_rows(layers: Sequence[LayerRange]) -> str:
    """A bar for each layer from the 1st to the 99th hundredth of its values, a thin one to its extremes."""
    found = [layer for layer in layers if layer.counts]
    low = min((min(layer.counts) for layer in found), default=FLUSH)
    high = max((max(layer.counts) for layer in found), default=OVERFLOW)
    x = Scale(min(low, FLUSH) - 2, max(high, OVERFLOW) + 3, _LABEL, STOP, log=False)
    bottom = TOP + _ROW * len(found)
    parts = [opened(bottom + AXIS, "range of each layer by binary exponent"), *_zones(x, bottom)]
    for index, layer in enumerate(found):
        y = TOP + _ROW * (index + 0.5)
        tone = "bad" if layer.wants or layer.nonfinite else f"side-{layer.side}"
        ends = min(layer.counts), max(layer.counts) + 1
        inner = _quantile(layer.counts, 0.01), _quantile(layer.counts, 0.99) + 1
        said = f"{layer.label}, {layer.side} in {layer.dtype}: 2^{ends[0]} to 2^{ends[1]}; {layer.wants}".rstrip("; ")
        parts.append(text(_LABEL - 8, y + 4, _short(layer.label), "label", "end"))
        parts.append(f'<g class="span {escape(tone)}"><title>{escape(said)}</title>')
        parts.append(f'<line x1="{x(ends[0]):.1f}" x2="{x(ends[1]):.1f}" y1="{y:.1f}" y2="{y:.1f}"/>')
        box = f'x="{x(inner[0]):.1f}" width="{max(x(inner[1]) - x(inner[0]), 1):.1f}"'
        parts.append(f'<rect {box} y="{y - 5:.1f}" height="10"/></g>')
    return "".join([*parts, "</svg>"])


def _short(label: str) -> str:
    return label if len(label) <= 30 else f"…{label[-29:]}"


def _quantile(counts: Counts, share: float) -> int:
    total, seen = sum(counts.values()), 0
    for at in sorted(counts):
        seen += counts[at]
        if seen >= share * total:
            return at
    return max(counts)
