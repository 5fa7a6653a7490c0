"""Functions that train and evaluate, whose region is off in the calls that evaluate: `run_epoch(..., scaler=None)`."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ampfix.program import CoveredRegion, Source
from ampfix.program.tree import walk
from ampfix.records import dataclass
from ampfix.rules._places import given_for
from ampfix.rules._shapes import FUNCTIONS, calls, function_of, looks_like_a_model, path


@dataclass(frozen=True)
class SwitchedOff:
    """A call whose argument switches the region off that other calls of the function train under."""

    call: ast.Call
    model: str
    region: CoveredRegion
    argument: str


def evaluated_with_region_off(source: Source) -> Iterator[SwitchedOff]:
    """Calls of this file that hand None or False for what switches a region on, where another call does not."""
    for region in source.regions:
        function = function_of(region.node, source)
        if not isinstance(function, FUNCTIONS) or not any(True for _ in calls(function, "backward")):
            continue
        model = _model(region.node)
        for switch in _switches(region, function) if model else ():
            made = [(call, _given(call, switch, function)) for call in _calls_of(function, source)]
            off = [call for call, value in made if _is_off(value)]
            if off and any(value is not None and not _is_off(value) for _, value in made):
                yield from (SwitchedOff(call, model, region, switch) for call in off[:1])


def _model(node: ast.AST) -> str:
    called = (path(one.func) for one in walk(node) if isinstance(one, ast.Call))
    return next((name for name in called if looks_like_a_model(name)), "")


def _switches(region: CoveredRegion, function: ast.AST) -> Iterator[str]:
    """The parameters that being None or False turns the region off."""
    opening = region.opening
    words = opening.keywords if isinstance(opening, ast.Call) else []
    enabled = next((word.value for word in words if word.arg == "enabled"), None)
    if isinstance(enabled, ast.Name):
        sets = [
            one.value
            for one in walk(function)
            if isinstance(one, ast.Assign) and any(path(target) == enabled.id for target in one.targets)
        ]
        enabled = sets[0] if len(sets) == 1 else enabled if not sets else None
    names = {argument.arg for argument in _parameters(function)}
    if isinstance(enabled, ast.Compare) and isinstance(enabled.ops[0], ast.IsNot):
        is_none = isinstance(enabled.comparators[0], ast.Constant) and enabled.comparators[0].value is None
        enabled = enabled.left if is_none else None
    if isinstance(enabled, ast.Name) and enabled.id in names:
        yield enabled.id


def _parameters(function: ast.AST) -> list[ast.arg]:
    arguments = getattr(function, "args", None)
    return [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs] if arguments is not None else []


def _calls_of(function: ast.AST, source: Source) -> Iterator[ast.Call]:
    name = getattr(function, "name", "")
    for call in source.nodes((ast.Call,)):
        assert isinstance(call, ast.Call)
        is_plain = not any(isinstance(one, ast.Starred) for one in call.args) and all(
            word.arg for word in call.keywords
        )
        if is_plain and path(call.func).rpartition(".")[2] == name:
            yield call


def _given(call: ast.Call, name: str, function: ast.AST) -> ast.expr | None:
    """What a call hands in for a parameter, its default included."""
    handed = given_for(name, function, call)
    if handed is not None:
        return handed
    arguments = getattr(function, "args", None)
    positions = [argument.arg for argument in (*arguments.posonlyargs, *arguments.args)] if arguments else []
    defaults = dict(zip(positions[::-1], arguments.defaults[::-1], strict=False)) if arguments else {}
    given: ast.expr | None = defaults.get(name)
    return given


def _is_off(value: ast.expr | None) -> bool:
    return isinstance(value, ast.Constant) and value.value in (None, False)
