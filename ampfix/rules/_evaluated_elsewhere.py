"""Models that this file hands to functions of other files, which evaluate them or train them there."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from ampfix.program import CalledElsewhere, Source
from ampfix.program.tree import unparsed, walk
from ampfix.records import dataclass
from ampfix.rules._shapes import LOOPS, calls, is_without_grad, looks_like_a_model, method, own, path, regions_around
from ampfix.rules._trained_models import model_of

_CALIBRATES = re.compile(r"calib|quant", re.IGNORECASE)  # the ranges of activations are collected in float32
_NO_GRAD = re.compile(r"no_grad|inference_mode")
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
        given = [path(one) for one in (*call.args, *(word.value for word in call.keywords))]
        names = {name for name in given if name and (name in switched or looks_like_a_model(name))}
        for to in source.called_elsewhere(call) if names else ():
            for value in to.arguments.values():
                if path(value) in names:
                    yield HandedModel(call, path(value), to)


def is_evaluated(handed: HandedModel, source: Source) -> bool:
    """Whether the function runs the model in a loop, without gradients and without a region, and the call has none."""
    if regions_around(handed.call, source) or _CALIBRATES.search(getattr(handed.to.definition, "name", "")):
        return False
    plain = is_without_grad(handed.call, source)
    return any(_evaluates(handed.to.definition, name, plain) for name in _parameters(handed))


def trains_in_region(handed: HandedModel) -> ast.expr | None:
    """The expression that opens the region in which the function runs the model that it trains."""
    function = handed.to.definition
    if not any(True for _ in calls(function, "backward")):
        return None
    for node in own(function):
        items = [item.context_expr for item in node.items] if isinstance(node, (ast.With, ast.AsyncWith)) else []
        opened = next((item for item in items if "autocast" in unparsed(item)), None)
        if opened is None or "enabled=False" in unparsed(opened) or any(_NO_GRAD.search(unparsed(i)) for i in items):
            continue
        if any(_runs(inner, name) for inner in walk(node) for name in _parameters(handed)):
            return opened
    return None


def _parameters(handed: HandedModel) -> list[str]:
    return [name for name, value in handed.to.arguments.items() if path(value) == handed.name]


def _runs(node: ast.AST, name: str) -> bool:
    return isinstance(node, ast.Call) and model_of(node, {name}) == name


def _evaluates(function: ast.AST, name: str, plain: bool, hops: int = 0) -> bool:
    """plain: no gradients are recorded where it is called."""
    text = unparsed(function)
    if "autocast" in text or any(True for _ in calls(function, "backward")):
        return False
    switches = (call for call in calls(function, "eval") if path(method(call)[0]) == name)
    quiet = plain or _NO_GRAD.search(text) is not None or any(True for _ in switches)
    loops = (node for node in own(function) if isinstance(node, LOOPS))
    if quiet and any(_runs(inner, name) for loop in loops for inner in walk(loop)):
        return True
    return hops < _HOPS and any(_evaluates(*passed, quiet, hops + 1) for passed in _passed_on(function, name))


def _passed_on(function: ast.AST, name: str) -> Iterator[tuple[ast.AST, str]]:
    """The functions of the same module that get the model, each with its name there."""
    module = function.ampfix_tree.order[0]  # type: ignore[attr-defined]
    found = {node.name: node for node in module.body if isinstance(node, ast.FunctionDef)}
    for call in own(function):
        target = found.get(call.func.id) if isinstance(call, ast.Call) and isinstance(call.func, ast.Name) else None
        if target is None or target is function:
            continue
        assert isinstance(call, ast.Call)
        names = [argument.arg for argument in target.args.args]
        given = [*zip(names, call.args, strict=False), *((word.arg, word.value) for word in call.keywords)]
        yield from ((target, inner) for inner, value in given if inner is not None and path(value) == name)
