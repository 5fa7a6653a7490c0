"""Models that a file freezes: they are run in training and not trained."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ampfix.patterns import pattern
from ampfix.program import Source
from ampfix.rules._models import bare_name, holder_of, named
from ampfix.rules._shapes import handed_in, method, path

_FREEZES = pattern(r"_?freeze(_\w+)?")
_PARAMETERS = ("parameters", "named_parameters")


def frozen_models(source: Source) -> set[tuple[str, ast.AST]]:
    """The models of which no parameter moves, each with the function or class its name belongs to: all parameters are
    frozen, and none is asked for again under that name."""
    if "requires_grad" not in source.text and "freeze" not in source.text:
        return set()
    frozen, freezing = set[tuple[str, ast.AST]](), set[ast.AST]()
    for name, node in _freezes(source):
        frozen.add((name, holder_of(node, name, source)))
        freezing.add(node)
    for other in source.nodes((ast.Call,)) if frozen else ():
        receiver, called = method(other)
        if other not in freezing and (called in _PARAMETERS or called == "requires_grad_"):
            moved = bare_name(named(receiver))
            frozen = {(one, at) for one, at in frozen if one != moved and not moved.startswith(f"{one}.")}
    return frozen


def _freezes(source: Source) -> Iterator[tuple[str, ast.AST]]:
    """The models that are frozen, each with the call that does it or that goes over the parameters for it."""
    for call in source.calls_to("requires_grad_"):
        if call.args and _is_false(call.args[0]) and named(method(call)[0]):
            yield bare_name(named(method(call)[0])), call
    for loop in source.nodes((ast.For,)):
        assert isinstance(loop, ast.For)
        receiver, called = method(loop.iter)
        if called in _PARAMETERS and named(receiver) and any(map(_stops, loop.body)):
            yield bare_name(named(receiver)), loop.iter
    for node in source.nodes((ast.Call,)):
        assert isinstance(node, ast.Call)
        if _FREEZES.fullmatch(path(node.func).rpartition(".")[2]) and len(handed_in(node)) == 1:
            yield bare_name(named(handed_in(node)[0])), node


def _stops(statement: ast.stmt) -> bool:
    """`parameter.requires_grad = False`, `parameter.requires_grad_(False)`."""
    if isinstance(statement, ast.Assign):
        target = statement.targets[0]
        return isinstance(target, ast.Attribute) and target.attr == "requires_grad" and _is_false(statement.value)
    value = getattr(statement, "value", None)
    if not isinstance(value, ast.Call) or method(value)[1] != "requires_grad_":
        return False
    return bool(value.args) and _is_false(value.args[0])


def _is_false(value: ast.expr) -> bool:
    return isinstance(value, ast.Constant) and value.value is False
