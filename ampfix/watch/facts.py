"""What a run adds up to: bounded curves and counts, whatever its length."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

T = TypeVar("T")

CURVE_POINTS = 512


@dataclass(frozen=True)
class StepFacts:
    """One attempt at an optimizer step.

    applied: None where it cannot be told. scale: the loss scale at the attempt, None without an enabled scaler.
    grad_norm: 2-norm of the unscaled gradients, where it was measured. norm_before_clip: the same when they were
    clipped; clipped_scaled: whether they carried the scale then. loss: the last unscaled loss seen before it. lr: the
    first group's learning rate.
    """

    attempt: int
    optimizer: str
    applied: bool | None
    scale: float | None = None
    grad_norm: float | None = None
    norm_before_clip: float | None = None
    clipped_scaled: bool = False
    loss: float | None = None
    lr: float | None = None
    path: str = ""
    line: int = 0


class Thinned(Generic[T]):
    """At most `limit` of the values appended, evenly spaced: each time it is full, every second one is dropped."""

    def __init__(self, limit: int = CURVE_POINTS) -> None:
        self._limit = limit
        self._stride = 1
        self._count = 0
        self.points: list[T] = []

    def append(self, value: T) -> None:
        if self._count % self._stride == 0:
            if len(self.points) == self._limit:
                del self.points[1::2]
                self._stride *= 2
            if self._count % self._stride == 0:
                self.points.append(value)
        self._count += 1

    def __len__(self) -> int:
        return self._count


@dataclass
class Range:
    """Extremes of the finite values seen, the last value, and the first step at which one was not finite."""

    curve: Thinned[tuple[int, float]] = field(default_factory=Thinned)
    low: float = math.inf
    high: float = -math.inf
    last: float | None = None
    first_nonfinite: int | None = None

    def add(self, step: int, value: float) -> None:
        self.curve.append((step, value))
        self.last = value
        if math.isfinite(value):
            self.low, self.high = min(self.low, value), max(self.high, value)
        elif self.first_nonfinite is None:
            self.first_nonfinite = step

    def summary(self) -> dict[str, Any]:
        """JSON-able: no infinities or NaN (they become None)."""
        return {
            "min": _finite(self.low),
            "max": _finite(self.high),
            "last": _finite(self.last),
            "first_nonfinite_step": self.first_nonfinite,
            "curve": [[step, _finite(value)] for step, value in self.curve.points],
        }


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
