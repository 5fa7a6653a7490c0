"""Estimates from graded answers, and how sure they are."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping, Sequence
from statistics import NormalDist, fmean
from typing import TypeVar

from ampfix.lab.models import Model

T = TypeVar("T")
CONFIDENCE = 0.95
RESAMPLES = 2000
_SEED = 20_240_601  # fixed, so that a report rendered again says the same


class Interval(Model):
    """An estimate with the ends of its 95 % interval."""

    estimate: float
    low: float
    high: float


def pass_at(k: int, n: int, passed: int) -> float:
    """Chance that one of k answers drawn from n passes: 1 - C(n - passed, k) / C(n, k), the unbiased estimator.

    Source: Chen et al. 2021, "Evaluating Large Language Models Trained on Code". Raises ValueError for k > n.
    """
    if k > n:
        raise ValueError(f"pass@{k} needs {k} answers, not {n}")
    return 1.0 - math.comb(n - passed, k) / math.comb(n, k)


def pass_all(k: int, n: int, passed: int) -> float:
    """Chance that all of k answers drawn from n pass: C(passed, k) / C(n, k). Raises ValueError for k > n."""
    if k > n:
        raise ValueError(f"pass^{k} needs {k} answers, not {n}")
    return math.comb(passed, k) / math.comb(n, k)


def wilson(passed: int, n: int) -> Interval:
    """The Wilson score interval of a rate: it stays within 0..1 and does not collapse at 0 or n.

    Source: Wilson 1927, JASA 22(158). Raises ZeroDivisionError for n = 0.
    """
    z = NormalDist().inv_cdf(0.5 + CONFIDENCE / 2)
    rate = passed / n
    centre = (rate + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(rate * (1 - rate) / n + z * z / (4 * n * n))
    return Interval(estimate=rate, low=max(0.0, centre - half), high=min(1.0, centre + half))


def cluster_bootstrap(clusters: Mapping[str, Sequence[T]], estimate: Callable[[Sequence[T]], float]) -> Interval:
    """An estimate over all items, with a percentile interval from drawing whole clusters.

    Scenarios of one family resemble each other: as single draws they would promise more certainty than there is.
    """
    groups = list(clusters.values())
    draw = random.Random(_SEED)
    drawn = sorted(
        estimate([item for group in draw.choices(groups, k=len(groups)) for item in group]) for _ in range(RESAMPLES)
    )
    tail = (1 - CONFIDENCE) / 2
    return Interval(
        estimate=estimate([item for group in groups for item in group]),
        low=drawn[math.floor(tail * (RESAMPLES - 1))],
        high=drawn[math.ceil((1 - tail) * (RESAMPLES - 1))],
    )


def mean_difference(pairs: Sequence[tuple[float, float]]) -> float:
    """Of paired scores (one, other): the mean of one - other."""
    return fmean(one - other for one, other in pairs)
