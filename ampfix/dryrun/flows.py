"""How blocks of statements end."""

from __future__ import annotations

from collections.abc import Iterator

from ampfix.dryrun.store import chosen
from ampfix.dryrun.values import NONE, Test, Value
from ampfix.records import dataclass


@dataclass(frozen=True)
class Exit:
    """How a block of statements ends. kind: "normal", "return", "break", "continue", "raise"."""

    kind: str
    value: Value = NONE


@dataclass(frozen=True)
class Fork:
    """The end of a block that a test decides."""

    test: Test
    yes: Flow
    no: Flow


Flow = Exit | Fork
NORMAL, RAISED = Exit("normal"), Exit("raise")


def forked(test: Test, yes: Flow, no: Flow) -> Flow:
    return yes if yes == no else Fork(test, yes, no)


def substituted(flow: Flow, of: str, by: Flow) -> Flow:
    """A flow whose ends of one kind go on as another one does."""
    if isinstance(flow, Fork):
        return forked(flow.test, substituted(flow.yes, of, by), substituted(flow.no, of, by))
    return by if flow.kind == of else flow


def ends(flow: Flow) -> Iterator[Exit]:
    if isinstance(flow, Fork):
        yield from ends(flow.yes)
        yield from ends(flow.no)
    else:
        yield flow


def returned(flow: Flow) -> Value | None:
    """What a function hands back; None where every way through it raises."""
    if isinstance(flow, Fork):
        yes, no = returned(flow.yes), returned(flow.no)
        return chosen(flow.test, yes, no) if yes is not None and no is not None else yes or no
    return None if flow.kind == "raise" else flow.value


def answers_to(flow: Flow, kind: str) -> list[tuple[Test, bool]] | None:
    """The answers that all lead to ends of a kind; None where that is not one row of answers."""
    if isinstance(flow, Exit):
        return [] if flow.kind == kind else None
    yes, no = (any(end.kind == kind for end in ends(one)) for one in (flow.yes, flow.no))
    if yes == no:
        return None
    further = answers_to(flow.yes if yes else flow.no, kind)
    return None if further is None else [(flow.test, yes), *further]
