"""Evaluations in another precision than that in which training runs the model: all that AMP304 tells."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence, Set
from itertools import chain

from ampfix.findings import Repair, TracePoint
from ampfix.program import Source
from ampfix.records import dataclass
from ampfix.rules._evaluated_by_callbacks import handed_to_callbacks
from ampfix.rules._evaluated_elsewhere import evaluated_on_the_way, is_evaluated, is_told_there
from ampfix.rules._evaluated_here import evaluated_here
from ampfix.rules._evaluation_repair import repaired
from ampfix.rules._evaluations import opens_its_own
from ampfix.rules._forwards import Forwards
from ampfix.rules._handed_models import handed_models
from ampfix.rules._inherited import evaluated_by_bases
from ampfix.rules._injected import handed_to_injected
from ampfix.rules._own_regions import opens_its_own_region
from ampfix.rules._shapes import function_of
from ampfix.rules._switched_evaluation import evaluated_with_region_off
from ampfix.rules._trained_models import TrainedModel, held_in, meant, trained_models
from ampfix.rules._trained_there import TrainedThere, handed_back, trained_through, where_trained
from ampfix.rules._unused import is_left_off, is_unused


@dataclass(frozen=True)
class Differing:
    """A call that evaluates a model, or leads to what does. repair: it, or why there is none."""

    call: ast.Call
    model: str
    message: str
    repair: Repair | str
    trace: tuple[TracePoint, ...] = ()


def differing_evaluations(source: Source) -> Iterator[Differing]:
    """Those of a file, and of the files that it hands its models to. Who runs what is asked only where some differ."""
    if opens_its_own(source):
        return
    finder = _Finder(source)
    found = [one for one in finder.found(finder.trained) if not is_unused(one.call, source)]
    running = [one for one in finder.trained if _runs(one, source)] if found else finder.trained
    if len(running) < len(finder.trained):
        found = [one for one in finder.found(running) if not is_unused(one.call, source)]
    yield from found


def _runs(trained: TrainedModel, source: Source) -> bool:
    return not is_unused(trained.region.node, source) and not is_left_off(trained.region, source)


class _Finder:
    """trained: the models that the file itself trains under autocast."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._forwards = Forwards(source)
        switched, self.trained = self._forwards.switched, list(trained_models(source, self._forwards))
        names = dict.fromkeys(one.name for one in self.trained)
        self._handed = list(handed_models(source, switched, names))
        self.trained += trained_through(self._handed, source)
        self._there = TrainedThere([*self._handed, *handed_back(source, switched)], source)

    def found(self, trained: Sequence[TrainedModel]) -> Iterator[Differing]:
        here: list[Differing] = []
        if trained or self._there:
            here = list(self._here(trained))
            yield from here
            told = list(self._elsewhere(trained))
            yield from told
            yield from self._on_the_way()
            shown = {point.path for one in told for point in one.trace}  # told at the calls of this file
            yield from (one for one in self._inherited(trained) if one.trace[0].path not in shown)
        yield from self._switched_off(trained, {function_of(one.call, self._source) for one in here})

    def _here(self, trained: Sequence[TrainedModel]) -> Iterator[Differing]:
        """Evaluations in this file of models that it trains, or hands to a function of another file for that."""
        for one in evaluated_here(self._source, self._forwards, trained, self._there):
            reason, where = "open the region that training uses", where_trained(one.match, one.trainer)
            yield Differing(
                one.call,
                one.name,
                f"{one.name} is evaluated outside autocast here and trained under it {where}",
                repaired(one.call, one.match, self._source) if one.match is not None else reason,
            )

    def _elsewhere(self, trained: Sequence[TrainedModel]) -> Iterator[Differing]:
        """Models that a function of another file evaluates, and this file or a function of a third one trains."""
        source, there, seen = self._source, self._there, set[ast.AST]()
        called_back = handed_to_callbacks(source, self._forwards.switched, self._handed)
        known = ((one, source) for one in (*self._handed, *called_back))
        for one, shown_by in chain(known, handed_to_injected(source, trained)):
            if one.to.definition in seen:
                continue
            match = meant(one.name, one.call, trained, source) or held_in(one.name, one.call, trained, source)
            trainer = there.by(one.name, one.call) if match is None else None
            if (match is None and trainer is None) or not is_evaluated(one, source, shown_by):
                continue
            if trainer is not None and is_told_there(one, trainer, source):
                continue
            if opens_its_own_region(one.name, one.call, source):
                continue
            seen.add(one.to.definition)
            name, where = one.to.definition.name, where_trained(match, trainer)
            yield Differing(
                one.call,
                one.name,
                f"{one.name} is evaluated outside autocast by {name} and trained under it {where}",
                f"{name} lies in {one.to.path}; open the region that training uses there",
                (TracePoint("the model is evaluated", one.to.path, one.to.span),),
            )

    def _on_the_way(self) -> Iterator[Differing]:
        """Models that what trains them evaluates by an object which this file hands to it."""
        seen = set[ast.AST]()
        for one in self._handed:
            if self._there.by(one.name, one.call) is not one:
                continue
            for function in evaluated_on_the_way(one, self._source):
                if function not in seen and not opens_its_own_region(one.name, one.call, self._source):
                    seen.add(function)
                    yield Differing(
                        one.call,
                        one.name,
                        f"{one.name} is trained under autocast here and evaluated outside it by {function.name}",
                        f"open the region that training uses in {function.name}",
                    )

    def _inherited(self, trained: Sequence[TrainedModel]) -> Iterator[Differing]:
        """Models that a base class of another file evaluates."""
        seen = set[ast.AST]()
        for one, to in evaluated_by_bases(self._source, trained):
            opening, function, where = one.region.opening, to.definition, "trained under autocast here"
            if function in seen or not isinstance(opening, ast.Call):
                continue
            if opens_its_own_region(one.name, opening, self._source):
                continue
            seen.add(function)
            yield Differing(
                opening,
                one.name,
                f"{one.name} is {where} and evaluated outside it by {function.name} of a base class",
                f"{function.name} lies in {to.path}; open the region that training uses there",
                (TracePoint("the model is evaluated", to.path, to.span),),
            )

    def _switched_off(self, trained: Sequence[TrainedModel], told: Set[ast.AST]) -> Iterator[Differing]:
        """A function that evaluates, or does both, called without what switches its region on."""
        for one in evaluated_with_region_off(self._source, self._handed, trained, told):
            yield Differing(
                one.call,
                one.model,
                f"{one.argument} switches off here the region that training uses in line {one.region.opening.lineno}",
                f"let another argument than {one.argument} tell training from evaluation",
            )
