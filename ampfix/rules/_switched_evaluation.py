"""Functions that train and evaluate, whose region is off when they evaluate: `run_epoch(..., scaler=None)`."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Sequence

from ampfix.patterns import pattern
from ampfix.program import CoveredRegion, Source
from ampfix.program.tree import unparsed, walk
from ampfix.records import dataclass
from ampfix.rules._handed_models import HandedModel
from ampfix.rules._models import bare_name, named
from ampfix.rules._places import given_for
from ampfix.rules._region_switches import (
    given,
    is_off,
    off_parameters,
    operands,
    parameters_of,
    presences,
    shows_all,
    switched_off_by,
    switches,
)
from ampfix.rules._shapes import (
    FUNCTIONS,
    backwards,
    calls,
    function_of,
    is_without_grad,
    looks_like_a_model,
    path,
    regions_around,
)
from ampfix.rules._trained_models import TrainedModel, meant

_PHASE = pattern(r"(^|[._])(is_)?train(ing)?$")
_TRAINS = ("train", "training")


@dataclass(frozen=True)
class SwitchedOff:
    """A call that evaluates with the region off that training uses. argument: what switches it off."""

    call: ast.Call
    model: str
    region: CoveredRegion
    argument: str


def evaluated_with_region_off(
    source: Source, handed: Sequence[HandedModel], trained: Sequence[TrainedModel]
) -> Iterator[SwitchedOff]:
    """Calls of this file that hand None or False for what switches a region on, where another call does not or another
    function trains, and forwards whose region the phase of the loop switches."""
    for region in source.regions:
        function = function_of(region.node, source)
        made = _calls_of(function, source) if isinstance(function, FUNCTIONS) else []
        if not any(True for _ in backwards(function)):
            yield from _by_default(region, function, made, trained, source) if trained else ()
        else:
            yield from list(_by_argument(region, function, made)) or _by_phase(region, function, source)
    called: dict[ast.AST, list[ast.Call]] = {}
    for one in handed:
        called.setdefault(one.to.definition, []).append(one.call)
    for function, made in called.items():
        for region in source.regions_in(function) if any(True for _ in backwards(function)) else ():
            yield from _by_argument(region, function, dict.fromkeys(made))


def _by_argument(region: CoveredRegion, function: ast.AST, made: Iterable[ast.Call]) -> Iterator[SwitchedOff]:
    model = _model(region.node)
    parameters = {argument.arg for argument in parameters_of(function)} if model else set()
    names = [name for switch in switches(region, function) for name in presences(switch)]
    for name in (name for name in names if name in parameters):
        handed = [(call, given(call, name, function)) for call in made if shows_all(call)]
        off = [call for call, value in handed if is_off(value)]
        if off and any(value is not None and not is_off(value) for _, value in handed):
            yield from (SwitchedOff(call, model, region, name) for call in off)
            return


def _by_default(
    region: CoveredRegion, function: ast.AST, made: Iterable[ast.Call], trained: Sequence[TrainedModel], source: Source
) -> Iterator[SwitchedOff]:
    """Calls of a function that only evaluates, which leave the switch of its region at None or False."""
    inner = _model(region.node) if is_without_grad(region.node, source) or any(calls(function, "eval")) else ""
    for call in made if inner else ():
        argument = switched_off_by(region, function, off_parameters(call, function))
        value = given_for(inner, function, call)
        name = bare_name(named(value)) if value is not None else inner if inner.startswith("self.") else ""
        match = meant(name, call, trained, source) if argument and name else None
        if match is not None and not regions_around(call, source):
            yield SwitchedOff(call, name, match.region, argument)


def _by_phase(region: CoveredRegion, function: ast.AST, source: Source) -> Iterator[SwitchedOff]:
    """`autocast(enabled=phase == "train")` in a function that evaluates too."""
    phases = [one for switch in switches(region, function) for one in operands(switch) if _is_training(one)]
    evaluates = any(True for _ in calls(function, "eval", "set_grad_enabled")) or "no_grad" in unparsed(function)
    if not phases or not evaluates or is_without_grad(region.node, source):
        return
    for call in walk(region.node):
        if isinstance(call, ast.Call) and looks_like_a_model(path(call.func)):
            yield SwitchedOff(call, path(call.func), region, unparsed(phases[0]))
            return


def _model(node: ast.AST) -> str:
    called = (path(one.func) for one in walk(node) if isinstance(one, ast.Call))
    return next((name for name in called if looks_like_a_model(name)), "")


def _is_training(test: ast.expr) -> bool:
    """`training`, `model.training`, `phase == "train"`."""
    if isinstance(test, ast.Compare) and isinstance(test.ops[0], ast.Eq):
        right = test.comparators[0]
        return isinstance(right, ast.Constant) and right.value in _TRAINS
    return _PHASE.search(path(test)) is not None


def _calls_of(function: ast.AST, source: Source) -> list[ast.Call]:
    name = getattr(function, "name", "")
    return [call for call in source.calls_to(name) if path(call.func)]
