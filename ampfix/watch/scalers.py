"""Observes GradScaler: what it scales, unscales, steps and updates, and what became of each step.

torch keeps one OptState per optimizer in the scaler (torch/amp/grad_scaler.py). A step's fate is read from the inf
checks found there, because hooks lie: a fused optimizer's step runs, and fires its hooks, even when it is skipped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch.amp.grad_scaler import GradScaler

from ampfix.protocol import EventKind
from ampfix.watch.journal import Journal, ScalerStep
from ampfix.watch.optimizers import name_optimizer
from ampfix.watch.patches import Patches, subclasses

MARK = "ampfix_scaler"
"""Key of a graph node's metadata that names the scaler whose `scale()` made it."""


class ScalerObserver:
    """Writes SCALE, UNSCALE, SCALER_STEP and UPDATE events. Disabled scalers write nothing: what they forward to the
    optimizer is a plain step."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._busy: set[str] = set()  # scaler methods running: what torch calls inside them is not the user's doing
        self.seen_in_backward: set[str] = set()

    def install(self, patches: Patches) -> None:
        methods = {"scale": self._scale, "unscale_": self._unscale, "step": self._step, "update": self._update}
        for owner in subclasses(GradScaler):
            for name, replacement in methods.items():
                patches.method(owner, name, replacement)

    def _scale(self, original: Callable[..., Any], scaler: Any, outputs: Any) -> Any:
        if self._idle(scaler):
            return original(scaler, outputs)
        name = self._journal.scalers.of(scaler)
        if isinstance(outputs, torch.Tensor) and not self._busy:
            self._journal.saw_loss(outputs)
        self._busy.add("scale")
        try:
            scaled = original(scaler, outputs)
        finally:
            self._busy.discard("scale")
        self._journal.emit(EventKind.SCALE, scaler=name)
        for tensor in _tensors(scaled):
            self._mark(tensor, name)
        return scaled

    def _mark(self, tensor: torch.Tensor, name: str) -> None:
        if tensor.grad_fn is not None:
            metadata: Any = tensor.grad_fn.metadata
            metadata[MARK] = name
            tensor.register_hook(lambda _: self.seen_in_backward.add(name))  # type: ignore[no-untyped-call]

    def _unscale(self, original: Callable[..., Any], scaler: Any, optimizer: Any) -> Any:
        if not self._idle(scaler):
            self._journal.emit(
                EventKind.UNSCALE,
                scaler=self._journal.scalers.of(scaler),
                optimizers=(name_optimizer(self._journal, optimizer),),
            )
        return original(scaler, optimizer)

    def _step(self, original: Callable[..., Any], scaler: Any, optimizer: Any, *args: Any, **kwargs: Any) -> Any:
        if self._idle(scaler):
            return original(scaler, optimizer, *args, **kwargs)
        journal = self._journal
        name = name_optimizer(journal, optimizer)
        journal.scaler_step = ScalerStep(journal.scalers.of(scaler), name, scaler.get_scale())
        self._busy.add("step")
        applied: bool | None = None
        try:
            result = original(scaler, optimizer, *args, **kwargs)
            applied = _applied(scaler, optimizer)
        finally:
            self._busy.discard("step")
            journal.close_scaler_step(applied)
        return result

    def _update(self, original: Callable[..., Any], scaler: Any, new_scale: Any = None) -> Any:
        if self._idle(scaler):
            return original(scaler, new_scale)
        journal = self._journal
        name = journal.scalers.of(scaler)
        journal.emit(EventKind.UPDATE, scaler=name, forced=new_scale is not None)
        self._busy.add("update")
        try:
            result = original(scaler, new_scale)
        finally:
            self._busy.discard("update")
        journal.scales.add(journal.attempts, scaler.get_scale())
        return result

    def _idle(self, scaler: Any) -> bool:
        return bool(self._busy) or not scaler.is_enabled()


def _applied(scaler: Any, optimizer: Any) -> bool | None:
    checks = scaler._per_optimizer_states[id(optimizer)]["found_inf_per_device"]
    return not any(float(found) for found in checks.values()) if checks else None


def _tensors(value: Any) -> Iterator[torch.Tensor]:
    if isinstance(value, torch.Tensor):
        yield value
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _tensors(item)
