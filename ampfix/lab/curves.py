"""Loss and loss scale by step, as a run reports them: for people to look at, never for a check."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from ampfix.lab.models import Model

POINTS = 48
"""Of one curve: enough for a chart as wide as a page's column."""

_MOST_STEPS = 1 << 31
_DIGITS = 5

Points = tuple[tuple[int, float | None], ...]
"""(attempt at an optimizer step, value); None where the value was not finite."""


class Curve(Model):
    """One run on one seed. loss: unscaled, as the loop computed it on its batch. scale: empty without a scaler."""

    loss: Points = ()
    scale: Points = ()


def read_curve(facts: Mapping[str, Any]) -> Curve:
    """The curves among a recorder's facts, thinned. Whatever no recorder writes is left out: nothing rests on them."""
    return Curve(loss=_points(facts.get("loss")), scale=_points(facts.get("scale")))


def _points(fact: object) -> Points:
    curve = fact.get("curve") if isinstance(fact, dict) else None
    found = [point for each in curve if (point := _point(each)) is not None] if isinstance(curve, list) else []
    stride = -(-len(found) // POINTS) or 1
    return tuple(found[::stride])


def _point(item: object) -> tuple[int, float | None] | None:
    if not isinstance(item, list) or len(item) != 2:
        return None
    step, value = item
    if isinstance(step, bool) or not isinstance(step, int) or not 0 <= step < _MOST_STEPS:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float, type(None))):
        return None
    if value is None or abs(value) > 1e300 or not math.isfinite(value):
        return step, None
    return step, float(f"{value:.{_DIGITS}g}")
