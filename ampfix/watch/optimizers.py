"""Observes optimizers: which there are, their steps outside a scaler, zero_grad, and learning rate schedulers."""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable
from types import FrameType
from typing import Any

import torch
from torch.optim import lr_scheduler
from torch.optim.optimizer import (
    Optimizer,
    register_optimizer_step_post_hook,
    register_optimizer_step_pre_hook,
)

from ampfix.protocol import EventKind
from ampfix.watch import gradients
from ampfix.watch.clipping import ClipOracle
from ampfix.watch.journal import Journal
from ampfix.watch.patches import Patches, subclasses


def name_optimizer(journal: Journal, optimizer: Any) -> str:
    """The optimizer's name. One that holds the same parameters as a known one, as a wrapper does, shares its name:
    they have the same gradients."""
    known = journal.optimizers.find(optimizer)
    if known is None:
        journal.met_strangers = True
        known = _give_name(journal, optimizer)
    return known


def _give_name(journal: Journal, optimizer: Any) -> str:
    held = {id(parameter) for parameter in gradients.parameters_of(optimizer)}
    for name, other in journal.optimizers.live():
        if held and held == {id(parameter) for parameter in gradients.parameters_of(other)}:
            journal.optimizers.alias(optimizer, name)
            return name
    return journal.optimizers.of(optimizer)


class OptimizerObserver:
    """Writes OPTIMIZER_STEP for steps that no enabled scaler takes, and ZERO_GRAD."""

    def __init__(self, journal: Journal, oracle: ClipOracle) -> None:
        self._journal = journal
        self._oracle = oracle
        self._running: list[FrameType | None] = []
        self._searched = False

    def install(self, patches: Patches) -> None:
        patches.method(Optimizer, "__init__", self._created)
        for owner in subclasses(Optimizer):
            patches.method(owner, "zero_grad", self._zero_grad)
        patches.method(torch.nn.Module, "zero_grad", self._module_zero_grad)
        for handle in (
            register_optimizer_step_pre_hook(self._before_step),
            register_optimizer_step_post_hook(self._after_step),
        ):
            patches.on_undo(handle.remove)

    @property
    def stepping(self) -> bool:
        """Whether an optimizer's step is running, which may read gradients of a closure's backward."""
        return bool(self._running)

    def find_older(self) -> None:
        """Look once for optimizers made before the recording, where there must be some: a search takes 0.1 s."""
        journal = self._journal
        if self._searched or (journal.optimizers.count and not journal.met_strangers):
            return
        self._searched = True
        for thing in gc.get_objects():
            if issubclass(type(thing), Optimizer):  # isinstance would ask proxies for their __class__
                name_optimizer(journal, thing)

    def _created(self, original: Callable[..., Any], optimizer: Any, *args: Any, **kwargs: Any) -> None:
        original(optimizer, *args, **kwargs)
        _give_name(self._journal, optimizer)

    def _before_step(self, optimizer: Any, args: Any, kwargs: Any) -> None:
        if self._nested():
            return
        self._running.append(sys._getframe(1))
        journal = self._journal
        name = name_optimizer(journal, optimizer)
        if _closure(args, kwargs) is not None:  # its gradients come inside
            if journal.scaler_step is not None:
                journal.scaler_step.ran = True
            return
        if journal.scaler_step is None:
            journal.before_use()
        journal.grad_norm = self._oracle.before_step(name, optimizer)
        if journal.scaler_step is None:
            journal.emit(EventKind.OPTIMIZER_STEP, optimizers=(name,))
        else:
            journal.scaler_step.ran = True
        journal.before_update()

    def _after_step(self, optimizer: Any, args: Any, kwargs: Any) -> None:
        if not self._running or self._running[-1] is not sys._getframe(1):
            return
        self._running.pop()
        journal = self._journal
        journal.after_update()
        if journal.scaler_step is not None:
            return
        name = name_optimizer(journal, optimizer)
        if _closure(args, kwargs) is not None:
            journal.emit(EventKind.OPTIMIZER_STEP, optimizers=(name,))
        journal.attempted(name, True, None)

    def _nested(self) -> bool:
        """Whether this step runs inside another one. A step that raised leaves its frame behind; drop it."""
        while self._running:
            frame = sys._getframe(3)
            while frame is not None and frame is not self._running[-1]:
                frame = frame.f_back  # type: ignore[assignment]
            if frame is not None:
                return True
            self._running.pop()
        return False

    def _zero_grad(self, original: Callable[..., Any], optimizer: Any, *args: Any, **kwargs: Any) -> Any:
        result = original(optimizer, *args, **kwargs)
        self._journal.cleared((name_optimizer(self._journal, optimizer),))
        return result

    def _module_zero_grad(self, original: Callable[..., Any], module: Any, *args: Any, **kwargs: Any) -> Any:
        result = original(module, *args, **kwargs)
        held = {id(parameter) for parameter in module.parameters()}
        cleared = tuple(
            name
            for name, optimizer in self._journal.optimizers.live()
            if all(id(parameter) in held for parameter in gradients.parameters_of(optimizer))
        )
        if cleared:
            self._journal.cleared(cleared)
        return result


class SchedulerObserver:
    """Writes SCHEDULER_STEP. ReduceLROnPlateau follows a metric, not the steps, and is left alone."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal
        self._inside = False

    def install(self, patches: Patches) -> None:
        patches.method(lr_scheduler.LRScheduler, "_initial_step", self._quiet)
        for owner in subclasses(lr_scheduler.LRScheduler):
            if not issubclass(owner, lr_scheduler.ReduceLROnPlateau):
                patches.method(owner, "step", self._step)

    def _quiet(self, original: Callable[..., Any], scheduler: Any, *args: Any, **kwargs: Any) -> Any:
        outer, self._inside = self._inside, True
        try:
            return original(scheduler, *args, **kwargs)
        finally:
            self._inside = outer

    def _step(self, original: Callable[..., Any], scheduler: Any, *args: Any, **kwargs: Any) -> Any:
        optimizer = getattr(scheduler, "optimizer", None)
        if not self._inside and optimizer is not None:
            self._journal.emit(EventKind.SCHEDULER_STEP, optimizers=(name_optimizer(self._journal, optimizer),))
        return self._quiet(original, scheduler, *args, **kwargs)


def _closure(args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """The closure of a step call; the hooks receive the optimizer itself as the first positional argument."""
    return kwargs.get("closure", args[1] if len(args) > 1 else None)
