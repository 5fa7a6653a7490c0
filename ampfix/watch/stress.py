"""Feeds a training loop batches that it has not seen: outliers and tiny values. A companion of `Watch`.

What the outermost module of a training forward is given is multiplied, in one attempt in four of each sort; numbers of
classes, tokens and masks stay as they are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook

from ampfix.watch.facts import StepFacts

if TYPE_CHECKING:
    from ampfix.watch.monitor import Watch

OUTLIER, TINY = 2.0**12, 2.0**-12
_PERIOD, _OUTLIER_AT, _TINY_AT = 8, 4, 0
"""Attempts 4, 12, 20, ... get a batch with an outlier, 8, 16, 24, ... a tiny one."""


class Stress:
    """Multiplies the first sample of a batch by OUTLIER, or all of a batch by TINY."""

    def __init__(self) -> None:
        self._attempt = 0
        self._depth = 0
        self._hooks: list[Any] = []
        self.changed = 0  # batches

    def begin(self, _watch: Watch) -> None:
        self._hooks = [
            register_module_forward_pre_hook(self._enter),
            register_module_forward_hook(self._leave, always_call=True),
        ]

    def stepped(self, facts: StepFacts) -> None:
        self._attempt = facts.attempt + 1

    def finish(self) -> dict[str, Any]:
        for hook in self._hooks:
            hook.remove()
        return {"stressed": self.changed}

    def _enter(self, module: torch.nn.Module, args: Any) -> Any:
        self._depth += 1
        if self._depth > 1 or not module.training or not torch.is_grad_enabled():
            return None
        return self._changed(args)

    def _leave(self, _module: torch.nn.Module, _args: Any, _out: Any) -> None:
        self._depth -= 1

    def _changed(self, args: tuple[Any, ...]) -> tuple[Any, ...] | None:
        phase = self._attempt % _PERIOD if self._attempt else -1
        if phase not in (_OUTLIER_AT, _TINY_AT) or not any(_is_data(item) for item in args):
            return None
        self.changed += 1
        change = _with_outlier if phase == _OUTLIER_AT else _tiny
        return tuple(change(item) if _is_data(item) else item for item in args)


def _is_data(item: Any) -> bool:
    return isinstance(item, torch.Tensor) and item.is_floating_point() and item.dim() > 0 and not item.requires_grad


def _with_outlier(batch: torch.Tensor) -> torch.Tensor:
    changed = batch.clone()
    changed[0] *= OUTLIER
    return changed


def _tiny(batch: torch.Tensor) -> torch.Tensor:
    return batch * TINY
