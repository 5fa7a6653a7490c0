"""How a loss scale moves: a model of GradScaler over an overflow threshold that differs from step to step.

A step overflows where the scale exceeds its threshold: what takes the largest scaled gradient past 65504. Over the
steps of a run log2 of the threshold is taken to be logistic and independent. torch (torch/amp/grad_scaler.py)
multiplies the scale by `backoff_factor` on an overflow and by `growth_factor` after `growth_interval` clean steps in a
row, so from level to level the scale is a Markov chain: up with probability (1 - p)^interval, down otherwise, p the
probability that a step overflows at that level.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import torch

_GRID = 16  # levels a doubling: factors that are no powers of two are rounded to it
_NEVER = 1e-9  # probability below which a level is not left that way
_STEEPEST, _FLATTEST = 0.05, 4.0


@dataclass(frozen=True)
class Settings:
    """Of a GradScaler; torch's defaults."""

    init_scale: float = 65536.0
    growth_factor: float = 2.0
    backoff_factor: float = 0.5
    growth_interval: int = 2000


@dataclass(frozen=True)
class Threshold:
    """log2 of the scale at which half of the steps overflow, and the logistic's scale parameter, in doublings."""

    middle: float
    spread: float

    def overflows(self, level: float) -> float:
        """The probability that a step overflows at a scale of 2**level."""
        return 1 / (1 + math.exp(max(-700.0, min(700.0, (self.middle - level) / self.spread))))


@dataclass(frozen=True)
class Forecast:
    """settling: attempts until the scale is first where it then stays, `low` to `high` in nine of ten attempts, with
    `scale` in the middle. skipped: the share of attempts that overflow from there on. first: attempts skipped before
    the first one is applied."""

    settling: float
    first: float
    scale: float
    low: float
    high: float
    skipped: float


def fit(steps: Iterable[tuple[float, bool]]) -> Threshold | None:
    """The threshold most likely to have made these attempts, each a loss scale and whether the step was applied.

    None where all were applied, or none: the scale did not meet its limit, or never got below it.
    """
    seen: Counter[tuple[float, bool]] = Counter((math.log2(scale), applied) for scale, applied in steps if scale > 0)
    if len({applied for _, applied in seen}) < 2:
        return None
    levels = [level for level, _ in seen]
    middles = [low / 8 for low in range(math.floor(8 * min(levels)) - 16, math.ceil(8 * max(levels)) + 17)]
    spreads = [_STEEPEST * 1.25**power for power in range(int(math.log(_FLATTEST / _STEEPEST, 1.25)) + 1)]
    return max(
        (Threshold(middle, spread) for middle in middles for spread in spreads),
        key=lambda threshold: _likelihood(threshold, seen),
    )


def _likelihood(threshold: Threshold, seen: Counter[tuple[float, bool]]) -> float:
    total = 0.0
    for (level, applied), times in seen.items():
        overflows = threshold.overflows(level)
        total += times * math.log(max(1 - overflows if applied else overflows, 1e-12))
    return total


def forecast(settings: Settings, threshold: Threshold) -> Forecast:
    """Where the scale goes, how long that takes, and what it costs.

    Raises:
        ValueError: settings that torch refuses, or under which the scale cannot move.
    """
    if settings.growth_factor <= 1 or not 0 < settings.backoff_factor < 1 or settings.growth_interval < 1:
        raise ValueError("a growth factor above 1, a backoff factor between 0 and 1, and an interval of at least 1")
    if not 0 < settings.init_scale < math.inf:
        raise ValueError(f"an initial scale of {settings.init_scale:g} never moves")
    chain = _Chain(settings, threshold)
    weights = chain.weights()
    low, middle, high = (_quantile(weights, share) for share in (0.05, 0.5, 0.95))
    return Forecast(
        settling=chain.hitting(low, high),
        first=chain.first_skips(),
        scale=2 ** (middle / _GRID),
        low=2 ** (low / _GRID),
        high=2 ** (high / _GRID),
        skipped=sum(weight * chain.overflows(at) for at, weight in weights.items()),
    )


class _Chain:
    """Levels in units of 1/_GRID doublings, from the first one on."""

    def __init__(self, settings: Settings, threshold: Threshold) -> None:
        self._interval, self._threshold = settings.growth_interval, threshold
        self._start = round(_GRID * math.log2(settings.init_scale))
        self._up = max(1, round(_GRID * math.log2(settings.growth_factor)))
        self._down = max(1, round(-_GRID * math.log2(settings.backoff_factor)))

    def overflows(self, at: int) -> float:
        return self._threshold.overflows(at / _GRID)

    def _grows(self, at: int) -> float:
        return float((1 - self.overflows(at)) ** self._interval)

    def _stay(self, at: int) -> float:
        """Attempts spent at a level: until the first overflow, or all of the interval."""
        overflows = self.overflows(at)
        return self._interval if overflows < 1e-12 else (1 - self._grows(at)) / overflows

    def _moves(self, at: int) -> Iterator[tuple[int, float]]:
        grows = self._grows(at)
        if grows > _NEVER:
            yield at + self._up, grows
        if grows < 1 - _NEVER:
            yield at - self._down, 1 - grows

    def _reachable(self, start: int) -> list[int]:
        found, waiting = {start}, [start]
        while waiting:
            for to, _ in self._moves(waiting.pop()):
                if to not in found:
                    found.add(to)
                    waiting.append(to)
        return sorted(found)

    def _settled(self) -> int:
        """A level that the scale comes back to: the likeliest way, far enough."""
        at, met = self._start, set[int]()
        while at not in met:
            met.add(at)
            at = max(self._moves(at), key=lambda move: move[1])[0]
        return at

    def weights(self) -> dict[int, float]:
        """The share of attempts at each level, in the long run."""
        levels = self._reachable(self._settled())
        balance = torch.eye(len(levels), dtype=torch.float64) - self._matrix(levels)
        balance = balance.T.contiguous()
        balance[-1] = 1.0  # of the balance equations one follows from the others; the shares add up to one
        shares = torch.linalg.solve(balance, torch.eye(len(levels), dtype=torch.float64)[-1])
        times = {at: max(float(share), 0.0) * self._stay(at) for at, share in zip(levels, shares, strict=True)}
        total = sum(times.values())
        return {at: time / total for at, time in times.items()}

    def hitting(self, low: int, high: int) -> float:
        """Attempts until a level within is reached."""
        levels = [at for at in self._reachable(self._start) if not low <= at <= high]
        if self._start not in levels:
            return 0.0
        stay = torch.tensor([self._stay(at) for at in levels], dtype=torch.float64)
        left = torch.linalg.solve(torch.eye(len(levels), dtype=torch.float64) - self._matrix(levels), stay)
        return float(left[levels.index(self._start)])

    def _matrix(self, levels: list[int]) -> torch.Tensor:
        """The chances of moves among these levels."""
        places = {at: place for place, at in enumerate(levels)}
        chances = torch.zeros(len(levels), len(levels), dtype=torch.float64)
        for at, place in places.items():
            for to, chance in self._moves(at):
                if to in places:
                    chances[place, places[to]] = chance
        return chances

    def first_skips(self) -> float:
        """Attempts skipped before the first one is applied."""
        at, total, chance = self._start, 0.0, 1.0
        while (chance := chance * self.overflows(at)) > 1e-6:
            total += chance
            at -= self._down
        return total


def _quantile(weights: dict[int, float], share: float) -> int:
    total = 0.0
    for at in sorted(weights):
        total += weights[at]
        if total >= share:
            return at
    return max(weights)
