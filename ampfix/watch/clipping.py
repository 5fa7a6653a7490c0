"""Observes gradient clipping, and checks it against what reaches the optimizer.

Only torch's own functions can be seen (`clip_grad_norm_`, `clip_grad_value_`, `clip_grads_with_norm_`, under any name
and from any import); a loop that multiplies gradients by itself is the static witness's business.

The oracle: at `optimizer.step()` the gradients' norm must be min(limit, true norm), where the true norm is what the
clip saw, divided by the loss scale if the gradients carried it then. A clip before `unscale_` misses that by about the
scale, under Adam too, whose weights hide it.
"""

from __future__ import annotations

import math
import types
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import torch
from torch.nn.utils import clip_grad

from ampfix.protocol import EventKind
from ampfix.watch import gradients
from ampfix.watch.journal import Journal
from ampfix.watch.patches import Patches
from ampfix.watch.usage import GradientUse

TOLERANCE = 0.05
"""Correct loops stay within rounding of fp32 (below 1e-3); a clip on scaled gradients is off by the scale."""
_DENSE_ATTEMPTS = 16  # measured at every attempt this long, then at every 8th
_SPARSE = 8
_ADDED_BY_TORCH = 1e-6  # torch clips by limit / (norm + 1e-6)


@dataclass
class Clip:
    """A clip waiting for its optimizer's step.

    total: the norm that was clipped, read only then, since reading it at once would wait for a GPU in the middle of a
    step. unscale: what to multiply it by. limit: in units of unscaled gradients.
    """

    parameters: list[torch.Tensor]
    optimizers: tuple[str, ...]
    norm_type: float
    limit: float
    unscale: float
    path: str
    line: int
    total: Any = 0.0

    @property
    def expected(self) -> float:
        true_norm = float(self.total) * self.unscale
        return min(true_norm, self.limit * true_norm / (true_norm + _ADDED_BY_TORCH))


@dataclass
class ClipFacts:
    checked: int = 0
    mismatched: int = 0
    while_scaled: int = 0
    worst_ratio: float = 1.0
    first_mismatch: dict[str, Any] | None = None

    def summary(self) -> dict[str, Any]:
        return dict(vars(self))


@dataclass
class ClipOracle:
    """Remembers clips until the step they are meant for and compares."""

    journal: Journal
    facts: ClipFacts = field(default_factory=ClipFacts)
    waiting: list[Clip] = field(default_factory=list)

    @property
    def measuring(self) -> bool:
        return self.journal.attempts < _DENSE_ATTEMPTS or self.journal.attempts % _SPARSE == 0

    def clipped(self, clip: Clip) -> None:
        self.forget(clip.optimizers)
        if self.measuring:
            self.waiting.append(clip)

    def forget(self, optimizers: Iterable[str]) -> None:
        """New gradients arrived, or another clip: what was expected before does not hold any more."""
        if not self.waiting:
            return
        gone = set(optimizers)
        self.waiting = [clip for clip in self.waiting if not gone & set(clip.optimizers)]

    def before_step(self, name: str, optimizer: Any) -> float | None:
        """Check the clips of an optimizer about to step. Returns the norm of its unscaled gradients, if measured."""
        if not self.measuring:
            self.forget((name,))
            return None
        carried = _fused_scale(optimizer)
        parameters = list(gradients.parameters_of(optimizer))
        norm = gradients.norm(gradients.gradients_of(parameters)) / carried
        for clip in [clip for clip in self.waiting if name in clip.optimizers]:
            self.journal.clip = (float(clip.total) * clip.unscale, clip.unscale != 1.0)
            is_same = clip.norm_type == 2.0 and list(map(id, clip.parameters)) == list(map(id, parameters))
            clipped = (
                norm if is_same else gradients.norm(gradients.gradients_of(clip.parameters), clip.norm_type) / carried
            )
            self._compare(clip, clipped)
        self.forget((name,))
        return norm

    def _compare(self, clip: Clip, measured: float) -> None:
        expected = clip.expected
        if expected <= 0 or not math.isfinite(expected) or not math.isfinite(measured):
            return
        ratio = measured / expected
        self.facts.checked += 1
        if abs(ratio - 1) <= TOLERANCE:
            return
        self.facts.mismatched += 1
        if abs(math.log(max(ratio, 1e-30))) > abs(math.log(max(self.facts.worst_ratio, 1e-30))):
            self.facts.worst_ratio = ratio
        if self.facts.first_mismatch is None:
            self.facts.first_mismatch = {
                "step": self.journal.attempts,
                "path": clip.path,
                "line": clip.line,
                "measured": measured,
                "expected": expected,
            }


def _fused_scale(optimizer: Any) -> float:
    """What a fused optimizer still has to divide its gradients by; the scaler sets it for the time of the step.

    A scale that overflows halved to 0 divides nothing: these gradients are not finite and the step is skipped.
    """
    scale = getattr(optimizer, "grad_scale", None)
    return 1.0 if scale is None else float(scale) or math.nan


