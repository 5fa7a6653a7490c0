"""The run so far: every observer writes its events here, and the protocol judges them as they come."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from ampfix.protocol import Broken, Event, EventKind, Outcome, State
from ampfix.watch import gradients
from ampfix.watch.facts import Range, StepFacts, Thinned
from ampfix.watch.judge import Judge
from ampfix.watch.names import Names
from ampfix.watch.position import Locator

_MAX_BROKEN = 256  # distinct (violation, place) pairs kept; a loop has a few at most
_NO_CLIP: tuple[float | None, bool] = (None, False)
_USES = frozenset({EventKind.UNSCALE, EventKind.OPTIMIZER_STEP, EventKind.ZERO_GRAD, EventKind.UPDATE})
_OUTCOMES = {True: Outcome.APPLIED, False: Outcome.SKIPPED, None: Outcome.UNKNOWN}


def _nothing(*_: Any) -> None:
    pass


@dataclass
class ScalerStep:
    """A `scaler.step(optimizer)` under way.

    Its event is written when it returns, since only then its outcome is known; where user code runs inside it (a
    closure), it is written before that code's own events. ran: the scaler has called the optimizer.
    """

    scaler: str
    optimizer: str
    scale: float
    ran: bool = False
    written: bool = False
    gradients_arrived: bool = False


@dataclass(frozen=True)
class Occurrence:
    """A violation at one place in the code, with the first step that showed it."""

    broken: Broken
    count: int


class Journal:
    """Numbers the steps, places events in the user's code, hands them on, and keeps bounded facts."""

    def __init__(
        self,
        on_event: Callable[[Event], None],
        on_attempt: Callable[[str, int, bool | None], None],
        locate: Locator,
    ) -> None:
        self._on_event = on_event
        self._on_attempt = on_attempt
        self.locate = locate
        self.optimizers = Names()
        self.scalers = Names()
        self._judge = Judge()
        self.attempts = self.applied = self.skipped = 0
        self.first_skip: int | None = None
        self.saw_float16_region = False
        self.met_strangers = False  # optimizers whose making was not seen
        self.scaler_step: ScalerStep | None = None
        self.grad_norm: float | None = None
        self.clip: tuple[float | None, bool] = _NO_CLIP  # the norm when it was clipped, and whether it was scaled
        self.on_step: Callable[[StepFacts], None] = _nothing
        self.on_penalty: Callable[[tuple[str, int]], None] = _nothing
        self.on_private: Callable[[str, tuple[str, int]], None] = _nothing
        self.on_closure: Callable[[tuple[str, int]], None] = _nothing
        self.on_loss: Callable[[Any], None] = _nothing
        self.before_backward: Callable[[], None] = _nothing
        self.before_update: Callable[[], None] = _nothing  # around an optimizer's step that runs no code of the loop's
        self.after_update: Callable[[], None] = _nothing
        self.regions: Counter[tuple[str, str | None]] = Counter()  # device and dtype (None: disabled) of those entered
        self.scaler_is_off = False
        self.on_broken: Callable[[Broken], None] = _nothing
        self.losses = Range()
        self.scales = Range()
        self.final_scale: Any = None  # the scaler's own tensor, which outlives it here and is read at the end
        self.grad_norms = Range()
        self.steps: Thinned[StepFacts] = Thinned()
        self._loss: float | None = None
        self._pending_losses: list[tuple[Any, float]] = []
        self._broken: dict[tuple[Any, ...], Occurrence] = {}
        self.events = 0
        self._unused: dict[str, int] = {}  # the weights' versions at the last backward
        self.before_use: Callable[[], None] = _nothing  # called before gradients are unscaled, stepped on or cleared

    @property
    def state(self) -> State:
        """What the protocol knows after the events so far."""
        return self._judge.state

    def emit(self, kind: EventKind, place: tuple[str, int] | None = None, **fields: Any) -> None:
        """Write one event. `place` saves looking for the user's frame again."""
        if kind in _USES:
            self.before_use()
        step = self.scaler_step
        if step is not None and not step.written:
            self._write_scaler_step(step, True)
        if step is not None and kind is EventKind.BACKWARD:
            step.gradients_arrived = True
        self._write(kind, place, **fields)

    def received(self, optimizers: Iterable[str]) -> None:
        """A backward has put gradients there: note how the weights stand."""
        for name, optimizer in self.optimizers.live():
            if name in optimizers:
                self._unused[name] = gradients.versions(optimizer)

    def cleared(self, optimizers: tuple[str, ...], place: tuple[str, int] | None = None) -> None:
        """Write ZERO_GRAD. Gradients that no weight has changed since were of no use."""
        unused = {name: self._unused.pop(name, None) for name in optimizers}
        wasted = [
            gradients.versions(optimizer) == unused[name]
            for name, optimizer in self.optimizers.live()
            if unused.get(name) is not None
        ]
        self.emit(EventKind.ZERO_GRAD, place, optimizers=optimizers, discards=bool(wasted) and all(wasted))

    def _write(self, kind: EventKind, place: tuple[str, int] | None = None, **fields: Any) -> None:
        path, line = place or self.locate()
        event = Event(kind, path=path, line=line, step=self.attempts, **fields)
        for item in self._judge(event):
            self._remember(item)
        self.events += 1
        self._on_event(event)

    def _remember(self, broken: Broken) -> None:
        event = broken.event
        key = (broken.violation, event.path, event.line)
        seen = self._broken.get(key)
        if seen is not None:
            self._broken[key] = Occurrence(seen.broken, seen.count + 1)
        elif len(self._broken) < _MAX_BROKEN:
            self._broken[key] = Occurrence(broken, 1)
            self.on_broken(broken)

    @property
    def violations(self) -> list[Occurrence]:
        return list(self._broken.values())

    def _write_scaler_step(self, step: ScalerStep, applied: bool | None) -> None:
        step.written = True
        self._write(EventKind.SCALER_STEP, scaler=step.scaler, optimizers=(step.optimizer,), outcome=_OUTCOMES[applied])

    def open_scaler_step(self, step: ScalerStep) -> ScalerStep:
        self.before_use()
        self.scaler_step = step
        self.scales.add(self.attempts, step.scale)
        return step

    def close_scaler_step(self, applied: bool | None) -> None:
        """The scaler's step has returned, or raised (None)."""
        step, self.scaler_step = self.scaler_step, None
        if step is None:
            return
        if not step.written:
            self._write_scaler_step(step, applied)
        elif step.gradients_arrived:
            # A closure computed new gradients, and the optimizer applied those, past the scaler's unscaling.
            self._write(EventKind.OPTIMIZER_STEP, optimizers=(step.optimizer,))
        self.attempted(step.optimizer, applied, step.scale)

    def attempted(self, optimizer: str, applied: bool | None, scale: float | None) -> None:
        """An optimizer step was attempted and has ended."""
        self._read_losses()
        attempt = self.attempts
        if applied is False:
            self.skipped += 1
            self.first_skip = attempt if self.first_skip is None else self.first_skip
        elif applied:
            self.applied += 1
        if self.grad_norm is not None:
            self.grad_norms.add(attempt, self.grad_norm)
        facts = StepFacts(
            attempt,
            optimizer,
            applied,
            scale,
            self.grad_norm,
            *self.clip,
            self._loss,
            self._learning_rate(optimizer),
            *self.locate(),
        )
        self.steps.append(facts)
        self.grad_norm, self.clip = None, _NO_CLIP
        self.attempts += 1
        self._unused.pop(optimizer, None)
        self._on_attempt(optimizer, attempt, applied)
        self.on_step(facts)

    def _learning_rate(self, name: str) -> float | None:
        optimizer = next((thing for known, thing in self.optimizers.live() if known == name), None)
        groups = getattr(optimizer, "param_groups", None)
        rate = groups[0].get("lr") if groups else None
        return float(rate) if isinstance(rate, (int, float)) else None

    def saw_loss(self, loss: Any, divisor: float = 1.0) -> None:
        """Keep a loss until the step's end: reading it at once would wait for a GPU in the middle of the step."""
        self.on_loss(loss)
        if loss.numel() == 1 and len(self._pending_losses) < 64:
            self._pending_losses.append((loss.detach(), divisor))

    def _read_losses(self) -> None:
        for loss, divisor in self._pending_losses:
            self._loss = float(loss) / divisor
            self.losses.add(self.attempts, self._loss)
        self._pending_losses.clear()

    def carries_scale(self, optimizer: str) -> bool:
        return self.state.of(optimizer).carries_scale
