"""Which rule a misplaced `update()` belongs to, told by where it stands among the steps, and how it is put right."""

from __future__ import annotations

from enum import Enum

from ampfix.findings import Applicability, Repair
from ampfix.program import Do, Occurrence
from ampfix.protocol import EventKind, Violation
from ampfix.rules._base import as_argument
from ampfix.rules._path import (
    events_of,
    excluded,
    frame_in,
    latest,
    only_settings,
    own_tests,
    reachable,
    same_window,
    since,
    steps_behind,
    varies,
)


class Misplaced(Enum):
    """What is wrong with an update()."""

    IN_WINDOW = "it runs at every micro-batch"
    REPEATED = "it runs more than once in a step"
    TOO_EARLY = "it runs before the step"


VIOLATIONS = (Violation.UPDATE_WITHOUT_STEP, Violation.UPDATE_BETWEEN_STEPS, Violation.UPDATE_BEFORE_STEP)


def misplaced(occurrence: Occurrence) -> Misplaced | None:
    """How the update() is misplaced; None where that is not sure."""
    violation = occurrence.broken.violation
    if violation in (Violation.UPDATE_BEFORE_STEP, Violation.UPDATE_BETWEEN_STEPS):
        return _between(occurrence)
    return _without_step(occurrence) if violation is Violation.UPDATE_WITHOUT_STEP else None


def the_update(occurrence: Occurrence) -> Do:
    """The update() to blame."""
    if occurrence.do.event.kind is EventKind.UPDATE:
        return occurrence.do
    return _last_update(occurrence) or occurrence.do


def put_right(occurrence: Occurrence) -> Repair | str:
    """One update(), behind the last step that follows the misplaced one, or else in front of it."""
    update = the_update(occurrence)
    scaler = update.event.scaler
    step = _last_step(occurrence, update)
    if step is None:
        return "no scaler.step is known for this update to follow"
    walked = (occurrence.broken.optimizer or "").endswith("[*]")
    if walked and update.site.loops == step.site.loops and step.site.span.start < update.site.span.start:
        return "the loop goes over the optimizers; let update() run once, behind it"
    here = frame_in(step, update.site.function)
    names = None if here is None else reachable(here, step, scaler)
    if here is None or names is None:
        return f"the step runs in another function than {update.site.function}"
    arguments = {"scaler": names[0], "drop": as_argument(update.site.statement)}
    if not _followed(occurrence, update, step):
        arguments["after"] = as_argument(here.statement)
    message = f"Let `{names[0]}.update()` run once, behind the step"
    return Repair("place_update", Applicability.SAFE, message, update.site.span, arguments)


def _between(occurrence: Occurrence) -> Misplaced | None:
    """The gradients of a step were there before an update(). A backward since then may be all they hold."""
    update = _last_update(occurrence)
    if update is None:
        return None
    behind = since(occurrence.before, EventKind.UPDATE)
    is_sure = occurrence.broken.violation is Violation.UPDATE_BEFORE_STEP
    if not is_sure and any(do.event.kind is EventKind.BACKWARD for do in behind):
        return None
    in_front = occurrence.before[: len(occurrence.before) - len(behind) - 1]
    stepped = latest(since(in_front, EventKind.BACKWARD, EventKind.UPDATE), EventKind.SCALER_STEP)
    if stepped is not None:
        return None if excluded(stepped, occurrence.do) else Misplaced.REPEATED
    return Misplaced.TOO_EARLY


def _without_step(occurrence: Occurrence) -> Misplaced | None:
    """No inf check since the last update(): a second one, one in front of its step, or one that outruns the steps."""
    update, scaler = occurrence.do, occurrence.do.event.scaler
    steps = [do for do in events_of(occurrence, EventKind.SCALER_STEP) if do.event.scaler == scaler]
    if not steps:
        return None
    if next(steps_behind(occurrence, scaler), None) is not None and not own_tests(
        next(steps_behind(occurrence, scaler)), update
    ):
        return Misplaced.TOO_EARLY
    previous = _last_update(occurrence)
    behind = since(occurrence.before, EventKind.UPDATE)
    if previous is not None and not any(do.event.kind is EventKind.BACKWARD for do in behind):
        # The same one a turn later: nothing ran in between, which may never happen.
        return Misplaced.REPEATED if previous.site.span != update.site.span else None
    if any(only_settings(own_tests(step, update)) or not own_tests(step, update) for step in steps):
        return None
    if any(same_window(step, update) or not any(map(varies, own_tests(step, update))) for step in steps):
        return None
    return Misplaced.IN_WINDOW


def _last_update(occurrence: Occurrence) -> Do | None:
    scaler = occurrence.do.event.scaler
    found = None
    for do in occurrence.before:
        if do.event.kind is EventKind.UPDATE and do.event.scaler == scaler:
            found = do
    return found


def _last_step(occurrence: Occurrence, update: Do) -> Do | None:
    """The scaler's last step of the turn that the update stands in."""
    if occurrence.do.event.kind is not EventKind.UPDATE:
        return next(reversed([occurrence.do, *steps_behind(occurrence, update.event.scaler)]))
    found = list(steps_behind(occurrence, update.event.scaler))
    if found:
        return found[-1]
    steps = [do for do in events_of(occurrence, EventKind.SCALER_STEP) if do.event.scaler == update.event.scaler]
    in_front = [step for step in steps if step.site.span.start < update.site.span.start]
    return in_front[-1] if in_front else None


def _followed(occurrence: Occurrence, update: Do, step: Do) -> bool:
    """Whether another update() stands behind the step already, wherever the step runs."""
    return any(
        do.event.kind is EventKind.UPDATE
        and do.event.scaler == update.event.scaler
        and do.site.span != update.site.span
        and do.site.span.start > step.site.span.start
        and not own_tests(do, step)
        for do in occurrence.routine.events
    )
