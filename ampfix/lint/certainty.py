"""Whether a violation on a path is certain: what is told as an error, not as a guess.

A path is made of tests that turn out one way. Where it only leads to the violation because it went around the very call
that would prevent it, or runs what stands under a test for no scaler, the tests may hang together in a way that is not
seen.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import takewhile

from ampfix.lint.paths import Path
from ampfix.patterns import pattern
from ampfix.program import Do
from ampfix.protocol import Broken, EventKind, Violation
from ampfix.rules._path import excluded, is_setting, same_window

_ON_SCALED = frozenset(
    {
        Violation.CLIP_WHILE_SCALED,
        Violation.READ_WHILE_SCALED,
        Violation.EDIT_WHILE_SCALED,
        Violation.SCRUB_WHILE_SCALED,
        Violation.RAW_STEP_ON_SCALED,
    }
)
_CURES = {
    Violation.CLIP_WHILE_SCALED: EventKind.UNSCALE,
    Violation.READ_WHILE_SCALED: EventKind.UNSCALE,
    Violation.EDIT_WHILE_SCALED: EventKind.UNSCALE,
    Violation.RAW_STEP_ON_SCALED: EventKind.SCALER_STEP,
    Violation.MISSING_UPDATE: EventKind.UPDATE,
}
"""What a path must have gone around where the program has it."""
_ENDS = (EventKind.SCALER_STEP, EventKind.UPDATE, EventKind.ZERO_GRAD)
_OF_SCALERS = (EventKind.UNSCALE, EventKind.SCALER_STEP, EventKind.UPDATE)
_OFF = pattern(r"not \((?!not |.* is None\)$|.*==).*\)$|not \w|.* is None$")
_SWITCH = pattern(r"scaler|fp16|half|mixed|precision|autocast|(?<!b)float16|(?<![a-z])amp(?![a-z])", re.IGNORECASE)


def is_certain(broken: Broken, do: Do, path: Path, order: Sequence[Do], at: int) -> bool:
    """Whether nothing about a violation is guessed. order: the events of the routine; at: the place of `do` there."""
    backward = next((past for past in path.events() if past.event.kind is EventKind.BACKWARD), None)
    if path.doubt or not do.site.proven or (backward is not None and not backward.site.proven):
        return False
    if broken.violation in _ON_SCALED and backward is not None and _stands_where_it_is_off(do, backward):
        return False
    if broken.violation is Violation.UNSCALE_IN_WINDOW and _may_go_with_a_step(path, order):
        return False
    return not any(_is_open(cure, do) for cure in _skipped(broken, do, path, order, at))


def _may_go_with_a_step(path: Path, order: Sequence[Do]) -> bool:
    """Whether the latest unscale_ stands under a test of its own that may be that of a step: `if is_last:` and
    `if boundary(i):`."""
    unscale = next((past for past in path.events() if past.event.kind is EventKind.UNSCALE), None)
    steps = (one for one in order if one.event.kind is EventKind.SCALER_STEP)
    return unscale is not None and any(_may_agree(unscale, step) for step in steps)


def _may_agree(one: Do, other: Do) -> bool:
    """Whether the counts that two events hang on may be the same, though they are written in other words."""
    mine = [test for test in _tests(one) if test not in _tests(other) and not is_setting(test)]
    others = [test for test in _tests(other) if test not in _tests(one) and not is_setting(test)]
    if not mine or not others:
        return False
    return same_window(one, other) or not all("%" in test for test in (*mine, *others))


def _stands_where_it_is_off(do: Do, backward: Do) -> bool:
    """Whether an event stands under a test for no scaler that is not around the backward."""
    shared = _tests(backward)
    return any(_SWITCH.search(test) and _OFF.match(test) for test in _tests(do) if test not in shared)


def mixes_branches(broken: Broken, do: Do, path: Path, order: Sequence[Do], at: int) -> bool:
    """Whether a path uses a scaler behind the plain one of two backwards, or goes on without it behind the scaled one,
    under a test of its own."""
    latest: Do | None = None
    for past in (*reversed([*path.events()]), do):
        if past.event.kind is EventKind.BACKWARD:
            latest = past
        elif latest is not None and _is_of_the_other(past, latest) and _has_alternative(latest, order):
            return True
    if latest is None or latest.event.scaler is None or not _has_alternative(latest, order):
        return False
    return any(_is_choice(cure, latest) for cure in _skipped(broken, do, path, order, at))


def _is_of_the_other(event: Do, backward: Do) -> bool:
    """Whether an event under a test of its own goes with the other backward, as a rule."""
    kinds = _OF_SCALERS if backward.event.scaler is None else (EventKind.OPTIMIZER_STEP,)
    return event.event.kind in kinds and _is_choice(event, backward)


def _has_alternative(backward: Do, order: Sequence[Do]) -> bool:
    """Whether another branch runs backward, or steps, the other way: with a scaler, or without."""
    with_scaler = backward.event.scaler is None
    others = (one for one in order if one.event.kind in (EventKind.BACKWARD, EventKind.SCALER_STEP))
    return any((one.event.scaler is not None) == with_scaler and excluded(one, backward) for one in others)


def _is_choice(event: Do, backward: Do) -> bool:
    """Whether an event stands under a test of its own that counts no batches."""
    shared = _tests(backward)
    return any("%" not in test for test in _tests(event) if test not in shared)


def _skipped(broken: Broken, do: Do, path: Path, order: Sequence[Do], at: int) -> list[Do]:
    """The calls that would prevent it, in their place in the source, which the path went around."""
    kind = _CURES.get(broken.violation)
    if kind is None:
        return []
    if kind is EventKind.SCALER_STEP:
        return [one for one in order if one.event.kind is kind and broken.optimizer in one.event.optimizers]
    since = EventKind.SCALER_STEP if kind is EventKind.UPDATE else EventKind.BACKWARD
    recent = [*takewhile(lambda past: past.event.kind is not since, path.events())]
    passed = {id(past.site) for past in recent}
    begun = next((past for past in path.events() if past.event.kind is since), None)
    start = next((i for i, one in enumerate(order) if begun is not None and one.site is begun.site), None)
    if start is None or begun is None:
        return []
    found: list[Do] = []
    for one in order[start + 1 : at] if start < at else (*order[start + 1 :], *order[:at]):
        if one.event.kind is kind and id(one.site) not in passed:
            found += [] if excluded(one, begun if kind is EventKind.UPDATE else do) else [one]
        elif kind is EventKind.UNSCALE and one.event.kind in _ENDS:
            found = []  # that step is over
    return found


def _is_open(cure: Do, do: Do) -> bool:
    """Whether what keeps a call from running may keep the event from running too. A count of batches around the one
    alone says that they run at different times."""
    others = _tests(do)
    own = [test for test in _tests(cure) if test not in others]
    return not own or not all("%" in test for test in own)


def _tests(do: Do) -> tuple[str, ...]:
    """The tests around an event, across all calls that lead to it."""
    return tuple(test for site in (do.site.origin or do.site).way() for test in site.tests)
