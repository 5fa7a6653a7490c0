"""How each event changes the state, and what it violates there."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from ampfix.protocol.events import Event, EventKind, Outcome, Violation
from ampfix.protocol.state import INITIAL, Broken, Grad, OptimizerState, Stage, State
from ampfix.protocol.windows import Windows
from ampfix.records import dataclass, field, replace


@dataclass
class _Turn:
    """One transition under way."""

    state: State
    event: Event
    broken: list[Broken] = field(default_factory=list)

    def report(self, violation: Violation) -> None:
        self.broken.append(Broken(violation, self.event))

    def report_for(self, optimizer: str | None, violation: Violation) -> None:
        """What is not known by name (None) is only spoken for where no optimizer is known at all."""
        if optimizer is not None or not self.state.optimizers:
            self.broken.append(Broken(violation, self.event, optimizer))

    def set(self, optimizer: str | None, **changes: object) -> None:
        self.state = self.state.with_optimizer(optimizer, **changes)

    def concerned(self) -> tuple[str | None, ...]:
        """The event's optimizers; without any, those known and (None) those not met yet."""
        return self.event.optimizers or (*self.state.names(), None)


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
    """Run a concrete sequence of events and yield its violations in order, those of accumulation windows too."""
    windows = Windows()
    for event in events:
        state, broken = advance(state, event)
        yield from broken
        yield from windows(event)


def _on_scale(turn: _Turn) -> None:
    scaler, state = turn.event.scaler, turn.state
    if scaler is None or scaler in state.scaled:
        return
    unchecked = state.unchecked | {scaler} if state.from_start else state.unchecked
    turn.state = replace(state, scaled=state.scaled | {scaler}, unchecked=unchecked)


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


def _on_backward(turn: _Turn) -> None:
    event, state = turn.event, turn.state
    if state.autocast and state.autocast[-1] is not None:
        turn.report(Violation.BACKWARD_IN_AUTOCAST)
    if event.scaler is None and not event.manual_scale and state.half_forward and not state.scaled:
        turn.report(Violation.FP16_WITHOUT_SCALER)
    for optimizer in turn.concerned():
        _receive_gradient(turn, optimizer)
    turn.state = replace(turn.state, half_forward=False)


_UNSCALED_EARLIER = ((Grad.UNSCALED, Stage.UNSCALED), (Grad.FORGOTTEN, Stage.READY))
"""Gradients that were unscaled and not stepped on, whether or not update() ran since."""


def _receive_gradient(turn: _Turn, optimizer: str | None) -> None:
    scaler, now = turn.event.scaler, turn.state.of(optimizer)
    after = (_PLUS_UNSCALED if scaler is None else _PLUS_SCALED)[now.grad]
    if now.carries_scale and scaler is not None and now.scale_of != scaler:
        after = Grad.MIXED
    spoilt = now.spoilt
    if now.stage is Stage.UNSCALED and now.grad is Grad.NONE:
        turn.report_for(optimizer, Violation.SKIP_WITHOUT_UPDATE)
    elif scaler is not None and (now.grad, now.stage) in _UNSCALED_EARLIER:
        spoilt = (Violation.UNSCALE_IN_WINDOW, replace(turn.event, step=0))
    elif after is Grad.MIXED and now.grad is not Grad.MIXED:
        spoilt = (Violation.MIXED_GRADIENTS, replace(turn.event, step=0))
    carries = after in (Grad.SCALED, Grad.STALE)
    turn.set(optimizer, grad=after, scale_of=scaler if carries else None, backward_since_step=True, spoilt=spoilt)


def _use(turn: _Turn, optimizer: str) -> None:
    """Gradients that a backward spoilt are used: now it does harm. Reported where that backward was."""
    spoilt = turn.state.of(optimizer).spoilt
    if spoilt is not None:
        violation, backward = spoilt
        turn.broken.append(Broken(violation, replace(backward, step=turn.event.step), optimizer))
        turn.set(optimizer, spoilt=None)


_SPOILT_UNSCALING = {
    Grad.UNSCALED: Violation.STEP_ON_UNSCALED,
    Grad.STALE: Violation.UPDATE_BETWEEN_STEPS,
    Grad.FORGOTTEN: Violation.UPDATE_BEFORE_STEP,
}
"""Gradients that dividing by the current scale does not restore. (MIXED was reported when it arose.)"""


