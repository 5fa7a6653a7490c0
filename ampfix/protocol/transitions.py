"""How each event changes the state, and what it violates there."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace

from ampfix.protocol.events import Event, EventKind, Outcome, Violation
from ampfix.protocol.state import INITIAL, Grad, Stage, State


@dataclass(frozen=True)
class Broken:
    """A violation, the event that completes it, and the optimizer it concerns."""

    violation: Violation
    event: Event
    optimizer: str | None = None


@dataclass
class _Turn:
    """One transition under way."""

    state: State
    event: Event
    broken: list[Broken] = field(default_factory=list)

    def report(self, violation: Violation, optimizer: str | None = None) -> None:
        self.broken.append(Broken(violation, self.event, optimizer))

    def set(self, optimizer: str, **changes: object) -> None:
        self.state = self.state.with_optimizer(optimizer, **changes)


def advance(state: State, event: Event) -> tuple[State, tuple[Broken, ...]]:
    """Apply one event: the next state and what the event violates.

    After a violation the state is what torch would hold where it goes on, so that one bug is reported once.
    """
    turn = _Turn(state, event)
    handler = _HANDLERS.get(event.kind)
    if handler is not None:
        handler(turn)
    return turn.state, tuple(turn.broken)


def replay(events: Iterable[Event], state: State = INITIAL) -> Iterator[Broken]:
    """Run a concrete sequence of events and yield its violations in order."""
    for event in events:
        state, broken = advance(state, event)
        yield from broken


def _on_scale(turn: _Turn) -> None:
    if turn.event.scaler is not None:
        turn.state = replace(turn.state, scaled=turn.state.scaled | {turn.event.scaler})


_PLUS_SCALED = {
    Grad.UNKNOWN: Grad.SCALED,  # whatever it was, it carries the scale now
    Grad.NONE: Grad.SCALED,
    Grad.SCALED: Grad.SCALED,
    Grad.STALE: Grad.STALE,
    Grad.UNSCALED: Grad.MIXED,
    Grad.FORGOTTEN: Grad.MIXED,
    Grad.MIXED: Grad.MIXED,
}
_PLUS_UNSCALED = {
    Grad.UNKNOWN: Grad.UNKNOWN,
    Grad.NONE: Grad.UNSCALED,
    Grad.SCALED: Grad.MIXED,
    Grad.STALE: Grad.MIXED,
    Grad.UNSCALED: Grad.UNSCALED,
    Grad.FORGOTTEN: Grad.FORGOTTEN,
    Grad.MIXED: Grad.MIXED,
}
_SPOILT_UNSCALING = {
    Grad.UNSCALED: Violation.STEP_ON_UNSCALED,
    Grad.STALE: Violation.UPDATE_BETWEEN_STEPS,
    Grad.FORGOTTEN: Violation.UPDATE_BEFORE_STEP,
}
"""Gradients that dividing by the current scale does not restore. (MIXED was reported when it arose.)"""


def _on_backward(turn: _Turn) -> None:
    event, state = turn.event, turn.state
    if state.autocast and state.autocast[-1] is not None:
        turn.report(Violation.BACKWARD_IN_AUTOCAST)
    if event.scaler is None and not event.manual_scale and state.half_forward and not state.scaled:
        turn.report(Violation.FP16_WITHOUT_SCALER)
    for optimizer in event.optimizers or state.names():
        _receive_gradient(turn, optimizer)
    turn.state = replace(turn.state, half_forward=False)


def _receive_gradient(turn: _Turn, optimizer: str) -> None:
    now = turn.state.of(optimizer)
    after = (_PLUS_UNSCALED if turn.event.scaler is None else _PLUS_SCALED)[now.grad]
    if turn.event.scaler is not None and now.stage is Stage.UNSCALED:
        abandoned = now.grad is Grad.NONE
        turn.report(Violation.SKIP_WITHOUT_UPDATE if abandoned else Violation.UNSCALE_IN_WINDOW, optimizer)
    elif after is Grad.MIXED and now.grad is not Grad.MIXED:
        turn.report(Violation.MIXED_GRADIENTS, optimizer)
    turn.set(optimizer, grad=after, backward_since_step=True)


def _on_unscale(turn: _Turn) -> None:
    if not _scaler_is_ready(turn):
        return
    for optimizer in turn.event.optimizers:
        now = turn.state.of(optimizer)
        if now.stage is Stage.STEPPED:
            turn.report(Violation.MISSING_UPDATE if now.backward_since_step else Violation.UNSCALE_TWICE, optimizer)
        elif now.stage is Stage.UNSCALED and now.grad in (Grad.UNSCALED, Grad.NONE):
            turn.report(Violation.UNSCALE_TWICE, optimizer)
        elif now.stage in (Stage.READY, Stage.UNKNOWN) and now.grad in _SPOILT_UNSCALING:
            turn.report(_SPOILT_UNSCALING[now.grad], optimizer)
        _unscaled(turn, optimizer, Stage.UNSCALED)


def _on_scaler_step(turn: _Turn) -> None:
    if not _scaler_is_ready(turn):
        return
    for optimizer in turn.event.optimizers:
        now = turn.state.of(optimizer)
        if now.stage is Stage.STEPPED:
            turn.report(Violation.MISSING_UPDATE if now.backward_since_step else Violation.DOUBLE_STEP, optimizer)
        elif now.grad is Grad.NONE:
            turn.report(Violation.STEP_WITHOUT_GRADIENTS, optimizer)
        elif now.stage is not Stage.UNSCALED and now.grad in _SPOILT_UNSCALING:
            again = now.grad is Grad.UNSCALED and not now.backward_since_step
            turn.report(Violation.DOUBLE_STEP if again else _SPOILT_UNSCALING[now.grad], optimizer)
        _unscaled(turn, optimizer, Stage.STEPPED)
        _attempted(turn, optimizer, turn.event.outcome)
        turn.set(optimizer, backward_since_step=False)


def _scaler_is_ready(turn: _Turn) -> bool:
    scaler = turn.event.scaler
    if scaler is None:
        return False
    if scaler not in turn.state.scaled and not turn.state.starts_unknown:
        turn.report(Violation.SCALER_NEVER_SCALED)
        return False
    owners = dict(turn.state.owners) | dict.fromkeys(turn.event.optimizers, scaler)
    turn.state = replace(turn.state, owners=tuple(sorted(owners.items())))
    return True


def _unscaled(turn: _Turn, optimizer: str, stage: Stage) -> None:
    now = turn.state.of(optimizer)
    grad = now.grad if now.grad is Grad.NONE else Grad.UNSCALED
    turn.set(optimizer, grad=grad, stage=stage, inf_checked=now.inf_checked or now.grad is not Grad.NONE)


def _attempted(turn: _Turn, optimizer: str, outcome: Outcome) -> None:
    now = turn.state.of(optimizer)
    if now.scheduled:
        now = replace(now, applied=False, skipped=False, uncertain=False)
    turn.set(
        optimizer,
        applied=now.applied or outcome is Outcome.APPLIED,
        skipped=now.skipped or outcome is Outcome.SKIPPED,
        uncertain=now.uncertain or outcome is Outcome.UNKNOWN,
        scheduled=False,
    )


def _on_optimizer_step(turn: _Turn) -> None:
    owners = dict(turn.state.owners)
    for optimizer in turn.event.optimizers:
        now = turn.state.of(optimizer)
        if now.grad in (Grad.SCALED, Grad.STALE) or now.stage is Stage.UNSCALED:
            turn.report(Violation.RAW_STEP_ON_SCALED, optimizer)
            turn.set(optimizer, inf_checked=True)  # the missing check at update() is the same bug
        elif optimizer in owners and now.grad is not Grad.NONE and not now.backward_since_step:
            turn.report(Violation.DOUBLE_STEP, optimizer)
        _attempted(turn, optimizer, Outcome.APPLIED)
        turn.set(optimizer, backward_since_step=False)


def _on_update(turn: _Turn) -> None:
    scaler = turn.event.scaler
    if not _scaler_is_ready(turn):
        return
    owned = turn.state.owned_by(scaler)
    pending = [name for name in turn.state.names() if dict(turn.state.owners).get(name, scaler) == scaler]
    checked = any(turn.state.of(name).inf_checked for name in owned)
    if not checked and not turn.event.forced and not (turn.state.starts_unknown and not owned):
        turn.report(Violation.UPDATE_WITHOUT_STEP)
        return
    for optimizer in pending:
        now = turn.state.of(optimizer)
        grad = now.grad
        if grad is Grad.SCALED:
            grad = Grad.STALE
        elif grad is Grad.UNSCALED and now.stage is Stage.UNSCALED:
            grad = Grad.FORGOTTEN
        turn.set(optimizer, grad=grad, stage=Stage.READY, inf_checked=False)


def _on_zero_grad(turn: _Turn) -> None:
    for optimizer in turn.event.optimizers or turn.state.names():
        turn.set(optimizer, grad=Grad.NONE)


def _on_scheduler_step(turn: _Turn) -> None:
    for optimizer in turn.event.optimizers or turn.state.names():
        now = turn.state.of(optimizer)
        if not now.scheduled and not now.applied and (now.skipped or now.uncertain) and not turn.event.guarded:
            turn.report(Violation.SCHEDULER_ON_SKIPPED_STEP, optimizer)
        turn.set(optimizer, scheduled=True)


def _on_autocast_enter(turn: _Turn) -> None:
    turn.state = replace(turn.state, autocast=(*turn.state.autocast, turn.event.dtype))


def _on_autocast_exit(turn: _Turn) -> None:
    turn.state = replace(turn.state, autocast=turn.state.autocast[:-1])


def _on_forward(turn: _Turn) -> None:
    region = turn.state.autocast[-1] if turn.state.autocast else None
    if (turn.event.dtype or region) == "float16":
        turn.state = replace(turn.state, half_forward=True)


def _while_scaled(violation: Violation) -> Callable[[_Turn], None]:
    def handle(turn: _Turn) -> None:
        if turn.event.linear:
            return
        for optimizer in turn.event.optimizers or turn.state.names():
            if turn.state.of(optimizer).grad in (Grad.SCALED, Grad.STALE):
                turn.report(violation, optimizer)

    return handle


_HANDLERS: dict[EventKind, Callable[[_Turn], None]] = {
    EventKind.SCALE: _on_scale,
    EventKind.BACKWARD: _on_backward,
    EventKind.UNSCALE: _on_unscale,
    EventKind.CLIP: _while_scaled(Violation.CLIP_WHILE_SCALED),
    EventKind.READ_GRAD: _while_scaled(Violation.READ_WHILE_SCALED),
    EventKind.EDIT_GRAD: _while_scaled(Violation.EDIT_WHILE_SCALED),
    EventKind.SCALER_STEP: _on_scaler_step,
    EventKind.OPTIMIZER_STEP: _on_optimizer_step,
    EventKind.UPDATE: _on_update,
    EventKind.ZERO_GRAD: _on_zero_grad,
    EventKind.SCHEDULER_STEP: _on_scheduler_step,
    EventKind.AUTOCAST_ENTER: _on_autocast_enter,
    EventKind.AUTOCAST_EXIT: _on_autocast_exit,
    EventKind.FORWARD: _on_forward,
}
