"""Models that this file hands to functions of other files, which evaluate them or train them there."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from ampfix.program import CalledElsewhere, Source
from ampfix.program.tree import unparsed, walk
from ampfix.records import dataclass
from ampfix.rules._evaluations import LIKE_A_REGION, regions_around
from ampfix.rules._models import alternatives, bare_name, is_model, model_of, named
from ampfix.rules._places import COMPREHENSIONS
from ampfix.rules._shapes import LOOPS, calls, is_without_grad, method, own

_CALIBRATES = re.compile(r"calib|quant", re.IGNORECASE)  # the ranges of activations are collected in float32
_NO_GRAD = re.compile(r"no_grad|inference_mode")
_MANY = re.compile(r"(^|[._])models$")
_HOPS = 2  # functions of that file that only pass the model on


@dataclass(frozen=True)
class HandedModel:
    """A call that hands a model to a function of another file. name: of the model, as written here."""

    call: ast.Call
    name: str
    to: CalledElsewhere


def handed_models(source: Source, switched: set[str]) -> Iterator[HandedModel]:
    """The calls of this file that hand a model over."""
    for call in source.nodes((ast.Call,)):
        assert isinstance(call, ast.Call)
        given = {bare_name(named(one)) for one in (*call.args, *(word.value for word in call.keywords))}
        names = {name for name in given if name and (is_model(name, switched) or _is_many(name))}
        for to in source.called_elsewhere(call) if names else ():
            for value in to.arguments.values():
                if bare_name(named(value)) in names:
                    yield HandedModel(call, bare_name(named(value)), to)


def is_evaluated(handed: HandedModel, source: Source) -> bool:
    """Whether the function runs the model in a loop, without gradients and without a region, and the call has none."""
    if regions_around(handed.call, source) or _CALIBRATES.search(getattr(handed.to.definition, "name", "")):
        return False
    plain = is_without_grad(handed.call, source)
    return any(_evaluates(handed.to.definition, name, source, plain) for name in _parameters(handed))


def trains_in_region(handed: HandedModel, source: Source) -> ast.expr | None:
    """The expression that opens the region in which the function runs the model that it trains."""
    function = handed.to.definition
    if not any(True for _ in calls(function, "backward")):
        return None
    names = {alias for name in _parameters(handed) for alias in _aliases(function, name)}
    for region in source.regions_in(function):
        items = [unparsed(item.context_expr) for item in region.node.items]
        if region.enabled is False or any(_NO_GRAD.search(item) for item in items):
            continue
        if any(_runs(inner, names) for inner in walk(region.node)):
            return region.opening
    return None


def _is_many(name: str) -> bool:
    """Whether a name holds models in a list or by name."""
    return _MANY.search(name) is not None


def _parameters(handed: HandedModel) -> list[str]:
    return [name for name, value in handed.to.arguments.items() if bare_name(named(value)) == handed.name]


def _runs(node: ast.AST, names: set[str]) -> bool:
    ran = model_of(node, names) if isinstance(node, ast.Call) else ""
    return ran in names or (bool(ran) and ran.partition("[")[0] in names)


def _evaluates(function: ast.AST, name: str, source: Source, plain: bool, hops: int = 0) -> bool:
    """plain: no gradients are recorded where it is called."""
    text = unparsed(function)
    if _may_open(function, source) or any(True for _ in calls(function, "backward")):
        return False
    names = _aliases(function, name)
    switched = {named(method(call)[0]) for call in calls(function, "eval")}
    quiet = plain or _NO_GRAD.search(text) is not None or bool(switched & names) or (_is_many(name) and bool(switched))
    loops = (node for node in own(function) if isinstance(node, (*LOOPS, *COMPREHENSIONS)))
    if quiet and any(_runs(inner, names) for loop in loops for inner in walk(loop)):
        return True
    return hops < _HOPS and any(_evaluates(*passed, source, quiet, hops + 1) for passed in _passed_on(function, names))


def _may_open(function: ast.AST, source: Source) -> bool:
    """Whether a region of the function may be on: one that is seen, or something that is named like one."""
    off = {region.opening for region in source.regions_in(function) if region.enabled is False}
    statements = [node for node in own(function) if isinstance(node, (ast.With, ast.AsyncWith))]
    openings = [item.context_expr for node in statements for item in node.items]
    entered = [*openings, *getattr(function, "decorator_list", ()), *calls(function, "enter_context")]
    return any(one not in off and LIKE_A_REGION.search(unparsed(one)) for one in entered)


def _aliases(function: ast.AST, name: str) -> set[str]:
    """The names that a model has in a function besides the one it is handed under."""
    found = {name}
    for node in own(function):
        if isinstance(node, ast.Assign) and found & set(alternatives(node.value)):
            found.update(filter(None, map(named, node.targets)))
    return found


def _passed_on(function: ast.AST, names: set[str]) -> Iterator[tuple[ast.AST, str]]:
    """The functions of the same module that get the model, each with its name there."""
    module = function.ampfix_tree.order[0]  # type: ignore[attr-defined]
    found = {node.name: node for node in module.body if isinstance(node, ast.FunctionDef)}
    for call in own(function):
        target = found.get(call.func.id) if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) else None
        if target is None or target is function:
            continue
        assert isinstance(call, ast.Call)
        order = [argument.arg for argument in target.args.args]
        given = [*zip(order, call.args, strict=False), *((word.arg, word.value) for word in call.keywords)]
        yield from ((target, inner) for inner, value in given if inner is not None and named(value) in names)