def _on_unscale(turn: _Turn) -> None:
    scaler = turn.event.scaler
    if scaler is None:
        return
    before = turn.state
    usable = _meet(turn, scaler)
    for optimizer in turn.event.optimizers:
        _use(turn, optimizer)
        violation = _foreign(before, optimizer, scaler) or _before_unscale(before.of(optimizer))
        if violation is not None and usable:
            turn.report_for(optimizer, violation)
            turn.set(optimizer, backward_since_step=True)  # a second step on them is the same bug
        _unscaled(turn, optimizer, Stage.UNSCALED)


def _before_unscale(now: OptimizerState) -> Violation | None:
    if now.stage is Stage.STEPPED:
        return Violation.MISSING_UPDATE if now.backward_since_step else Violation.UNSCALE_TWICE
    if now.stage is Stage.UNSCALED:  # gradients that came since were reported when they came
        return Violation.UNSCALE_TWICE if now.grad in (Grad.UNSCALED, Grad.NONE) else None
    return _SPOILT_UNSCALING.get(now.grad)


def _on_scaler_step(turn: _Turn) -> None:
    scaler = turn.event.scaler
    if scaler is None:
        return
    before = turn.state
    usable = _meet(turn, scaler)
    for optimizer in turn.event.optimizers:
        _use(turn, optimizer)
        violation = _foreign(before, optimizer, scaler) or _before_step(before.of(optimizer))
        if violation is not None and usable:
            turn.report_for(optimizer, violation)
        if violation is Violation.STEP_WITHOUT_GRADIENTS:
            _checked(turn)  # the missing check at update() is the same bug
        _unscaled(turn, optimizer, Stage.STEPPED)
        _attempted(turn, optimizer, turn.event.outcome)
        turn.set(optimizer, backward_since_step=False)


def _before_step(now: OptimizerState) -> Violation | None:
    if now.stage is Stage.STEPPED:
        return Violation.MISSING_UPDATE if now.backward_since_step else Violation.DOUBLE_STEP
    if now.grad is Grad.NONE:
        return Violation.STEP_WITHOUT_GRADIENTS
    if now.stage is Stage.UNSCALED:
        return None if now.backward_since_step else Violation.DOUBLE_STEP
    return _SPOILT_UNSCALING.get(now.grad) if now.backward_since_step else Violation.DOUBLE_STEP


def _foreign(state: State, optimizer: str, scaler: str) -> Violation | None:
    """Another scaler has the optimizer in hand: its scale is in the gradients, or it has not ended its step yet."""
    now, owner = state.of(optimizer), state.owner(optimizer)
    in_hand = owner not in (None, scaler) and now.stage in (Stage.UNSCALED, Stage.STEPPED)
    return Violation.WRONG_SCALER if in_hand or (now.carries_scale and now.scale_of != scaler) else None


def _meet(turn: _Turn, scaler: str) -> bool:
    """Note that the scaler is used, and say whether torch lets it be: it has scaled a loss before."""
    if turn.event.optimizers:
        owners = dict(turn.state.owners) | dict.fromkeys(turn.event.optimizers, scaler)
        turn.state = replace(turn.state, owners=tuple(sorted(owners.items())))
    if scaler in turn.state.scaled or not turn.state.from_start:
        return True
    turn.report(Violation.SCALER_NEVER_SCALED)
    turn.state = replace(turn.state, scaled=turn.state.scaled | {scaler})
    return False


def _unscaled(turn: _Turn, optimizer: str, stage: Stage) -> None:
    grad = turn.state.of(optimizer).grad
    if grad is not Grad.NONE:
        _checked(turn)
        grad = Grad.UNSCALED
    turn.set(optimizer, grad=grad, scale_of=None, stage=stage)


def _checked(turn: _Turn) -> None:
    turn.state = replace(turn.state, unchecked=turn.state.unchecked - {turn.event.scaler})


def _attempted(turn: _Turn, optimizer: str, outcome: Outcome) -> None:
    now = turn.state.of(optimizer)
    if now.scheduled:
        now = replace(now, applied=False, skipped=False, uncertain=False, several=False)
    turn.set(
        optimizer,
        applied=now.applied or outcome is Outcome.APPLIED,
        skipped=now.skipped or outcome is Outcome.SKIPPED,
        uncertain=now.uncertain or outcome is Outcome.UNKNOWN,
        several=now.applied or now.skipped or now.uncertain,
        scheduled=frozenset(),
    )


