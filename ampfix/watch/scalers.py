"""Observes GradScaler: what it scales, unscales, steps and updates, and what became of each step.

torch keeps one OptState per optimizer in the scaler (torch/amp/grad_scaler.py). A step's fate is read from the inf
checks found there, because hooks lie: a fused optimizer's step runs, and fires its hooks, even when it is skipped.
"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from typing import Any

import torch
from torch.amp.grad_scaler import GradScaler

from ampfix.protocol import EventKind, Grad
from ampfix.watch import gradients
from ampfix.watch.journal import Journal, ScalerStep
from ampfix.watch.optimizers import name_optimizer
from ampfix.watch.patches import Patches, Replacement, subclasses
from ampfix.watch.tensors import tensors_in

_PRIVATE = ("_found_inf_per_device", "_check_inf_per_device")
MARK = "ampfix_scaler"
"""Key of a graph node's metadata that names the scaler whose `scale()` made it."""


class ScalerObserver:
    """Writes SCALE, UNSCALE, SCALER_STEP and UPDATE events. Disabled scalers write nothing: what they forward to the
    optimizer is a plain step."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._busy: set[str] = set()
        self.seen_in_backward: set[str] = set()

    def install(self, patches: Patches) -> None:
        methods: dict[str, Replacement] = {
            "scale": self._scale,
            "unscale_": self._unscale,
            "step": self._step,
            "update": self._update,
        }
        for owner in subclasses(GradScaler):
            for name, replacement in methods.items():
                patches.method(owner, name, replacement)
            for name in _PRIVATE:
                patches.method(owner, name, functools.partial(self._private, name))

    def _private(self, name: str, original: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        if self._journal.locate.is_users(sys._getframe(2).f_code):
            self._journal.on_private(name, self._journal.locate())
        return original(*args, **kwargs)

    def _scale(self, original: Callable[..., Any], scaler: Any, outputs: Any) -> Any:
        if self._idle(scaler, "scale"):
            self._journal.scaler_is_off |= not scaler.is_enabled()
            return original(scaler, outputs)
        name = self._journal.scalers.of(scaler)
        if isinstance(outputs, torch.Tensor):
            self._journal.saw_loss(outputs)
        self._busy.add("scale")
        try:
            scaled = original(scaler, outputs)
        finally:
            self._busy.discard("scale")
        self._journal.emit(EventKind.SCALE, scaler=name)
        for tensor in tensors_in(scaled):
            self._mark(tensor, name)
        return scaled

    def _mark(self, tensor: torch.Tensor, name: str) -> None:
        if tensor.grad_fn is not None:
            metadata: Any = tensor.grad_fn.metadata
            metadata[MARK] = name
            tensor.register_hook(lambda _: self.seen_in_backward.add(name))  # type: ignore[no-untyped-call]

    def _unscale(self, original: Callable[..., Any], scaler: Any, optimizer: Any, *args: Any, **kwargs: Any) -> Any:
        if self._idle(scaler, "unscale_", "step"):  # step() unscales by itself
            return original(scaler, optimizer, *args, **kwargs)
        name = name_optimizer(self._journal, optimizer)
        self._note_unseen_gradients(scaler, optimizer, name)
        self._journal.emit(EventKind.UNSCALE, scaler=self._journal.scalers.of(scaler), optimizers=(name,))
        self._busy.add("unscale_")
        try:
            return original(scaler, optimizer, *args, **kwargs)
        finally:
            self._busy.discard("unscale_")

    def _step(self, original: Callable[..., Any], scaler: Any, optimizer: Any, *args: Any, **kwargs: Any) -> Any:
        if self._idle(scaler, "step"):
            return original(scaler, optimizer, *args, **kwargs)
        journal = self._journal
        name = name_optimizer(journal, optimizer)
        if kwargs.get("closure", args[0] if args else None) is not None:
            journal.on_closure(journal.locate())
        self._note_unseen_gradients(scaler, optimizer, name)
        scale = scaler.get_scale()  # no wait of its own on a GPU: torch reads the inf checks next
        step = journal.open_scaler_step(ScalerStep(journal.scalers.of(scaler), name, scale))
        applied: bool | None = None
        self._busy.add("step")
        try:
            result = original(scaler, optimizer, *args, **kwargs)
            applied = _applied(step, scaler, optimizer)
        finally:
            self._busy.discard("step")
            journal.close_scaler_step(applied)
        return result

    def _update(self, original: Callable[..., Any], scaler: Any, *args: Any, **kwargs: Any) -> Any:
        if self._idle(scaler, "update"):
            return original(scaler, *args, **kwargs)
        new_scale = kwargs.get("new_scale", args[0] if args else None)
        name = self._journal.scalers.of(scaler)
        self._journal.emit(EventKind.UPDATE, scaler=name, forced=new_scale is not None)
        self._busy.add("update")
        try:
            result = original(scaler, *args, **kwargs)
        finally:
            self._busy.discard("update")
        self._journal.final_scale = scaler._get_scale_async()
        return result

    def _note_unseen_gradients(self, scaler: Any, optimizer: Any, name: str) -> None:
        """Gradients may be put in place without a backward, as `p.grad = g`. They are taken for scaled ones."""
        if self._journal.state.of(name).grad is Grad.NONE and not gradients.zero(optimizer):
            self._journal.emit(EventKind.BACKWARD, scaler=self._journal.scalers.of(scaler), optimizers=(name,))

    def _idle(self, scaler: Any, *methods: str) -> bool:
        """Whether a call is none of the user's, since torch or a subclass makes it inside one of these methods, or
        does nothing, since the scaler is disabled."""
        return not self._busy.isdisjoint(methods) or not scaler.is_enabled()


def _applied(step: ScalerStep, scaler: Any, optimizer: Any) -> bool | None:
    """Whether the optimizer's step ran and did something.

    That it ran is enough for an optimizer which torch skips by not calling it; reading the inf checks then would wait
    for a GPU. A fused one is always called, and looks at them itself.
    """
    if step.ran and not getattr(optimizer, "_step_supports_amp_scaling", False):
        return True
    checks = scaler._per_optimizer_states[id(optimizer)]["found_inf_per_device"]
    return not any(float(found) for found in checks.values()) if checks else None
