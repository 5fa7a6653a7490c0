"""What `ampfix profile` found out, as one HTML page."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from markupsafe import Markup

from ampfix.report import pages
from ampfix.report.bars import Bar, stacked
from ampfix.report.profile_text import product_text, shape_text
from ampfix.report.sizes import bytes_text, count_text, ms_text
from ampfix.report.svg import Dots, Ratio, dot_plot, forest_plot

if TYPE_CHECKING:
    from ampfix.hardware.profile.results import Census, Gain, Profile

_OPS = 14
_CLAIM = 1.05
_PRODUCTS = 20


def render(found: Profile) -> str:
    """The page as text."""
    times = [Dots(arm.arm, arm.passes, "tone-0") for arm in found.arms if arm.passes]
    ratios = [_ratio(gain) for gain in found.gains]
    peaks = [Bar(arm.arm, (("peak", float(arm.peak_bytes)),)) for arm in found.arms if arm.peak_bytes is not None]
    sources = list(dict.fromkeys(arm.memory_from for arm in found.arms if arm.peak_bytes is not None))
    return pages.render(
        "profile.html.jinja",
        found=found,
        times=Markup(dot_plot(times, "milliseconds a step")) if times else None,
        forest=Markup(forest_plot(ratios, "times as fast", [(_CLAIM, "a gain")])) if ratios else None,
        memory=Markup(stacked(peaks, "peak memory of a step", bytes_text)) if peaks else None,
        memory_from="; ".join(sources),
        works=[(census.arm, Markup(_work(census)), _summary(census)) for census in found.census if census.work],
        products=list(_products(found)),
        refused=[arm for arm in found.arms if arm.step_ms is None],
        shape=shape_text,
        ms_text=ms_text,
    )


def _ratio(gain: Gain) -> Ratio:
    ratio = gain.ratio
    tone = "status-pass" if gain.claimed else "tone-7"
    return Ratio(f"{gain.arm} / {gain.base}", ratio.low, ratio.ratio, ratio.high, tone)


def _work(census: Census) -> str:
    """Bytes moved by op, split by dtype: what a step without large products is made of, too."""
    by_op: dict[str, dict[str, float]] = {}
    for row in census.work:
        parts = by_op.setdefault(row.op, {})
        parts[row.dtype] = parts.get(row.dtype, 0.0) + row.bytes
    flops: dict[str, int] = {}
    for row in census.work:
        flops[row.op] = flops.get(row.op, 0) + row.flops
    ranked = sorted(by_op, key=lambda op: -sum(by_op[op].values()))[:_OPS]
    dtypes = sorted({dtype for op in ranked for dtype in by_op[op]}, reverse=True)
    bars = [
        Bar(
            op,
            tuple((dtype, by_op[op].get(dtype, 0.0)) for dtype in dtypes),
            f"{bytes_text(sum(by_op[op].values()))}" + (f", {count_text(flops[op])}FLOP" if flops[op] else ""),
        )
        for op in ranked
    ]
    return stacked(bars, "memory traffic by op and dtype", bytes_text)


def _summary(census: Census) -> list[str]:
    moved = sum(row.bytes for row in census.work) or 1
    return [
        f"{cast.count} casts from {cast.source} to {cast.target}: {bytes_text(cast.bytes)}, "
        f"{cast.bytes / moved:.0%} of what the step moves"
        for cast in census.casts
    ]


def _products(found: Profile) -> Iterator[str]:
    told = [f"{census.arm}: {product_text(item)}" for census in found.census for item in census.products]
    yield from told[:_PRODUCTS]
    if len(told) > _PRODUCTS:
        yield f"and {len(told) - _PRODUCTS} more"
