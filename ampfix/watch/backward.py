"""Observes backward: which optimizers received gradients, and whether those carry a loss scale.

The engine's entry in `torch.autograd` is wrapped, which every spelling of backward passes. What `scale()` returns is
marked; a hook on it tells that a backward went through it, and the graph above it whether anything went around it.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch.utils._python_dispatch import _disable_current_modes

from ampfix.protocol import EventKind, Grad
from ampfix.watch import gradients
from ampfix.watch.clipping import ClipOracle
from ampfix.watch.journal import Journal
from ampfix.watch.optimizers import OptimizerObserver
from ampfix.watch.patches import Patches
from ampfix.watch.scalers import MARK, ScalerObserver
from ampfix.watch.usage import GradientUse

_NEAR = 8  # nodes behind a scaled value within which its factor lies
_MAX_NODES = 4096  # of a graph that are looked at
_SUSPECT = {Grad.UNSCALED, Grad.STALE, Grad.FORGOTTEN, Grad.MIXED, Grad.SCALED}


@dataclass(frozen=True)
class _Loss:
    """What the graph behind a loss tells. mixed: part of it goes around the scaler. half: float16 without a scaler."""

    mixed: bool
    half: bool
    scaled_by_hand: bool
    whole_mean: bool


class BackwardObserver:
    """Writes BACKWARD, before it FORWARD where the graph holds float16, and ZERO_GRAD where gradients were cleared by
    hand."""

    def __init__(
        self,
        journal: Journal,
        scalers: ScalerObserver,
        optimizers: OptimizerObserver,
        oracle: ClipOracle,
        use: GradientUse,
    ) -> None:
        self._journal = journal
        self._use = use
        self._scalers = scalers
        self._optimizers = optimizers
        self._oracle = oracle
        self._running = False

    def install(self, patches: Patches) -> None:
        patches.function(torch.autograd, "_engine_run_backward", self._run)

    def _run(self, original: Callable[..., Any], outputs: Any, *args: Any, **kwargs: Any) -> Any:
        if self._running or not kwargs.get("accumulate_grad"):  # autograd.grad, or a checkpoint's inner backward
            return self._differentiate(original, outputs, *args, **kwargs)
        self._use.close()
        self._journal.before_backward()
        self._optimizers.find_older()
        place = self._journal.locate()
        self._clear_by_hand(place)
        before = {name: gradients.marks(optimizer) for name, optimizer in self._journal.optimizers.live()}
        mixed = self._passes_around_scale(outputs)
        half = not mixed and self._needs_scale() and _holds_float16(outputs)
        by_hand = half and _is_multiple(outputs)
        whole = not self._optimizers.stepping and all(  # a closure's evaluations are no micro-batches
            _is_whole_mean(output.grad_fn) for output in outputs if isinstance(output, torch.Tensor)
        )
        self._scalers.seen_in_backward.clear()
        self._running = True
        try:
            return original(outputs, *args, **kwargs)
        finally:
            self._running = False
            live = self._journal.optimizers.live()
            received = tuple(sorted(name for name, item in live if gradients.arrived(item, before.get(name, ()))))
            if received:
                self._write(place, outputs, received, _Loss(mixed, half, by_hand, whole))
                if not self._optimizers.stepping:
                    self._use.open(received)

    def _differentiate(self, original: Callable[..., Any], outputs: Any, *args: Any, **kwargs: Any) -> Any:
        """`torch.autograd.grad`: gradients that are handed out. Its third argument asks for a graph of them."""
        results = original(outputs, *args, **kwargs)
        wants_graph = len(args) > 2 and args[2]
        if wants_graph and not self._running and self._is_scaled(outputs):
            self._use.open_penalty(results)
        return results

    def _is_scaled(self, outputs: Iterable[torch.Tensor]) -> bool:
        """Whether these come from `scale()`, perhaps summed up."""
        near = itertools.islice(_graph(outputs, lambda node: MARK in node.metadata), _NEAR)
        return bool(self._journal.state.scaled) and any(MARK in node.metadata for node in near)

    def _write(
        self,
        place: tuple[str, int],
        outputs: Any,
        received: tuple[str, ...],
        loss: _Loss,
    ) -> None:
        scalers: list[str] = sorted(self._scalers.seen_in_backward)
        if not scalers and len(outputs) == 1:
            self._journal.saw_loss(outputs[0])
        if loss.half and not scalers:
            self._journal.emit(EventKind.FORWARD, place, dtype="float16")
        for scaler in scalers:
            self._journal.emit(EventKind.BACKWARD, place, scaler=scaler, optimizers=received, undivided=loss.whole_mean)
        if loss.mixed or not scalers:
            self._journal.emit(
                EventKind.BACKWARD,
                place,
                optimizers=received,
                manual_scale=loss.scaled_by_hand,
                undivided=loss.whole_mean,
            )
        self._journal.received(received)
        self._oracle.forget(received)

    def _clear_by_hand(self, place: tuple[str, int]) -> None:
        """`p.grad = None` and `p.grad.zero_()` pass no function that could be watched. Looked for only where adding a
        new gradient to the old one would be wrong."""
        state = self._journal.state
        if not state.scaled:
            return
        for name, optimizer in list(self._journal.optimizers.live()):
            now = state.of(name)
            if now.grad in _SUSPECT and (gradients.none(optimizer) if now.carries_scale else gradients.zero(optimizer)):
                self._journal.cleared((name,), place)

    def _needs_scale(self) -> bool:
        return not self._journal.state.scaled and self._journal.saw_float16_region

    def _passes_around_scale(self, outputs: Iterable[torch.Tensor]) -> bool:
        """Whether some path from the outputs reaches the model without passing a marked node, though others do."""
        if not self._journal.state.scaled or all(_is_marked(output) for output in outputs):
            return False
        marked = around = False
        for node in _graph(outputs, lambda node: MARK in node.metadata):
            if MARK in node.metadata:
                marked = True
            elif not node.next_functions or node.name() == "torch::autograd::AccumulateGrad":
                around = True
            if marked and around:
                return True
        return False


def _is_marked(output: Any) -> bool:
    node = getattr(output, "grad_fn", None)
    return node is not None and MARK in node.metadata


def _holds_float16(outputs: Iterable[torch.Tensor]) -> bool:
    return any(
        getattr(item, "dtype", None) is torch.float16
        for node in _graph(outputs, lambda _: False)
        for item in getattr(node, "_input_metadata", ())
    )


def _is_multiple(outputs: tuple[torch.Tensor, ...]) -> bool:
    """Whether the loss was multiplied by a constant above one, as scaling by hand does."""
    node: Any = outputs[0].grad_fn
    if (
        node is None
        or node.name() != "MulBackward0"
        or all(function is not None for function, _ in node.next_functions)
    ):
        return False
    factor = node._saved_other if node.next_functions[0][0] is not None else node._saved_self
    with _disable_current_modes():  # a dispatch mode is handed a number where the graph saved one
        return isinstance(factor, torch.Tensor) and factor.numel() == 1 and float(factor) > 1


_MEAN = 1  # torch.nn._reduction's number for "mean"
_SUMMANDS = 8


def _is_whole_mean(node: Any, depth: int = _SUMMANDS) -> bool:
    """Whether a loss is a mean over its batch, or a sum of such, with nothing but the scaler's factor on it."""
    while node is not None and (MARK in node.metadata or node.name() == "ToCopyBackward0"):
        node = next((below for below, _ in node.next_functions if below is not None), None)
    if node is None or depth == 0:
        return False
    if node.name() == "AddBackward0":
        below = [following for following, _ in node.next_functions]
        return all(following is not None and _is_whole_mean(following, depth - 1) for following in below)
    return node.name() == "MeanBackward0" or getattr(node, "_saved_reduction", None) == _MEAN


def _graph(outputs: Iterable[torch.Tensor], stop: Callable[[Any], bool]) -> Iterable[Any]:
    """Nodes of the graph behind the outputs, breadth first, not beyond those where `stop` holds."""
    level = [output.grad_fn for output in outputs if isinstance(output, torch.Tensor) and output.grad_fn is not None]
    seen: set[Any] = set(level)
    while level and len(seen) < _MAX_NODES:
        below = []
        for node in level:
            yield node
            if stop(node):
                continue
            for following, _ in node.next_functions:
                if following is not None and following not in seen:
                    seen.add(following)
                    below.append(following)
        level = below
