"""Evaluations in a file of the models that it trains under autocast, or hands to a function that does."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from ampfix.program import Source
from ampfix.records import dataclass
from ampfix.rules._evaluations import is_evaluation, scope_of
from ampfix.rules._forwards import Forwards
from ampfix.rules._halfmodels import loaded_models
from ampfix.rules._handed_models import HandedModel
from ampfix.rules._own_regions import opens_its_own_region
from ampfix.rules._shapes import FUNCTIONS, function_of
from ampfix.rules._trained_models import TrainedModel, meant, part_of
from ampfix.rules._trained_there import TrainedThere


@dataclass(frozen=True)
class Evaluated:
    """A call that evaluates a model. match: where this file trains it; trainer: who trains it elsewhere."""

    call: ast.Call
    name: str
    match: TrainedModel | None
    trainer: HandedModel | None


def evaluated_here(
    source: Source, forwards: Forwards, trained: Sequence[TrainedModel], there: TrainedThere
) -> Iterator[Evaluated]:
    """The first evaluation of each loop, or of each function without one."""
    if not trained and not there:
        return
    finder = _Finder(source, trained, there)
    made = [call for call in source.nodes((ast.Call,)) if isinstance(call, ast.Call)]
    for call in made:
        name = forwards.direct(call)
        yield from finder.evaluated(call, name) if name else ()
    told = {one if isinstance(one, FUNCTIONS) else function_of(one, source) for one in finder.reported}
    for call in made:  # what helpers run is told where they are called, unless it was told in them
        is_statement = isinstance(next(source.ancestors(call)), ast.Expr)
        if is_statement or forwards.direct(call) or told & forwards.reached(call):
            continue
        for name in forwards.of(call):
            yield from finder.evaluated(call, name)


class _Finder:
    """reported: the loops and functions of which an evaluation was found."""

    def __init__(self, source: Source, trained: Sequence[TrainedModel], there: TrainedThere) -> None:
        self._source, self._trained, self._there = source, trained, there
        self._halves = {model.name for model in loaded_models(source)}  # evaluated in half as they are
        self.reported: set[ast.AST] = set()

    def evaluated(self, call: ast.Call, name: str) -> Iterator[Evaluated]:
        """The call, where it evaluates the model of this name and that is trained under autocast."""
        source, trained = self._source, self._trained
        scope = scope_of(call, name, source)
        if scope is None or scope in self.reported or not is_evaluation(call, name, scope, source):
            return
        match = meant(name, call, trained, source) or part_of(name, call, trained, source)
        trainer = self._there.by(name, call) if match is None else None
        if self._halves & {name, match.name if match is not None else name} or (match is None and trainer is None):
            return
        if opens_its_own_region(name, call, source):
            return
        self.reported.add(scope)
        yield Evaluated(call, name, match, trainer)
