"""Axes of the charts: where a value lies between two ends, and which round values get a tick."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Scale:
    """Maps values from [low, high] to [start, stop] pixels; logarithmic where the ends span a factor of 20 or more."""

    low: float
    high: float
    start: float
    stop: float
    log: bool

    def __call__(self, value: float) -> float:
        """The pixel of a finite value; values beyond the ends are drawn at the ends."""
        low, high, at = (math.log(x) for x in (self.low, self.high, max(value, self.low))) if self.log else (
            self.low, self.high, value
        )  # fmt: skip
        share = 0.5 if high == low else min(max((at - low) / (high - low), 0.0), 1.0)
        return self.start + share * (self.stop - self.start)

    def ticks(self, most: int = 5) -> list[float]:
        """At most about `most` round values within the ends, ascending."""
        return _log_ticks(self.low, self.high, most) if self.log else _linear_ticks(self.low, self.high, most)


# Where a linear axis would press the smaller values together.
_LOG_FROM = 20.0


def fit(values: Iterable[float], start: float, stop: float) -> Scale:
    """A scale that holds every finite value, with a margin of 4 % on both sides."""
    finite = [value for value in values if math.isfinite(value)]
    low, high = (min(finite), max(finite)) if finite else (0.0, 1.0)
    log = low > 0 and high / low >= _LOG_FROM
    if log:
        margin = (high / low) ** 0.04
        return Scale(low / margin, high * margin, start, stop, log=True)
    pad = 0.04 * (high - low) or max(abs(high) * 0.04, 1e-12)
    return Scale(low - pad, high + pad, start, stop, log=False)


def _linear_ticks(low: float, high: float, most: int) -> list[float]:
    raw = (high - low) / most
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= raw * (1 - 1e-9))
    first = math.ceil(low / step)
    # Multiples, not a running sum, which would drift.
    return [index * step for index in range(first, math.floor(high / step * (1 + 1e-12)) + 1)]


def _log_ticks(low: float, high: float, most: int) -> list[float]:
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for digits in ((1, 2, 5), (1, 3), (1,)):
        ticks = [digit * 10.0**decade for decade in decades for digit in digits]
        inside = [tick for tick in ticks if low <= tick <= high]
        if len(inside) <= most:
            return inside
    return inside[:: math.ceil(len(inside) / most)]
