"""What rules about the step protocol ask of the path that led to an occurrence."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator

from ampfix.patterns import pattern
from ampfix.program import Do, Occurrence, Site
from ampfix.protocol import EventKind
from ampfix.rules._base import local_name

_VARYING = pattern(r"step|accum|update|sync|boundary|last|finite|overflow|skip|nan|inf\b|valid|ok\b", re.IGNORECASE)
_MODULUS = pattern(r"%\s*([\w.]+)")
STEPS = (EventKind.SCALER_STEP, EventKind.OPTIMIZER_STEP)


def latest(events: Iterable[Do], *kinds: EventKind, optimizer: str | None = None) -> Do | None:
    """The last event of these kinds; with `optimizer`, the last that concerns it."""
    found = None
    for do in events:
        if do.event.kind in kinds and (optimizer is None or optimizer in do.event.optimizers):
            found = do
    return found


def first(events: Iterable[Do], *kinds: EventKind) -> Do | None:
    """The first event of these kinds."""
    return next((do for do in events if do.event.kind in kinds), None)


def since(events: Iterable[Do], *kinds: EventKind) -> tuple[Do, ...]:
    """The events behind the last one of these kinds."""
    rest: list[Do] = []
    for do in events:
        rest = [] if do.event.kind in kinds else [*rest, do]
    return tuple(rest)


def optimizers(occurrence: Occurrence) -> frozenset[str]:
    """Every optimizer the routine names."""
    return frozenset(name for do in occurrence.routine.events for name in do.event.optimizers)


def events_of(occurrence: Occurrence, *kinds: EventKind) -> tuple[Do, ...]:
    """The routine's events of these kinds, on whatever path."""
    return tuple(do for do in occurrence.routine.events if do.event.kind in kinds)


def contributors(occurrence: Occurrence) -> tuple[Do, ...]:
    """The backwards whose gradients the optimizer may hold: those since they were zeroed."""
    optimizer = occurrence.broken.optimizer
    rest: list[Do] = []
    for do in (*occurrence.before, occurrence.do):
        if do.event.kind is EventKind.ZERO_GRAD and (not do.event.optimizers or optimizer in do.event.optimizers):
            rest = []
        elif do.event.kind is EventKind.BACKWARD:
            rest.append(do)
    return tuple(rest)


def certain(occurrence: Occurrence) -> bool:
    """Whether it is known what the optimizer's gradients carry.

    Which backward reaches which of several optimizers is not seen: backwards that disagree on the scaler leave it open.
    Two on the branches of one test never meet, though the test be worked out anew each turn.
    """
    found = contributors(occurrence)
    if any(excluded(one, other) for one in found for other in found):
        return False
    return len(optimizers(occurrence)) <= 1 or len({do.event.scaler for do in found}) <= 1


def tests_of(do: Do) -> tuple[str, ...]:
    """The tests around an event, across calls."""
    return tuple(test for site in do.site.frames() for test in site.tests)


def own_tests(do: Do, other: Do) -> tuple[str, ...]:
    """The tests around an event that are not around another."""
    shared = tests_of(other)
    return tuple(test for test in tests_of(do) if test not in shared)


def excluded(one: Do, other: Do) -> bool:
    """Whether two events stand on different branches of one test."""
    tests, others = tests_of(one), tests_of(other)
    return any(f"not ({test})" in others for test in tests) or any(f"not ({test})" in tests for test in others)


def varies(test: str) -> bool:
    """Whether a test is known to turn out otherwise from batch to batch: it counts, or looks for overflows."""
    return "%" in test or _VARYING.search(test) is not None


def is_setting(test: str) -> bool:
    """Whether a test asks for a setting (`use_amp`, `scaler is not None`), which stays as it is during a run."""
    if test.startswith("match ") or varies(test):
        return False
    allowed = (
        ast.Name, ast.Attribute, ast.Constant, ast.BoolOp, ast.boolop, ast.UnaryOp, ast.Not, ast.expr_context,
        ast.Compare, ast.Is, ast.IsNot, ast.Eq, ast.NotEq,
    )  # fmt: skip
    return all(isinstance(node, allowed) for node in ast.walk(ast.parse(test, mode="eval").body))


def only_settings(tests: Iterable[str]) -> bool:
    """Whether there are tests, and each asks for a setting."""
    found = tuple(tests)
    return bool(found) and all(is_setting(test) for test in found)


def switched(one: Do, other: Do) -> bool:
    """Whether two events run under settings of their own, so that nobody may ever have both or either alone."""
    return excluded(one, other) or (only_settings(own_tests(one, other)) and only_settings(own_tests(other, one)))


def same_window(one: Do, other: Do) -> bool:
    """Whether the tests that tell two events apart count the same window: `i % n == n - 1` and `(i + 1) % n == 0`."""
    mine, others = (set(_MODULUS.findall(" ".join(tests))) for tests in (own_tests(one, other), own_tests(other, one)))
    return bool(mine & others) and not excluded(one, other)


def is_optional(one: Do, other: Do) -> bool:
    """Whether an event stands under a setting that the other one does not ask for."""
    return only_settings(own_tests(one, other))


def reachable(site: Site, do: Do, *canonical: str | None) -> tuple[str, ...] | None:
    """How the function at `site` writes these names; None where it cannot reach one of them."""
    names = tuple(local_name(Do(do.event, site), name) for name in canonical)
    return None if None in names else names  # type: ignore[return-value]


def frame_in(do: Do, function: str) -> Site | None:
    """The site of an event inside a function: its own, or that of the call there that leads to it."""
    return next((site for site in do.site.frames() if site.function == function), None)


def condition(site: Site, do: Do) -> str:
    """The tests around `do` that are not around `site`, as one test; empty where there are none."""
    there = frame_in(do, site.function)
    tests = [test for test in (there.tests if there is not None else ()) if test not in site.tests]
    return " and ".join(f"({test})" if len(tests) > 1 else test for test in tests)


def steps_behind(occurrence: Occurrence, scaler: str | None) -> Iterator[Do]:
    """The scaler's optimizer steps that follow the occurrence in its routine, before the next backward."""
    for do in occurrence.after:
        if do.event.kind is EventKind.BACKWARD:
            return
        if do.event.kind is EventKind.SCALER_STEP and do.event.scaler == scaler:
            yield do
