"""Numbers with their units, as pages and tables show them."""

from __future__ import annotations


def bytes_text(count: float) -> str:
    """In the largest binary unit that leaves at least 1."""
    for unit, size in (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)):
        if abs(count) >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count:.0f} B"


def count_text(value: float) -> str:
    """With a decimal prefix from 1,000 on."""
    for prefix, size in (("T", 1e12), ("G", 1e9), ("M", 1e6), ("k", 1e3)):
        if abs(value) >= size:
            return f"{value / size:.3g} {prefix}"
    return f"{value:.3g} "


def ms_text(value: float) -> str:
    """Milliseconds, from microseconds to seconds."""
    if value < 1:
        return f"{value * 1e3:.3g} us"
    return f"{value:.3g} ms" if value < 1e3 else f"{value / 1e3:.3g} s"
