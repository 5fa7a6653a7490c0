"""torch's fused SGD takes memory that nothing has written for its momentum where a scaler skips its first step.

`_fused_sgd` (torch/optim/sgd.py, 2.4 to 2.13) makes the buffers with `empty_like` and counts on the kernel to fill them
in the first step; the kernel of a skipped step returns at once, and no later step is a first one.
"""

from __future__ import annotations

from typing import Any

import torch

from ampfix.protocol import Event
from ampfix.watch.alarms import Alarm, Alarms, rule_name
from ampfix.watch.facts import StepFacts
from ampfix.watch.journal import Journal


class FusedMomentum:
    """Call with each BACKWARD and attempt: tells of momentum that is not zero though no step has given it a value."""

    def __init__(self, journal: Journal, alarms: Alarms) -> None:
        self._journal, self._alarms = journal, alarms
        self._starting: dict[str, bool] = {}  # optimizers met, and whether their first step is still to come

    def saw(self, event: Event) -> None:
        for name in event.optimizers:
            if name not in self._starting:
                self._starting[name] = _starts_fused(self._of(name))

    def stepped(self, step: StepFacts) -> None:
        starting, self._starting[step.optimizer] = self._starting.get(step.optimizer, False), False
        if starting and step.applied is False and any(bool(item.any()) for item in _momentum(self._of(step.optimizer))):
            message = "the scaler skipped this optimizer's first step, and torch's fused SGD then takes memory that "
            message += "nothing has written for its momentum: the next step adds that to the weights"
            advice = "pass fused=False, or an init_scale that the first step survives"
            place = step.path, step.line, step.attempt
            self._alarms.raise_(Alarm("AMP124", rule_name("AMP124"), message, *place, advice=advice))

    def _of(self, name: str) -> Any:
        return next((optimizer for known, optimizer in self._journal.optimizers.live() if known == name), None)


def _starts_fused(optimizer: Any) -> bool:
    """Whether this is a fused SGD with momentum that has none yet."""
    groups = optimizer.param_groups if isinstance(optimizer, torch.optim.SGD) else ()
    return any(group.get("fused") and group.get("momentum") for group in groups) and not _momentum(optimizer)


def _momentum(optimizer: Any) -> list[torch.Tensor]:
    found = [state.get("momentum_buffer") for state in optimizer.state.values()] if optimizer is not None else []
    return [item for item in found if isinstance(item, torch.Tensor)]
