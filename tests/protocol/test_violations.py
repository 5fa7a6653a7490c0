"""Every violation by its shortest sequence, and what torch or the weights say about it."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from ampfix.protocol import ENTRY, EXPLANATIONS, INITIAL, Event, EventKind, Outcome, Violation, advance, replay
from tests.protocol.torch_replay import (
    NEW_SCALE,
    Op,
    backward,
    clip,
    edit_grad,
    optimizer_step,
    run,
    scaler_step,
    unscale,
    update,
    zero_grad,
)

S, T, O = "first", "second", "sgd"  # noqa: E741
SCALED, UNSCALED = backward(S, O), backward(None, O)
UNSCALE, STEP, RAW, UPDATE = unscale(S, O), scaler_step(S, O), optimizer_step(None, O), update(S)
ZERO, CLIP = zero_grad(None, O), clip(None, O)
WARM = (SCALED, STEP, UPDATE, ZERO)  # one correct step: the scale has changed and momentum has begun

RAISES = "raises"
DIFFERS = "differs"

SHORTEST: dict[Violation, tuple[str, Sequence[Op]]] = {
    Violation.CLIP_WHILE_SCALED: (DIFFERS, [SCALED, CLIP, STEP]),
    Violation.EDIT_WHILE_SCALED: (DIFFERS, [SCALED, edit_grad(None, O), STEP]),
    Violation.UNSCALE_TWICE: (RAISES, [SCALED, UNSCALE, UNSCALE]),
    Violation.UNSCALE_IN_WINDOW: (DIFFERS, [SCALED, UNSCALE, SCALED, STEP]),
    Violation.RAW_STEP_ON_SCALED: (DIFFERS, [SCALED, RAW]),
    Violation.DOUBLE_STEP: (RAISES, [SCALED, STEP, STEP]),
    Violation.STEP_ON_UNSCALED: (DIFFERS, [*WARM, UNSCALED, STEP]),
    Violation.MISSING_UPDATE: (RAISES, [SCALED, STEP, ZERO, SCALED, STEP]),
    Violation.UPDATE_WITHOUT_STEP: (RAISES, [SCALED, UPDATE]),
    Violation.UPDATE_BETWEEN_STEPS: (
        DIFFERS,
        [SCALED, backward(S, "adam"), scaler_step(S, "adam"), UPDATE, STEP],
    ),
    Violation.UPDATE_BEFORE_STEP: (DIFFERS, [SCALED, UNSCALE, UPDATE, STEP]),
    Violation.SKIP_WITHOUT_UPDATE: (DIFFERS, [SCALED, UNSCALE, ZERO, SCALED, STEP]),
    Violation.MIXED_GRADIENTS: (DIFFERS, [SCALED, UNSCALED, STEP]),
    Violation.WRONG_SCALER: (DIFFERS, [backward(T, "adam"), SCALED, scaler_step(T, O)]),
    Violation.STEP_WITHOUT_GRADIENTS: (RAISES, [SCALED, ZERO, STEP]),
    Violation.SCALER_NEVER_SCALED: (RAISES, [UNSCALED, STEP]),
}

Body = Sequence[Event]


def _event(kind: EventKind, **fields: object) -> Event:
    return Event(kind, **fields)  # type: ignore[arg-type]


_ATTEMPT = _event(EventKind.SCALER_STEP, scaler=S, optimizers=(O,), outcome=Outcome.SKIPPED)
_SCALED = [_event(EventKind.SCALE, scaler=S), _event(EventKind.BACKWARD, scaler=S, optimizers=(O,))]
_REGION = _event(EventKind.AUTOCAST_ENTER, dtype="float16")
_LEAVE, _FORWARD = _event(EventKind.AUTOCAST_EXIT), _event(EventKind.FORWARD)
_PLAIN_BACKWARD = _event(EventKind.BACKWARD, optimizers=(O,))
_SCHEDULE = _event(EventKind.SCHEDULER_STEP, optimizers=(O,))
_UPDATE = _event(EventKind.UPDATE, scaler=S)
_CLEARED = _event(EventKind.ZERO_GRAD, optimizers=(O,))
_WASTED = [*_SCALED, _event(EventKind.ZERO_GRAD, optimizers=(O,), discards=True)]
_WHOLE = [_REGION, _LEAVE, _event(EventKind.BACKWARD, scaler=S, optimizers=(O,), undivided=True)]

NOT_IN_THE_WEIGHTS: dict[Violation, Body] = {
    Violation.READ_WHILE_SCALED: [*_SCALED, _event(EventKind.READ_GRAD, optimizers=(O,))],
    Violation.SCHEDULER_ON_SKIPPED_STEP: [*_SCALED, _ATTEMPT, _SCHEDULE],
    Violation.BACKWARD_IN_AUTOCAST: [_REGION, *_SCALED],
    Violation.SCRUB_WHILE_SCALED: [*_SCALED, _event(EventKind.EDIT_GRAD, optimizers=(O,), scrubs=True)],
    Violation.WINDOW_ZEROED: [*_WASTED, *_SCALED, _ATTEMPT, _UPDATE, *_WASTED, *_SCALED, _ATTEMPT],
    Violation.WINDOW_UNDIVIDED: [_SCALED[0], *_WHOLE, *_WHOLE, _ATTEMPT, _UPDATE, _CLEARED, *_WHOLE, *_WHOLE, _ATTEMPT],
    Violation.FP16_WITHOUT_SCALER: [_REGION, _FORWARD, _LEAVE, _PLAIN_BACKWARD],
}


def _violations(events: Body, start: object = INITIAL) -> list[Violation]:
    return [item.violation for item in replay(events, start)]  # type: ignore[arg-type]


@pytest.mark.parametrize("violation", SHORTEST, ids=lambda v: v.value)
def test_shortest_sequence_is_reported_once_and_does_harm(violation: Violation) -> None:
    harm, ops = SHORTEST[violation]
    outcome = run(ops)
    assert outcome.violations == [violation]
    if harm == RAISES:
        assert outcome.raised == len(ops) - 1
    else:
        assert outcome.raised is None
        assert outcome.differed == len(ops) - 1


@pytest.mark.parametrize("violation", SHORTEST, ids=lambda v: v.value)
def test_no_shorter_beginning_is_reported(violation: Violation) -> None:
    _, ops = SHORTEST[violation]
    reported = run(ops).reported[0][0]
    assert not run(ops[:reported]).reported


@pytest.mark.parametrize("violation", NOT_IN_THE_WEIGHTS, ids=lambda v: v.value)
def test_violation_that_weights_do_not_show_is_reported_once(violation: Violation) -> None:
    events = NOT_IN_THE_WEIGHTS[violation]
    assert _violations(events) == [violation]
    assert not _violations(events[:-1])


def test_every_violation_has_a_shortest_sequence_and_a_short_explanation() -> None:
    assert SHORTEST.keys() | NOT_IN_THE_WEIGHTS.keys() == set(Violation)
    assert set(EXPLANATIONS) == set(Violation)
    for text in EXPLANATIONS.values():
        assert text == text.strip()
        assert not text.endswith(".")
        assert 40 <= len(text) <= 240


CORRECT = [
    [SCALED, STEP, UPDATE, ZERO] * 3,
    [SCALED, UNSCALE, CLIP, edit_grad(None, O), STEP, UPDATE, ZERO] * 3,
    [SCALED, SCALED, SCALED, UNSCALE, CLIP, STEP, UPDATE, ZERO] * 2,
    [UNSCALED, CLIP, RAW, ZERO] * 3,
    [SCALED, UNSCALE, ZERO, UPDATE, SCALED, STEP, UPDATE, ZERO],  # a step given up, and the scaler told
    [SCALED, edit_grad(None, O, linear=True), STEP, UPDATE, ZERO],
    [backward(S, O, overflow=True), UNSCALE, CLIP, STEP, UPDATE, ZERO, *WARM],
    [backward(S, O, "adam"), STEP, scaler_step(S, "adam"), UPDATE, ZERO, zero_grad(None, "adam")] * 2,
    [SCALED, backward(T, "adam"), STEP, scaler_step(T, "adam"), UPDATE, update(T), ZERO],
    [SCALED, STEP, UPDATE, update(S, forced=True), ZERO, *WARM],
]


@pytest.mark.parametrize("ops", CORRECT, ids=lambda ops: "-".join(op.kind.value for op in ops[:6]))
def test_correct_loops_are_clean_and_equal_to_fp32(ops: list[Op]) -> None:
    outcome = run(ops)
    assert (outcome.violations, outcome.raised, outcome.differed) == ([], None, None)


ONE_BUG = {
    "clip": [SCALED, CLIP, STEP, UPDATE, ZERO],
    "raw step, then update": [SCALED, RAW, UPDATE, ZERO],
    "raw step after unscale": [SCALED, UNSCALE, CLIP, RAW, UPDATE, ZERO],
    "step without gradients": [SCALED, ZERO, STEP, UPDATE],
    "never scaled": [UNSCALED, UNSCALE, CLIP, STEP, UPDATE, ZERO],
    "unscaled loss": [*WARM, UNSCALED, UNSCALE, STEP, UPDATE, ZERO],
    "unscale after step": [SCALED, STEP, UNSCALE, STEP, UPDATE, ZERO],
    "given up": [SCALED, UNSCALE, ZERO, SCALED, UNSCALE, STEP, UPDATE, ZERO],
    "no update": [SCALED, STEP, ZERO, SCALED, UNSCALE, STEP, ZERO],
    "update before step": [SCALED, UNSCALE, UPDATE, STEP, UPDATE, ZERO],
    "one of two losses": [SCALED, UNSCALED, UNSCALE, CLIP, STEP, UPDATE, ZERO],
}


@pytest.mark.parametrize("ops", ONE_BUG.values(), ids=ONE_BUG)
def test_one_bug_is_reported_once(ops: list[Op]) -> None:
    assert len(run(ops).violations) == 1


def test_stepping_past_the_scaler_and_through_it_are_two() -> None:
    assert run([SCALED, RAW, STEP]).violations == [Violation.RAW_STEP_ON_SCALED, Violation.DOUBLE_STEP]


@pytest.mark.parametrize("ops", CORRECT, ids=lambda ops: "-".join(op.kind.value for op in ops[:6]))
def test_a_correct_loop_entered_anywhere_is_clean(ops: list[Op]) -> None:
    for start in range(len(ops)):
        events = [event for op in ops[start:] for event in op.events()]
        assert not _violations(events, ENTRY)


@pytest.mark.parametrize("kind", EventKind)
def test_nothing_is_reported_about_an_unknown_past(kind: EventKind) -> None:
    event = Event(kind, S if kind is not EventKind.BACKWARD else None, (O,))
    assert not _violations([event], ENTRY)


@pytest.mark.parametrize("named", [True, False])
def test_events_without_optimizers_concern_those_met_later_too(named: bool) -> None:
    whom = (O,) if named else ()
    events = [
        _event(EventKind.SCALE, scaler=S),
        _event(EventKind.BACKWARD, scaler=S, optimizers=whom),
        _event(EventKind.CLIP, optimizers=whom),
        _event(EventKind.SCALER_STEP, scaler=S, optimizers=(O,)),
    ]
    assert _violations(events) == _violations(events, ENTRY) == [Violation.CLIP_WHILE_SCALED]


def test_what_is_not_known_by_name_raises_no_alarm_where_names_are_known() -> None:
    body = [
        _event(EventKind.SCALE, scaler=S),
        _event(EventKind.BACKWARD, scaler=S),
        _event(EventKind.UNSCALE, scaler=S, optimizers=(O,)),
        _event(EventKind.CLIP),
        _event(EventKind.SCALER_STEP, scaler=S, optimizers=(O,)),
        _event(EventKind.UPDATE, scaler=S),
        _event(EventKind.ZERO_GRAD, optimizers=(O,)),
    ]
    assert not _violations(body * 3)
    assert not _violations(body * 3, ENTRY)


def _attempt(outcome: Outcome) -> list[Event]:
    step = _event(EventKind.SCALER_STEP, scaler=S, optimizers=(O,), outcome=outcome)
    return [*_SCALED, step, _event(EventKind.UPDATE, scaler=S), _event(EventKind.ZERO_GRAD, optimizers=(O,))]


def test_a_scheduler_once_per_several_steps_may_follow_skipped_ones() -> None:
    epoch = _attempt(Outcome.SKIPPED) * 2
    assert not _violations([*epoch, _SCHEDULE] * 2)


def test_a_scheduler_guarded_or_after_an_applied_step_is_right() -> None:
    guarded = _event(EventKind.SCHEDULER_STEP, optimizers=(O,), guarded=True)
    assert not _violations([*_attempt(Outcome.SKIPPED), guarded])
    assert not _violations([*_attempt(Outcome.APPLIED), _SCHEDULE] * 3)
    assert _violations([*_attempt(Outcome.UNKNOWN), _SCHEDULE]) == [Violation.SCHEDULER_ON_SKIPPED_STEP]


def test_a_forced_update_needs_no_inf_check_but_still_changes_the_scale() -> None:
    assert NEW_SCALE
    assert run([SCALED, update(S, forced=True)]).violations == []
    assert run([SCALED, update(S, forced=True), STEP]).violations == [Violation.UPDATE_BETWEEN_STEPS]


def test_states_are_hashable_and_equal_where_histories_mean_the_same() -> None:
    def state(events: Body) -> object:
        now = INITIAL
        for event in events:
            now, _ = advance(now, event)
        return now

    once = _attempt(Outcome.APPLIED)
    assert len({state(once * times) for times in (2, 3, 5)}) == 1
