"""What the ranges of a run, and the way its loss scale went, say about the scale: `--ranges` of `ampfix watch`."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ampfix.watch import dynamics
from ampfix.watch.dynamics import Forecast, Settings, Threshold
from ampfix.watch.facts import StepFacts
from ampfix.watch.ranges import ACTIVATION, GRADIENT, Layer, RangeCensus, sampled

if TYPE_CHECKING:
    from ampfix.watch.monitor import Watch

FLUSH, SUBNORMAL, OVERFLOW = -25, -14, 16
"""Magnitudes below 2**-25 round to zero in float16, those below 2**-14 are subnormal, and from 2**16 on they are
infinite (from 65520 on, to be exact)."""

_LOST = 1e-3
_HEADROOM = 2
"""Doublings kept free above the largest gradient seen: batches to come are larger than those sampled."""
_WANTS_FLOAT32 = 0.25
"""Share of a layer's gradients that float16 would flush at the scale recommended. benchmarks/ranges.py: of 354 layers
of 87 right loops one loses 8.7 %, the next 0.3 % and 346 none; a branch with gradients 2**-38 below the next
loses 89 %, one at 2**-40 all. (0.05 called the head of a right loop unfit.)"""
_TOO_FLAT = 2.0
"""Spread of a threshold from which on it is no one threshold: outliers overflow at a scale of their own."""
_NEAR_OVERFLOW = 15
"""2**15 and more: the next doubling is infinite. benchmarks/ranges.py: in 287 float16 layers of right loops the largest
activations are below 2**4 in 90 %, 2**9 in 99 % and 2**13 in all; where a loop overflows they are not finite."""


@dataclass(frozen=True)
class Advice:
    """log2 of loss scales: `lowest` at which at most one nonzero gradient in a thousand is flushed in every layer,
    `highest` at which none seen overflows, and the recommended one; None where no gradient was seen. wants_float32:
    the layers whose values do not fit float16, with the reason."""

    lowest: int | None
    highest: int | None
    recommended: int | None
    wants_float32: dict[str, str]

    def as_json(self) -> dict[str, Any]:
        return vars(self).copy()


def advise(layers: Iterable[Layer]) -> Advice:
    """What the ranges say about a loss scale for float16."""
    seen = list(layers)
    slopes = [layer for layer in seen if layer.side == GRADIENT and layer.counts]
    wants = {layer.module: reason for layer in seen if layer.side == ACTIVATION and (reason := _activation(layer))}
    if not slopes:
        return Advice(None, None, None, wants)
    highest = OVERFLOW - 1 - max(layer.highest or 0 for layer in slopes)
    recommended = highest - _HEADROOM
    for layer in seen:
        if layer.side == GRADIENT and layer.zeros and not layer.counts and not layer.nonfinite:
            wants.setdefault(
                layer.module, f"all of its gradients are zero; a scale of 2^{recommended} may bring them back"
            )
    for layer in slopes:
        lost = layer.share_below(FLUSH - recommended)
        if lost > _WANTS_FLOAT32:
            wants.setdefault(layer.module, f"{lost:.0%} of its gradients are flushed to zero at a scale that others "
                             "bear")  # fmt: skip
    return Advice(max(map(_lowest, slopes)), highest, recommended, wants)


def _activation(layer: Layer) -> str:
    highest = layer.highest
    if layer.nonfinite:
        return "its activations are not finite"
    if highest is not None and highest >= _NEAR_OVERFLOW:
        return f"its activations reach 2^{highest}"
    return ""


def _lowest(layer: Layer) -> int:
    """The smallest log2 of a scale at which few of its gradients are flushed."""
    below, total = 0, layer.nonzero
    for exponent in sorted(layer.counts):
        below += layer.counts[exponent]
        if below > _LOST * total:
            return FLUSH - exponent
    return 0


@dataclass(frozen=True)
class ScaleModel:
    """The scaler's settings, the threshold that its attempts show, and what follows; None where they show none."""

    settings: Settings
    threshold: Threshold | None
    forecast: Forecast | None

    def as_json(self) -> dict[str, Any]:
        parts = {"settings": self.settings, "threshold": self.threshold, "forecast": self.forecast}
        return {name: None if part is None else vars(part).copy() for name, part in parts.items()}


class Ranges:
    """A companion of `Watch`: takes the census in some rounds, and models the scale of the optimizer that steps most.

    Each census is a line of kind `ranges` in the record, which holds all that was counted until then.
    """

    def __init__(self) -> None:
        self._census = RangeCensus()
        self._watch: Watch | None = None
        self._attempts: defaultdict[str, Counter[tuple[float, bool]]] = defaultdict(Counter)
        self._settings: Settings | None = None
        self.advice = advise(())
        self.model: ScaleModel | None = None

    @property
    def layers(self) -> list[Layer]:
        return self._census.layers

    def begin(self, watch: Watch) -> None:
        self._watch = watch

    def stepped(self, facts: StepFacts) -> None:
        if facts.scale is not None and facts.applied is not None:
            self._attempts[facts.optimizer][facts.scale, facts.applied] += 1
            if self._settings is None and self._watch is not None:
                self._settings = _settings(self._watch)
        if sampled(facts.attempt):
            self._census.end(facts.scale)
            self.advice = advise(self.layers)
            if self._watch is not None:
                self._watch.write("ranges", {"attempt": facts.attempt, "scale": facts.scale, **self.as_json()})
        if sampled(facts.attempt + 1):
            self._census.begin()

    def finish(self) -> dict[str, Any]:
        self._census.end(None)
        self.model = self._modelled()
        told = {"advice": self.advice.as_json()}
        return told if self.model is None else {**told, "scale_model": self.model.as_json()}

    def lines(self) -> Iterator[str]:
        """What is told at the end of a run."""
        advice, model = self.advice, self.model
        if advice.recommended is not None:
            low, high = advice.lowest, advice.highest
            fits = f"2^{low} to 2^{high} hold" if low is not None and high is not None and low <= high else "none holds"
            yield f"loss scale: 2^{advice.recommended} suits the gradients of {self._census.rounds} rounds; {fits} all"
        for module, reason in advice.wants_float32.items():
            yield f"{module} wants float32: {reason}"
        if model is not None and model.forecast is not None:
            told = model.forecast
            yield (
                f"its scale settles within about {told.settling:.0f} attempts between 2^{math.log2(told.low):.0f} and "
                f"2^{math.log2(told.high):.0f}, where {told.skipped:.1%} of the steps are skipped"
            )

    def as_json(self) -> dict[str, Any]:
        return {
            "rounds": self._census.rounds,
            "layers": [layer.as_json() for layer in self.layers],
            "advice": self.advice.as_json(),
        }

    def _modelled(self) -> ScaleModel | None:
        if self._settings is None or not self._attempts:
            return None
        seen = max(self._attempts.values(), key=lambda attempts: attempts.total())
        threshold = dynamics.fit(seen.elements())
        told = None
        if threshold is not None and threshold.spread < _TOO_FLAT:
            told = dynamics.forecast(self._settings, threshold)
        return ScaleModel(self._settings, threshold, told)


def _settings(watch: Watch) -> Settings | None:
    """Those of the scaler met last, None where they are none that a scale moves under."""
    scalers = list(watch.recorder.journal.scalers.live())
    if not scalers:
        return None
    scaler = scalers[-1][1]
    first = float(getattr(scaler, "_init_scale", Settings.init_scale))
    if not 0 < first < math.inf:
        return None
    return Settings(
        first,
        float(scaler.get_growth_factor()),
        float(scaler.get_backoff_factor()),
        int(scaler.get_growth_interval()),
    )
