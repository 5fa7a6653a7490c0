"""The statistics of timed runs: ratios with intervals from interleaved arms, and what may be concluded from them.

An arm is one loop in one precision. Every arm runs once in each pass, forwards and backwards in turn (A B C C B A), so
that drift of clocks and temperature falls on all alike; the runs of one pass are compared with one another.
"""

from __future__ import annotations

import random
import statistics
from collections.abc import Iterator, Sequence

from ampfix.lab.models import Model

CLAIM_FROM = 1.05
"""Below this lower end of the interval no speedup is claimed."""
NOISY, TOO_NOISY = 0.10, 0.25
"""Interquartile range over median of one arm: from here on a warning, and no conclusion."""

_RESAMPLES = 2000
_FEWEST = 4


class Ratio(Model):
    """How many times as fast as its base an arm is. low, high: 95 % interval. noise: of the noisier of the two."""

    ratio: float
    low: float
    high: float
    noise: float

    def __str__(self) -> str:
        warning = f", noisy: spread {self.noise:.0%}" if self.noise >= NOISY else ""
        return f"{self.ratio:.2f}x ({self.low:.2f} to {self.high:.2f}{warning})"


class Timing(Model):
    """Seconds a step of an answer and of both fp32 arms, pass by pass. problem: why there are none, in one line.

    loss_ratio: held-out loss of the timed answer over the timed IEEE fp32 run's, median: what did as much work is
    near 1 or below.
    """

    answer: tuple[float, ...] = ()
    fp32: tuple[float, ...] = ()
    tf32: tuple[float, ...] = ()
    loss_ratio: float | None = None
    problem: str = ""

    @property
    def over_fp32(self) -> Ratio:
        return ratio(self.fp32, self.answer)

    @property
    def over_tf32(self) -> Ratio:
        return ratio(self.tf32, self.answer)


def interleaved(arms: Sequence[str], rounds: int) -> Iterator[str]:
    """A B C C B A, `rounds` times: two passes each."""
    for _ in range(rounds):
        yield from arms
        yield from reversed(arms)


def ratio(base: Sequence[float], arm: Sequence[float]) -> Ratio:
    """The ratio of two arms that ran pass by pass: median of the passes' ratios, and its bootstrap interval.

    Raises ValueError for fewer than four passes, or arms of different length.
    """
    if len(base) != len(arm) or len(arm) < _FEWEST:
        raise ValueError(f"two arms of at least {_FEWEST} passes are asked for: {len(base)} and {len(arm)}")
    ratios = [slow / fast for slow, fast in zip(base, arm, strict=True)]
    generator = random.Random(0)
    medians = sorted(statistics.median(generator.choices(ratios, k=len(ratios))) for _ in range(_RESAMPLES))
    return Ratio(
        ratio=statistics.median(ratios),
        low=medians[int(0.025 * _RESAMPLES)],
        high=medians[int(0.975 * _RESAMPLES)],
        noise=max(spread(base), spread(arm)),
    )


def spread(times: Sequence[float]) -> float:
    """Interquartile range over median."""
    low, middle, high = statistics.quantiles(times, n=4)
    return (high - low) / middle
