"""What `ampfix profile` found out, as text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, TextIO

from ampfix.report.rows import NOTHING
from ampfix.report.sizes import bytes_text, count_text, ms_text

if TYPE_CHECKING:
    from ampfix.hardware.profile.results import Census, Product, Profile

_MOST = 8


def write(found: Profile, stream: TextIO) -> None:
    """Everything, most important first."""
    stream.writelines(f"{line}\n" for line in _lines(found))


def _lines(found: Profile) -> Iterator[str]:
    around = found.conditions
    size = f", {found.parameters:,} parameters" if found.parameters is not None else ""
    yield f"{found.target}{size}, on {around.device}, {around.threads} threads, torch {around.torch}"
    yield from (f"warning: {warning}" for warning in around.warnings)
    if found.arms:
        yield ""
        yield from _table(("precision", "step", "spread", "peak memory"), [_arm(found, arm.arm) for arm in found.arms])
        yield from (f"{arm.arm}: not measured: {arm.reason}" for arm in found.arms if arm.step_ms is None)
    if found.gains:
        yield ""
        yield from (f"{gain.arm} over {gain.base}: {gain.ratio}, {gain.band}: {gain.advice}" for gain in found.gains)
    if found.verdict:
        yield ""
        yield found.verdict
    if found.bounds:
        yield ""
        for item in found.bounds:
            reached = f"; the step reaches {item.reached:.0%} of it" if item.reached is not None else ""
            yield (
                f"{item.arm} on {item.device}: at least {ms_text(item.bound_ms)} a step by its roofline, "
                f"{item.memory_share:.0%} of it memory{reached}"
            )
    for census in found.census:
        yield from _census(census)
    yield from _kernels(found)
    if found.rates:
        rows = [
            (rate.dtype, rate.layout, shape_text(rate.shape), NOTHING if rate.tflops is None else f"{rate.tflops:.3g}")
            for rate in found.rates
        ]
        yield from _table(("dtype", "layout", "size", "TFLOP/s"), rows)
        yield from (f"{rate.dtype}: not measured: {rate.reason}" for rate in found.rates if rate.reason)
    yield from (f"note: {note}" for note in found.notes)


def _arm(found: Profile, name: str) -> tuple[str, ...]:
    arm = next(arm for arm in found.arms if arm.arm == name)
    if arm.step_ms is None:
        return name, NOTHING, NOTHING, NOTHING
    peak = NOTHING if arm.peak_bytes is None else bytes_text(arm.peak_bytes)
    return name, ms_text(arm.step_ms), f"{arm.spread or 0:.0%}", peak


def _census(census: Census) -> Iterator[str]:
    total = sum(row.flops for row in census.work)
    shares: dict[str, int] = {}
    for row in census.work:
        shares[row.dtype] = shares.get(row.dtype, 0) + row.flops
    parts = ", ".join(f"{count / total:.0%} {name}" for name, count in shares.items() if count) if total else "none"
    yield ""
    yield f"a step of {census.arm}: {count_text(total)}FLOP ({parts})"
    moved = sum(row.bytes for row in census.work)
    for cast in census.casts:
        share = f", {cast.bytes / moved:.0%} of what the step moves" if moved else ""
        yield f"  {cast.count} casts from {cast.source} to {cast.target}: {bytes_text(cast.bytes)}{share}"
    for product in census.products[:_MOST]:
        yield f"  {product_text(product)}"
    if len(census.products) > _MOST:
        yield f"  and {len(census.products) - _MOST} more shapes that are no multiples of 8"


def product_text(product: Product) -> str:
    """One misaligned product in a line."""
    shape = shape_text(product.shape)
    if product.gain is not None:
        worth = f"padded to multiples of 8 it is {product.gain} as fast here"
    else:
        worth = f"what padding gains was not measured{': ' + product.reason if product.reason else ''}"
    return f"{product.module}: {product.calls} products of {shape} in {product.dtype}: {worth}"


def shape_text(shape: Sequence[int]) -> str:
    """Sizes as 128x301x512."""
    return "x".join(map(str, shape))


def _kernels(found: Profile) -> Iterator[str]:
    if found.kernels:
        yield ""
    for item in found.kernels:
        if item.share is None:
            yield f"tensor cores ({item.arm}): not measured: {item.reason}"
        else:
            yield f"tensor cores ({item.arm}): {item.share:.0%} of kernel time; {', '.join(item.names[:2])}"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    widths = [max(len(row[index]) for row in (head, *rows)) for index in range(len(head))]
    for row in (head, *rows):
        yield "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
