"""Functions that train and evaluate, whose region is off when they evaluate: `run_epoch(..., scaler=None)`."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Sequence, Set

from ampfix.patterns import pattern
from ampfix.program import CoveredRegion, Source
from ampfix.program.tree import unparsed, walk
from ampfix.records import dataclass
from ampfix.rules._evaluations import LIKE_A_REGION
from ampfix.rules._handed_models import HandedModel
from ampfix.rules._models import SELF, bare_name, named
from ampfix.rules._places import given_for, parameters
from ampfix.rules._region_switches import (
    given,
    is_off,
    off_locals,
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
    handed_in,
    is_without_grad,
    looks_like_a_model,
    own,
    path,
    regions_around,
)
from ampfix.rules._trained_models import TrainedModel, meant

_PHASE = pattern(r"(^|[._])(is_)?train(ing)?$")
_TRAINS = ("train", "training")
_RECORDS_NONE = pattern(r"no_grad|inference_mode")


@dataclass(frozen=True)
class SwitchedOff:
    """A call that evaluates with the region off that training uses. argument: what switches it off."""

    call: ast.Call
    model: str
    region: CoveredRegion
    argument: str


def evaluated_with_region_off(
    source: Source, handed: Sequence[HandedModel], trained: Sequence[TrainedModel], told: Set[ast.AST]
) -> Iterator[SwitchedOff]:
    """Calls of this file that hand None or False for what switches a region on, where another call does not or another
    function trains, and forwards whose region the phase of the loop switches. told: the functions whose forwards
    outside a region are told by themselves."""
    for region in source.regions:
        function = function_of(region.node, source)
        made = _calls_of(function, source) if isinstance(function, FUNCTIONS) else []
        if not any(True for _ in backwards(function)):
            yield from _by_default(region, function, made, trained, source) if trained else ()
        else:
            yield from (
                list(_by_argument(region, function, made))
                or list(_by_branch(region, function, () if function in told else made))
                or _by_phase(region, function, source)
            )
    called: dict[ast.AST, list[ast.Call]] = {}
    for one in handed:
        called.setdefault(one.to.definition, []).append(one.call)
    for function, made in called.items():
        for region in source.regions_in(function) if any(True for _ in backwards(function)) else ():
            calls_here = dict.fromkeys(made)
            yield from list(_by_argument(region, function, calls_here)) or _by_branch(region, function, calls_here)


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


def _by_branch(region: CoveredRegion, function: ast.AST, made: Iterable[ast.Call]) -> Iterator[SwitchedOff]:
    """Calls that leave out the branch of the region, `if scaler is not None and training:`, and every backward."""
    calls_of_it = [call for call in made if shows_all(call)]
    if len(calls_of_it) < 2 or not _is_for_training(region, function):  # one call trains, and one does not
        return
    off = {call: off_locals(function, off_parameters(call, function)) for call in calls_of_it}
    switched = {call: switched_off_by(region, function, names) for call, names in off.items() if names}
    left = [call for call, name in switched.items() if name]
    model = _model(region.node) or next(filter(looks_like_a_model, parameters(function)), "")
    if not left or len(left) == len(calls_of_it) or not model:
        return
    trained, covered = list(backwards(function)), set(_covered(region, function))
    run = {path(one.func) for one in _runs(region.node, function)}
    beside = [one for one in _runs(function, function) if one not in covered and path(one.func) in run]
    for call in left:
        out = [_is_left_out(one, function, off[call]) for one in trained]
        if all(out) and not all(_is_left_out(one, function, off[call]) for one in beside):
            yield SwitchedOff(call, model, region, switched[call])


def _is_for_training(region: CoveredRegion, function: ast.AST) -> bool:
    """Whether a region is on, records gradients, and a backward of the same branches follows it."""
    entered = [
        unparsed(item.context_expr) for one in _around(region.node, function) for item in getattr(one, "items", ())
    ]
    if region.enabled is False or any(map(_RECORDS_NONE.search, entered)):
        return False
    blocks = [one for one in _around(region.node, function) if isinstance(one, (ast.If, ast.For, ast.While))]
    behind = (one for one in backwards(function) if one.lineno >= region.node.lineno)
    return any(all(one in walk(block) for block in blocks) for one in behind)


def _around(node: ast.AST, function: ast.AST) -> list[ast.AST]:
    """The statements of a function around a node, and it itself."""
    return [one for one in own(function) if isinstance(one, ast.stmt) and node in walk(one)]


def _covered(region: CoveredRegion, function: ast.AST) -> Iterator[ast.AST]:
    """What stands in a region of a function, or in something that is named like one and not around this region."""
    around = set(_around(region.node, function)) - {region.node}
    for one in own(function):
        like = (LIKE_A_REGION.search(unparsed(item.context_expr)) for item in getattr(one, "items", ()))
        if one not in around and any(like):
            yield from walk(one)


def _runs(node: ast.AST, function: ast.AST) -> Iterator[ast.Call]:
    """The calls in a part of a function of a model, of what is handed one, and of functions inside it."""
    inner = {one.name for one in own(function) if isinstance(one, ast.FunctionDef)}
    for call in (one for one in own(node) if isinstance(one, ast.Call)):
        if any(looks_like_a_model(path(one)) for one in (call.func, *handed_in(call))) or path(call.func) in inner:
            yield call


def _is_left_out(node: ast.AST, function: ast.AST, off: Set[str]) -> bool:
    """Whether a test keeps a node of a function from running where some variables are None or False."""
    tests = (one for one in own(function) if isinstance(one, ast.If) and any(node in walk(part) for part in one.body))
    return any(name in off for one in tests for name in presences(one.test))


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
    return next((name for name in called if looks_like_a_model(name) or name == SELF), "")


def _is_training(test: ast.expr) -> bool:
    """`training`, `model.training`, `phase == "train"`."""
    if isinstance(test, ast.Compare) and isinstance(test.ops[0], ast.Eq):
        right = test.comparators[0]
        return isinstance(right, ast.Constant) and right.value in _TRAINS
    return _PHASE.search(path(test)) is not None


def _calls_of(function: ast.AST, source: Source) -> list[ast.Call]:
    name = getattr(function, "name", "")
    return [call for call in source.calls_to(name) if path(call.func)]
