"""How blocks of statements end."""

from __future__ import annotations

from ampfix.dryrun.store import chosen
from ampfix.dryrun.values import NONE, Test, Value
from ampfix.records import dataclass


@dataclass(frozen=True)
class Exit:
    """How a block of statements ends. kind: "normal", "return", "break", "continue", "raise"."""

    kind: str
    value: Value = NONE


@dataclass(eq=False)
class Fork:
    """The end of a block that a test decides. Parts are shared: what goes through one meets each once. kinds: of all
    its ends."""

    test: Test
    yes: Flow
    no: Flow
    kinds: frozenset[str]


Flow = Exit | Fork
NORMAL, RAISED = Exit("normal"), Exit("raise")


def kinds(flow: Flow) -> frozenset[str]:
    """The kinds of ends that a block may have."""
    return flow.kinds if isinstance(flow, Fork) else frozenset((flow.kind,))


def forked(test: Test, yes: Flow, no: Flow) -> Flow:
    is_one = yes is no or (isinstance(yes, Exit) and isinstance(no, Exit) and yes == no)
    return yes if is_one else Fork(test, yes, no, kinds(yes) | kinds(no))


def substituted(flow: Flow, of: str, by: Flow) -> Flow:
    """A flow whose ends of one kind go on as another one does."""
    done = dict[Flow, Flow]()

    def within(one: Flow) -> Flow:
        if of not in kinds(one):
            return one
        if isinstance(one, Exit):
            return by
        if one not in done:
            done[one] = forked(one.test, within(one.yes), within(one.no))
        return done[one]

    return within(flow)


def returned(flow: Flow) -> Value | None:
    """What a function hands back; None where every way through it raises."""
    done = dict[Fork, "Value | None"]()

    def of(one: Flow) -> Value | None:
        if isinstance(one, Exit):
            return None if one.kind == "raise" else one.value
        if one not in done:
            yes, no = of(one.yes), of(one.no)
            done[one] = chosen(one.test, yes, no) if yes is not None and no is not None else yes or no
        return done[one]

    return of(flow)


def answers_to(flow: Flow, kind: str) -> list[tuple[Test, bool]] | None:
    """The answers that all lead to ends of a kind; None where that is not one row of answers."""
    if isinstance(flow, Exit):
        return [] if flow.kind == kind else None
    yes, no = (kind in kinds(one) for one in (flow.yes, flow.no))
    if yes == no:
        return None
    further = answers_to(flow.yes if yes else flow.no, kind)
    return None if further is None else [(flow.test, yes), *further]