def _on_optimizer_step(turn: _Turn) -> None:
    for optimizer in turn.event.optimizers:
        _use(turn, optimizer)
        now, owner = turn.state.of(optimizer), turn.state.owner(optimizer)
        if now.carries_scale or now.grad is Grad.FORGOTTEN or now.stage is Stage.UNSCALED:
            turn.report_for(optimizer, Violation.RAW_STEP_ON_SCALED)
            # The missing check at update() is the same bug.
            turn.state = replace(turn.state, unchecked=turn.state.unchecked - {now.scale_of, owner})
        elif owner is not None and now.grad is not Grad.NONE and not now.backward_since_step:
            turn.report_for(optimizer, Violation.DOUBLE_STEP)
        _attempted(turn, optimizer, Outcome.APPLIED)
        turn.set(optimizer, backward_since_step=False)


def _on_update(turn: _Turn) -> None:
    scaler = turn.event.scaler
    if scaler is None or not _meet(turn, scaler):
        return
    if scaler in turn.state.unchecked and not turn.event.forced:
        turn.report(Violation.UPDATE_WITHOUT_STEP)
        return
    for optimizer in (*turn.state.names(), None):
        now = turn.state.of(optimizer)
        if now.grad is Grad.SCALED and now.scale_of == scaler:
            turn.set(optimizer, **_STALE if optimizer is not None else _UNKNOWN_AGAIN)
        if turn.state.owner(optimizer) == scaler:
            if now.grad is Grad.UNSCALED and now.stage is Stage.UNSCALED:
                turn.set(optimizer, grad=Grad.FORGOTTEN)
            turn.set(optimizer, stage=Stage.READY)
    turn.state = replace(turn.state, unchecked=turn.state.unchecked | {scaler})


_STALE: dict[str, object] = {"grad": Grad.STALE}
_UNKNOWN_AGAIN: dict[str, object] = {"grad": Grad.UNKNOWN, "scale_of": None}
"""Optimizers not met yet may have been stepped and zeroed by code that was not seen."""


def _on_zero_grad(turn: _Turn) -> None:
    for optimizer in turn.concerned():
        turn.set(optimizer, grad=Grad.NONE, scale_of=None, spoilt=None)


def _on_scheduler_step(turn: _Turn) -> None:
    """A scheduler that advances once per attempt must follow its fate; one that advances once per several counts
    something else, epochs as a rule, and is left alone."""
    for optimizer in turn.event.optimizers or turn.state.names():
        now = turn.state.of(optimizer)
        idle = (now.skipped or now.uncertain) and not now.applied
        if idle and not now.several and turn.event.scheduler not in now.scheduled and not turn.event.guarded:
            turn.report_for(optimizer, Violation.SCHEDULER_ON_SKIPPED_STEP)
        turn.set(optimizer, scheduled=now.scheduled | {turn.event.scheduler})


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
        for optimizer in turn.concerned():
            if turn.state.of(optimizer).carries_scale:
                turn.report_for(optimizer, violation)

    return handle


_edit_while_scaled = _while_scaled(Violation.EDIT_WHILE_SCALED)
_scrub_while_scaled = _while_scaled(Violation.SCRUB_WHILE_SCALED)


def _on_edit(turn: _Turn) -> None:
    (_scrub_while_scaled if turn.event.scrubs else _edit_while_scaled)(turn)


_HANDLERS: dict[EventKind, Callable[[_Turn], None]] = {
    EventKind.SCALE: _on_scale,
    EventKind.BACKWARD: _on_backward,
    EventKind.UNSCALE: _on_unscale,
    EventKind.CLIP: _while_scaled(Violation.CLIP_WHILE_SCALED),
    EventKind.READ_GRAD: _while_scaled(Violation.READ_WHILE_SCALED),
    EventKind.EDIT_GRAD: _on_edit,
    EventKind.SCALER_STEP: _on_scaler_step,
    EventKind.OPTIMIZER_STEP: _on_optimizer_step,
    EventKind.UPDATE: _on_update,
    EventKind.ZERO_GRAD: _on_zero_grad,
    EventKind.SCHEDULER_STEP: _on_scheduler_step,
    EventKind.AUTOCAST_ENTER: _on_autocast_enter,
    EventKind.AUTOCAST_EXIT: _on_autocast_exit,
    EventKind.FORWARD: _on_forward,
}