class ClipObserver:
    """Writes CLIP, and READ_GRAD where only the norm is taken."""

    def __init__(self, journal: Journal, oracle: ClipOracle, use: GradientUse) -> None:
        self._journal = journal
        self._oracle = oracle
        self._use = use
        self._inside = False

    def install(self, patches: Patches) -> None:
        patches.decorated(clip_grad, "clip_grad_norm_", self._clip_norm)
        patches.decorated(clip_grad, "clip_grad_value_", self._clip_value)
        patches.decorated(clip_grad, "_clip_grads_with_norm_", self._clip_with_norm)
        patches.decorated(clip_grad, "_get_total_norm", self._total_norm)

    def _clip_norm(
        self,
        original: Callable[..., Any],
        parameters: Any,
        max_norm: Any,
        norm_type: Any = 2.0,
        *args: Any,
        **more: Any,
    ) -> Any:
        tensors, passed = _materialise(parameters)
        if math.isinf(float(max_norm)):  # nothing is clipped: a way of asking for the norm
            self._event(EventKind.READ_GRAD, tensors)
            return self._call(original, passed, max_norm, norm_type, *args, **more)
        clip = self._event(EventKind.CLIP, tensors, float(norm_type), float(max_norm))
        total = self._call(original, passed, max_norm, norm_type, *args, **more)
        if clip is not None:
            clip.total = total
            self._oracle.clipped(clip)
        return total

    def _clip_value(
        self, original: Callable[..., Any], parameters: Any, clip_value: Any, *args: Any, **more: Any
    ) -> Any:
        return self._measured_clip(original, parameters, float("inf"), clip_value, *args, **more)

    def _clip_with_norm(
        self, original: Callable[..., Any], parameters: Any, max_norm: Any, *args: Any, **more: Any
    ) -> Any:
        return self._measured_clip(original, parameters, 2.0, max_norm, *args, **more)

    def _measured_clip(
        self, original: Callable[..., Any], parameters: Any, norm_type: float, limit: Any, *args: Any, **more: Any
    ) -> Any:
        if self._inside:
            return original(parameters, limit, *args, **more)
        tensors, passed = _materialise(parameters)
        clip = self._event(EventKind.CLIP, tensors, norm_type, float(limit))
        if clip is not None and self._oracle.measuring:
            clip.total = gradients.norm(gradients.gradients_of(tensors), norm_type)
            self._oracle.clipped(clip)
        return self._call(original, passed, limit, *args, **more)

    def _total_norm(self, original: Callable[..., Any], tensors: Any, *args: Any, **more: Any) -> Any:
        if self._inside:
            return original(tensors, *args, **more)
        read, passed = _materialise(tensors)
        held = {id(tensor) for tensor in read}
        owners = self._owners(lambda parameter: parameter.grad is not None and id(parameter.grad) in held)
        if owners:
            self._journal.emit(EventKind.READ_GRAD, optimizers=owners)
        return self._call(original, passed, *args, **more)

    def _call(self, original: Callable[..., Any], *args: Any, **more: Any) -> Any:
        outer, self._inside = self._inside, True
        followed = self._use.pause()
        try:
            return original(*args, **more)
        finally:
            self._use.resume(followed)
            self._inside = outer

    def _event(
        self, kind: EventKind, tensors: list[torch.Tensor], norm_type: float = 2.0, limit: float = math.inf
    ) -> Clip | None:
        """Write the event; for a clip, return what to wait for."""
        held = {id(tensor) for tensor in tensors}
        owners = self._owners(lambda parameter: id(parameter) in held)
        if not owners:
            return None
        scale = self._scale_of(owners)
        follows = scale is not None and scale >= _LARGE_SCALE and scale / _PLAUSIBLE_THRESHOLD <= limit < math.inf
        place = self._journal.locate()
        self._journal.emit(kind, place, optimizers=owners, linear=follows)
        if scale is not None and kind is EventKind.CLIP and not follows:
            self._oracle.facts.while_scaled += 1
        factor = 1.0 / (scale or 1.0)
        return Clip(tensors, owners, norm_type, limit * factor if follows else limit, factor, *place)

    def _owners(self, concerned: Callable[[torch.Tensor], bool]) -> tuple[str, ...]:
        return tuple(
            name
            for name, optimizer in self._journal.optimizers.live()
            if any(concerned(parameter) for parameter in gradients.parameters_of(optimizer))
        )

    def _scale_of(self, optimizers: tuple[str, ...]) -> float | None:
        """The loss scale in the gradients of these optimizers, None where they carry none."""
        if not any(self._journal.carries_scale(name) for name in optimizers):
            return None
        scales = [
            scaler.get_scale() for name, scaler in self._journal.scalers.live() if name in self._journal.state.scaled
        ]
        return float(scales[-1]) if scales else None


_LARGE_SCALE = 4096.0
_PLAUSIBLE_THRESHOLD = 16.0
"""A limit above scale / 16, at a scale of 4096 or more, was multiplied by the scale: `max_norm * scaler.get_scale()`
clips scaled gradients rightly. Thresholds in use are 0.1 to 10, seldom 100."""


def _materialise(parameters: Any) -> tuple[list[torch.Tensor], Any]:
    """The tensors, and what to pass on: a generator is spent by reading it."""
    if isinstance(parameters, torch.Tensor):
        return [parameters], parameters
    tensors = list(parameters)
    spent_empty = isinstance(parameters, types.GeneratorType) and not tensors
    return tensors, _nothing() if spent_empty else tensors


def _nothing() -> Any:
    """An empty generator, which torch warns about; an empty list it does not."""
    yield from ()
