"""Functions that train and evaluate, whose region is off when they evaluate: `run_epoch(..., scaler=None)`."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator, Sequence

from ampfix.program import CoveredRegion, Source
from ampfix.program.tree import unparsed, walk
from ampfix.records import dataclass
from ampfix.rules._evaluated_elsewhere import HandedModel
from ampfix.rules._places import given_for
from ampfix.rules._shapes import FUNCTIONS, backwards, calls, function_of, is_without_grad, looks_like_a_model, path

_PHASE = re.compile(r"(^|[._])(is_)?train(ing)?$")
_TRAINS = ("train", "training")


@dataclass(frozen=True)
class SwitchedOff:
    """A call that evaluates with the region off that training uses. argument: what switches it off."""

    call: ast.Call
    model: str
    region: CoveredRegion
    argument: str


def evaluated_with_region_off(source: Source, handed: Sequence[HandedModel]) -> Iterator[SwitchedOff]:
    """Calls of this file that hand None or False for what switches a region on, where another call does not, and
    forwards whose region the phase of the loop switches."""
    for region in source.regions:
        function = function_of(region.node, source)
        if any(True for _ in backwards(function)):
            made = _calls_of(function, source) if isinstance(function, FUNCTIONS) else []
            yield from list(_by_argument(region, function, made)) or _by_phase(region, function, source)
    called: dict[ast.AST, list[ast.Call]] = {}
    for one in handed:
        called.setdefault(one.to.definition, []).append(one.call)
    for function, made in called.items():
        for region in source.regions_in(function) if any(True for _ in backwards(function)) else ():
            yield from _by_argument(region, function, dict.fromkeys(made))


def _by_argument(region: CoveredRegion, function: ast.AST, made: Iterable[ast.Call]) -> Iterator[SwitchedOff]:
    model = _model(region.node)
    parameters = {argument.arg for argument in _parameters(function)} if model else set()
    names = [name for switch in _switches(region, function) for name in _presences(switch)]
    for name in (name for name in names if name in parameters):
        given = [(call, _given(call, name, function)) for call in made if _is_plain(call)]
        off = [call for call, value in given if _is_off(value)]
        if off and any(value is not None and not _is_off(value) for _, value in given):
            yield from (SwitchedOff(call, model, region, name) for call in off)
            return


def _by_phase(region: CoveredRegion, function: ast.AST, source: Source) -> Iterator[SwitchedOff]:
    """`autocast(enabled=phase == "train")` in a function that evaluates too."""
    phases = [one for switch in _switches(region, function) for one in _operands(switch) if _is_training(one)]
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


def _switches(region: CoveredRegion, function: ast.AST) -> Iterator[ast.expr]:
    """The tests that turn a region on: what it is handed as enabled, and what chooses between it and no region."""
    for opening in _set_to(region.opening, function):
        if isinstance(opening, ast.IfExp) and path(getattr(opening.orelse, "func", None)).endswith("nullcontext"):
            yield from _set_to(opening.test, function)
            opening = opening.body
        words = opening.keywords if isinstance(opening, ast.Call) else []
        for enabled in (word.value for word in words if word.arg == "enabled"):
            yield from _set_to(enabled, function)


def _set_to(value: ast.expr, function: ast.AST) -> list[ast.expr]:
    """What a variable of a function is set to, the variable itself where that is nothing; none of several."""
    if not isinstance(value, ast.Name):
        return [value]
    sets = [
        one.value
        for one in walk(function)
        if isinstance(one, ast.Assign) and any(path(target) == value.id for target in one.targets)
    ]
    return sets[:1] if len(sets) == 1 else [] if sets else [value]


def _operands(switch: ast.expr) -> list[ast.expr]:
    """What must all hold for a test to."""
    return switch.values if isinstance(switch, ast.BoolOp) and isinstance(switch.op, ast.And) else [switch]


def _presences(switch: ast.expr) -> Iterator[str]:
    """The variables that must be true, or not None, for a test to hold."""
    for one in _operands(switch):
        if isinstance(one, ast.Compare) and isinstance(one.ops[0], ast.IsNot):
            is_none = isinstance(one.comparators[0], ast.Constant) and one.comparators[0].value is None
            one = one.left if is_none else one
        if isinstance(one, ast.Name):
            yield one.id


def _is_training(test: ast.expr) -> bool:
    """`training`, `model.training`, `phase == "train"`."""
    if isinstance(test, ast.Compare) and isinstance(test.ops[0], ast.Eq):
        right = test.comparators[0]
        return isinstance(right, ast.Constant) and right.value in _TRAINS
    return _PHASE.search(path(test)) is not None


def _parameters(function: ast.AST) -> list[ast.arg]:
    arguments = getattr(function, "args", None)
    return [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs] if arguments is not None else []


def _calls_of(function: ast.AST, source: Source) -> list[ast.Call]:
    name = getattr(function, "name", "")
    return [call for call in source.calls_to(name) if path(call.func)]


def _is_plain(call: ast.Call) -> bool:
    """Whether a call shows all that it hands in."""
    return not any(isinstance(one, ast.Starred) for one in call.args) and all(word.arg for word in call.keywords)


def _given(call: ast.Call, name: str, function: ast.AST) -> ast.expr | None:
    """What a call hands in for a parameter, its default included."""
    handed = given_for(name, function, call)
    if handed is not None:
        return handed
    arguments = getattr(function, "args", None)
    positions = [argument.arg for argument in (*arguments.posonlyargs, *arguments.args)] if arguments else []
    defaults = dict(zip(positions[::-1], arguments.defaults[::-1], strict=False)) if arguments else {}
    for argument, value in zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True) if arguments else ():
        defaults[argument.arg] = value
    given: ast.expr | None = defaults.get(name)
    return given


def _is_off(value: ast.expr | None) -> bool:
    return isinstance(value, ast.Constant) and value.value in (None, False)
