"""Is the run in good health? Losses, skipped steps and the loss scale, attempt by attempt, against thresholds."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from ampfix.watch.alarms import Alarm, Alarms, rule_name
from ampfix.watch.facts import StepFacts
from ampfix.watch.journal import Journal

SCALE_WARNS, SCALE_DUMPS, SCALE_ADVISES = 1.0, 0.01, 1e-5
"""Loss scales below which a run is warned of, looked into, and given up on. The last two are those at which icefall
saves a bad model and stops; a scale below 1 means that unscaled gradients overflow float16."""

SETTLING_SKIPS = 12
"""Skips in a row that a large first scale explains: from 2**16 down to 2**4."""

_WINDOW, _FEW_SKIPS, _MANY_SKIPS = 40, 8, 0.2
"""A scaler that doubles every 2000 steps skips one in 2000 once it has settled; one in five of forty, with growth in
between, is thrashing."""
_LASTING = frozenset({"loss-not-finite", "steps-skipped-for-good", "scale-collapse-dumps"})
_GROWTHS = 3
_LOSSES = 3  # not finite in a row, before a scaler that skips them is doubted


@dataclass
class _Scale:
    """One optimizer's scale over the last attempts."""

    applied: deque[bool] = field(default_factory=lambda: deque(maxlen=_WINDOW))
    growths: int = 0
    skips_in_a_row: int = 0
    since_change: int = 0
    last: float | None = None
    highest_applied: float = 0.0


class Health:
    """Call with each attempt. `wants_look` says that the next attempt should be traced op by op."""

    def __init__(self, alarms: Alarms, journal: Journal) -> None:
        self._alarms, self._journal = alarms, journal
        self._scales: dict[str, _Scale] = {}
        self._bad_losses = 0
        self._applied = 0
        self.wants_look = False
        self.first_bad: int | None = None  # the first attempt that a scaler cannot heal
        self.lasting = False  # something goes wrong for good

    def __call__(self, step: StepFacts, growth_interval: int | None) -> None:
        self._loss(step)
        if step.scale is not None and step.applied is not None:
            self._scale(step, self._scales.setdefault(step.optimizer, _Scale()), growth_interval)
        self._applied += step.applied is True

    def _loss(self, step: StepFacts) -> None:
        if step.loss is None or math.isfinite(step.loss):
            self._bad_losses = 0
            return
        self._bad_losses += 1
        self.wants_look = True
        self.first_bad = step.attempt if self.first_bad is None else self.first_bad
        if step.scale is None and step.applied:
            code = "AMP411" if self._in_bfloat16() else ""
            self._raise(
                step, rule_name(code) or "loss-not-finite",
                "the loss is not finite and the step was taken: the weights are spoilt",
                {"loss": step.loss}, "skip such steps: nothing else does in a run without a scaler", code,
            )  # fmt: skip
        elif self._bad_losses >= _LOSSES:
            self._raise(
                step, "loss-not-finite",
                f"the loss was not finite in {_LOSSES} attempts in a row; no loss scale heals a forward that overflows",
                {"loss": step.loss, "scale": step.scale}, "look at the op below: it wants float32",
            )  # fmt: skip

    @property
    def loss_is_finite(self) -> bool:
        """Whether the last loss was."""
        return not self._bad_losses

    def _in_bfloat16(self) -> bool:
        return {dtype for _, dtype in self._journal.regions if dtype is not None} == {"bfloat16"}

    def _scale(self, step: StepFacts, seen: _Scale, growth_interval: int | None) -> None:
        scale, applied = float(step.scale or 0.0), bool(step.applied)
        grew = seen.last is not None and scale > seen.last
        seen.growths += grew
        seen.since_change = 0 if seen.last is None or scale != seen.last else seen.since_change + 1
        seen.last = scale
        seen.applied.append(applied)
        seen.skips_in_a_row = 0 if applied else seen.skips_in_a_row + 1
        if seen.skips_in_a_row >= SETTLING_SKIPS // 2:
            self.wants_look = True
        self._collapse(step, seen, scale)
        self._thrashing(step, seen)
        if applied and growth_interval and seen.since_change > 2 * growth_interval:
            self._raise(
                step, "scale-never-grows",
                f"the loss scale has stood still for {seen.since_change} attempts, though the scaler is to raise it "
                f"after {growth_interval}",
                {"scale": scale}, "call update() behind each step, once, and keep one scaler for the run",
            )  # fmt: skip

    def _collapse(self, step: StepFacts, seen: _Scale, scale: float) -> None:
        if seen.skips_in_a_row > SETTLING_SKIPS:
            self.first_bad = step.attempt if self.first_bad is None else self.first_bad
            self._raise(
                step, "steps-skipped-for-good",
                f"{seen.skips_in_a_row} steps in a row were skipped: halving the scale does not help, so what "
                "overflows does not depend on it",
                {"scale": scale}, "look at the op below: it wants float32",
            )  # fmt: skip
        if scale < SCALE_WARNS:
            level = "advises" if scale < SCALE_ADVISES else "dumps" if scale < SCALE_DUMPS else "warns"
            self.wants_look |= level != "warns"
            self._raise(
                step, f"scale-collapse-{level}", f"the loss scale fell to {scale:g}", {"scale": scale},
                "train in bfloat16, or keep the layers that overflow in float32" if level == "advises" else "",
            )  # fmt: skip

    def _thrashing(self, step: StepFacts, seen: _Scale) -> None:
        skips = len(seen.applied) - sum(seen.applied)
        if len(seen.applied) < _WINDOW or skips < _FEW_SKIPS or seen.growths < _GROWTHS:
            return
        if skips / len(seen.applied) >= _MANY_SKIPS:
            self._raise(
                step, rule_name("AMP207"),
                f"{skips} of the last {_WINDOW} steps were skipped while the loss scale went up and down: it is raised "
                "too eagerly",
                {"scale": step.scale, "growths": seen.growths},
                "leave growth_factor, backoff_factor and growth_interval at their defaults", "AMP207",
            )  # fmt: skip

    def _raise(
        self, step: StepFacts, name: str, message: str, evidence: dict[str, Any], advice: str, code: str = ""
    ) -> None:
        self.lasting |= name in _LASTING
        self._alarms.raise_(Alarm(code, name, message, step.path, step.line, step.attempt, evidence, advice))
