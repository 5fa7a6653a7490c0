"""Checkpoints without a scaler's state, as the dry runs of programs show them."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ampfix.dryrun import DryRun, Event, Place
from ampfix.dryrun.library import is_scaler
from ampfix.dryrun.values import StateOf, Thing, Value, leaves
from ampfix.findings import Finding
from ampfix.records import dataclass


@dataclass(frozen=True)
class Told:
    """A place where an optimizer's state is kept without its scaler's.

    place: in the checked file: the state itself, or the call that leads to it. verb: "saved" or "restored". optimizer
    and scaler: as the file calls them. kept_at: where the state is taken, in another file or deeper. function: the one
    around the place. by: the name of what is called there, empty at the state itself.
    """

    place: Place
    verb: str
    optimizer: str
    scaler: str
    kept_at: Place
    by: str = ""

    @property
    def line(self) -> int:
        return self.place.line

    @property
    def symbol(self) -> str:
        return getattr(self.place.function, "name", "")

    @property
    def message(self) -> str:
        by = f" by {self.by}" if self.by else ""
        return (
            f"the state of {self.optimizer} is {self.verb}{by} without that of {self.scaler}, which "
            "steps it: a resumed run starts with a fresh scale"
        )


@dataclass(frozen=True)
class _Kept:
    """An optimizer's state that a run saves or restores. complete: its scaler's is kept as well. seen: no part of the
    checkpoint is unseen."""

    event: Event
    stack: tuple[Place, ...]
    verb: str
    step: Event
    complete: bool
    seen: bool = True


def confirmed(found: list[Finding], runs: tuple[DryRun, ...], path: str) -> list[Finding]:
    """The findings in a file that no run shows to be wrong."""
    cleared = acquitted(runs, path)
    return [one for one in found if not any((one.span.start.line, verb) in cleared for verb in _verbs(one.message))]


def added(found: list[Finding], runs: tuple[DryRun, ...], path: str) -> list[Told]:
    """What the runs tell of a file in functions where nothing is found."""
    known = {(one.symbol, verb) for one in found for verb in _verbs(one.message)}
    return [one for one in missing(runs, path) if (one.symbol, one.verb) not in known]


def _verbs(message: str) -> list[str]:
    return [verb for verb in ("saved", "restored") if f" is {verb} " in message]


def missing(runs: tuple[DryRun, ...], path: str) -> tuple[Told, ...]:
    """What is to be told in a file, once for each checkpoint: at the last of its optimizers."""
    found: dict[object, Told] = {}
    for run in runs:
        for kept in _kept(run):
            place = _told_at(kept, run)
            if kept.seen and not kept.complete and place is not None and place.path == path:
                told = _told(kept, place)
                key = (kept.verb, *_checkpoint(kept, told))
                if key not in found or found[key].line <= told.line:
                    found[key] = told
    return tuple(sorted(found.values(), key=lambda one: (one.place.line, one.place.column)))


def _checkpoint(kept: _Kept, told: Told) -> tuple[object, ...]:
    """What tells one checkpoint of a file from another: the call that keeps it, or what is read."""
    if told.by:
        return (told.place,)
    if kept.verb == "saved":
        return (kept.event.place,)
    node = told.place.node
    read = node.args[0] if isinstance(node, ast.Call) and node.args else None
    while isinstance(read, ast.Subscript | ast.Attribute | ast.Call):
        read = read.func if isinstance(read, ast.Call) else read.value
    return id(told.place.function), ast.unparse(read) if read is not None else ""


def acquitted(runs: tuple[DryRun, ...], path: str) -> frozenset[tuple[int, str]]:
    """The lines of a file, each with a verb, at which every run keeps the scaler's state as well."""
    kept, lost = set[tuple[int, str]](), set[tuple[int, str]]()
    for run in runs:
        for one in _kept(run):
            places = {(place.line, one.verb) for place in one.stack if place.path == path}
            (kept if one.complete else lost).update(places)
    return frozenset(kept - lost) if all(run.finished for run in runs) else frozenset()


def _kept(run: DryRun) -> Iterator[_Kept]:
    """The states of stepped optimizers that a run saves or restores, each with what steps it."""
    steps: dict[tuple[Value, Value], Event] = {}
    for event in run.events:
        if event.kind == "step" and _scales(event.subject):
            steps.setdefault((event.subject, event.others[0]), event)
    saved = [event for event in run.events if event.kind == "saved"]
    restored = [event for event in run.events if event.kind == "restored"]
    for (scaler, optimizer), step in steps.items():
        with_scaler = [event for event in saved if scaler in event.others]
        for event in saved:
            if optimizer in event.others and event.may_meet(step):
                complete = any(one.may_meet(event) for one in with_scaler)
                for stack in _taken(event, optimizer):
                    yield _Kept(event, stack, "saved", step, complete, event.whole)
        scaler_restored = [event for event in restored if event.subject is scaler]
        for event in restored:
            if event.subject is optimizer and event.may_meet(step) and not _from_memory(event):
                complete = any(one.may_meet(event) for one in scaler_restored)
                yield _Kept(event, event.stack, "restored", step, complete)


def _scales(scaler: Value) -> bool:
    return isinstance(scaler, Thing) and is_scaler(scaler.made_by)


def _taken(event: Event, optimizer: Value) -> Iterator[tuple[Place, ...]]:
    """The calls that lead to where a saved state of an optimizer is taken."""
    for state, thing in zip(event.states, event.others, strict=True):
        if thing is optimizer:
            yield state.taken if isinstance(state, StateOf) else event.stack


def _from_memory(event: Event) -> bool:
    """Whether what is restored is a state that the same run has taken."""
    return any(isinstance(leaf, StateOf) for value in event.others for leaf in leaves(value))


def _told_at(kept: _Kept, run: DryRun) -> Place | None:
    """The innermost call in a file that knows the scaler; else where an object that has both is handed, the state
    itself; else the innermost in a file that leads to where it steps."""
    scaler = kept.step.subject
    assert isinstance(scaler, Thing)
    own = [event for event in run.events if event.subject is scaler]
    knowing = {scaler.path, *(event.place.path for event in own)}
    leading = {place.path for event in own for place in event.stack}
    inner = _innermost(kept.stack, knowing)
    if inner is not None or "." in _receiver(kept.stack[-1].node):
        return inner or kept.stack[-1]
    return _innermost(kept.stack, leading)


def _innermost(stack: tuple[Place, ...], paths: set[str]) -> Place | None:
    return next((place for place in reversed(stack) if place.path in paths), None)


def _told(kept: _Kept, place: Place) -> Told:
    inner = kept.stack[-1]
    at_state = place is inner
    optimizer = _receiver(inner.node) or "the optimizer"
    scaler = _receiver(kept.step.place.node) or "the scaler"
    return Told(place, kept.verb, optimizer, scaler, inner, "" if at_state else _called(place.node))


def _receiver(node: object) -> str:
    """`optimizer` of `optimizer.state_dict()`."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
        return ast.unparse(node.func.value)
    return ""


def _called(node: object) -> str:
    if isinstance(node, ast.Call):
        return node.func.attr if isinstance(node.func, ast.Attribute) else ast.unparse(node.func)
    return "a function"
