"""Evaluations in another precision than training, as dry runs of the programs show them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Sequence

from ampfix.dryrun import DryRun, Event, Place
from ampfix.dryrun.values import TRUE, Thing
from ampfix.patterns import pattern
from ampfix.program.tree import unparsed
from ampfix.records import dataclass
from ampfix.rules._evaluations import acts, is_apart

_REGION = pattern(r"autocast|(?<![a-z])amp(?![a-z])")
_AS_SAID = pattern(
    r"\b(no|without|outside( of)?) (autocast|amp)\b|\b(in|uses?|runs?) (fp32|float32|full precision)", re.I
)
_TIMES = pattern(r"(^|_)(inference_time|speed|timing|vram|memory|sanity|smoke)", re.IGNORECASE)


@dataclass(frozen=True)
class Evaluation:
    """A forward without gradients and without a region. place: of the forward; trained: where training runs the model
    under a region."""

    place: Place
    trained: Place


def rehearsed_evaluations(runs: Sequence[DryRun], path: str) -> list[Evaluation]:
    """What runs show of a file: the first that matters of each function, in order."""
    told = dict[int, Evaluation]()
    for program in map(_Program, runs):
        for event, trained in program.uncovered():
            place = program.place_of(event)
            if place.path != path or _is_left_alone(event, program):
                continue
            function = getattr(place.function, "lineno", 0)
            before = told.get(function)
            if before is None or (place.line, place.column) < (before.place.line, before.place.column):
                told[function] = Evaluation(place, trained.place)
    return sorted(told.values(), key=lambda one: (one.place.line, one.place.column))


class _Program:
    """What one run does with its models."""

    def __init__(self, run: DryRun) -> None:
        runs = [event for event in run.events if event.kind in ("forward", "method")]
        self._at: dict[tuple[Place, ...], Event] = {event.stack: event for event in runs}
        self.forwards = [event for event in runs if event.kind == "forward"]
        self._stepped = _stepped(run.events)
        lost = (event.subject for event in run.events if event.kind == "backward")
        self._lost = frozenset(owner for loss in lost if isinstance(loss, Thing) for owner in loss.owners)
        training = [event for event in self.forwards if event.grad and event.subject in self._lost]
        self._trained = self._by_model(filter(_is_covered, training))
        self._plainly_trained = self._by_model(event for event in training if not _is_covered(event))

    def _around(self, event: Event) -> Iterator[Event]:
        """The calls from outside of models that lead to a forward, outermost first, to the first that is a forward."""
        seen = set[object]()
        for depth in range(1, len(event.stack) + 1):
            outer = self._at.get(event.stack[:depth])
            if outer is None:
                continue
            if outer.kind == "forward" or outer.subject not in seen:
                yield outer
            if outer.kind == "forward":
                return
            seen.add(outer.subject)

    def _by_model(self, training: Iterable[Event]) -> dict[Thing, list[Event]]:
        """Forwards that are trained on, by the models they belong to."""
        found = dict[Thing, list[Event]]()
        for event in training:
            for outer in self._around(event):
                if isinstance(outer.subject, Thing) and outer.subject in self._stepped:
                    found.setdefault(outer.subject, []).append(event)
        return found

    def uncovered(self) -> Iterator[tuple[Event, Event]]:
        """Calls that run a model without gradients and region which training runs under one, with such a run."""
        for event in self.forwards:
            if event.grad or _is_covered(event):
                continue
            for outer in self._around(event):
                trained = None if outer.grad else self._trained_of(outer)
                if trained is not None:
                    yield outer, trained
                    break

    def _trained_of(self, event: Event) -> Event | None:
        """A run under a region by which training trains what is evaluated, and none that does so without one."""
        model = event.subject
        if not isinstance(model, Thing):
            return None
        runs = [one for one in self._trained.get(model, ()) if event.may_meet(one)]
        plain = [one for one in self._plainly_trained.get(model, ()) if event.may_meet(one)]
        return next((one for one in runs if not any(map(one.may_meet, plain))), None)

    def place_of(self, event: Event) -> Place:
        """Where a run without a region is told: at the call that leads to it and not to training too, unless a region
        that is off stands beside the model."""
        if event.region is not None and event.region.path == event.place.path:
            return event.place
        shared = {one for other in self._trained.get(event.subject, ()) for one in other.stack}  # type: ignore[call-overload]
        return next((one for one in reversed(event.stack) if one not in shared), event.place)

    def is_trained_on(self, event: Event) -> bool:
        """Whether what a forward gives goes into a loss."""
        return any(one.made in self._lost for one in self._within(event))

    def is_covered_elsewhere(self, event: Event) -> bool:
        """Whether another branch of the same function runs the model under a region, and not to train."""
        same = (one for one in self.forwards if one.subject is event.subject and one.stack[:-1] == event.stack[:-1])
        return any(_is_covered(one) and not one.grad for one in same)

    def opens_its_own(self, event: Event) -> bool:
        """Whether a forward opens a region by itself."""
        return any(_is_covered(one) or _forward_opens(one.subject) for one in self._within(event))

    def _within(self, event: Event) -> Iterator[Event]:
        return (one for one in self.forwards if one.stack[: len(event.stack)] == event.stack)


def _stepped(events: Sequence[Event]) -> frozenset[Thing]:
    """The models of the optimizers that step."""
    optimizers = [one for event in events if event.kind == "step" for one in event.others]
    optimizers += [event.subject for event in events if event.kind == "optimizer step"]
    return frozenset(model for one in optimizers if isinstance(one, Thing) for model in one.owners)


def _is_covered(event: Event) -> bool:
    return event.region is not None and event.region.enabled == TRUE


def _forward_opens(model: object) -> bool:
    """Whether the forward of a model's class speaks of a region."""
    body = model.cls.node.body if isinstance(model, Thing) and model.cls is not None else []
    forwards = (one for one in body if getattr(one, "name", "") in ("forward", "__call__"))
    return any(_REGION.search(unparsed(one)) for one in forwards)


def _is_left_alone(event: Event, program: _Program) -> bool:
    """Whether a forward is not evaluation, or in float32 on purpose."""
    functions = [place.function for place in event.stack if place.function is not None]
    if any(acts(one) or is_apart(one) or _TIMES.search(getattr(one, "name", "")) for one in functions[-2:]):
        return True
    if any(_AS_SAID.search(_docstring(one)) for one in functions[-2:]):
        return True
    if program.is_trained_on(event) or program.is_covered_elsewhere(event) or program.opens_its_own(event):
        return True
    return _is_switched_off(event)


def _docstring(function: ast.AST) -> str:
    return (ast.get_docstring(function) or "") if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef) else ""


def _is_switched_off(event: Event) -> bool:
    """Whether a region is switched off around a forward in so many words."""
    node = event.region.node if event.region is not None else None
    words = node.keywords if isinstance(node, ast.Call) else []
    return any(word.arg == "enabled" and isinstance(word.value, ast.Constant) for word in words)
