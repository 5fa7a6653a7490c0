"""Tests that ask whether a loss is finite, by themselves or by a helper that is handed it."""

from __future__ import annotations

import ast

from ampfix.program import Form, Source
from ampfix.program.tree import walk
from ampfix.rules import _places as places
from ampfix.rules._shapes import handed_in, method, own, path

_CHECKS = frozenset({"isfinite", "isnan", "isinf"})
_READS = frozenset({"item", "detach", "cpu", "float", "clone"})


def lost_in(call: ast.Call, source: Source) -> set[str]:
    """The names of what a backward starts from, as it is or before it was divided: `loss` of
    `scaler.scale(loss / steps).backward()`."""
    receiver = call.func.value if isinstance(call.func, ast.Attribute) else call
    roots = receiver.args if isinstance(receiver, ast.Call) and receiver.args else [receiver]
    names = {name for root in roots for name in places.names_in(root)}
    lost = {name for name in names if "." not in name or "loss" in name} - {"self"}
    lost |= _divided(lost, call, source)
    return lost | _read_of(lost, call, source)


def _divided(names: set[str], call: ast.Call, source: Source) -> set[str]:
    """What the loss was before it was scaled: `loss` of `scaled = loss / steps`."""
    function = places.function_of(call, source) or source.tree
    found = set[str]()
    for node in own(function):
        if isinstance(node, ast.Assign) and any(places.spelled(target) in names for target in node.targets):
            value = node.value
            value = value.left if isinstance(value, ast.BinOp) and isinstance(value.op, (ast.Div, ast.Mult)) else value
            found |= {value.id} if isinstance(value, ast.Name) else set()
    return found


def _read_of(names: set[str], call: ast.Call, source: Source) -> set[str]:
    """What holds the value of the loss: `value` of `value = loss.detach().item()`."""
    function = places.function_of(call, source) or source.tree
    found = set[str]()
    for node in own(function):
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call) and _value_of(node.value) in names:
            found |= {target.id for target in node.targets if isinstance(target, ast.Name)}
    return found


def _value_of(node: ast.expr) -> str:
    """The name of which `float(loss)` or `loss.detach().item()` is the value; empty for anything else."""
    while isinstance(node, ast.Call):
        receiver, called = method(node)
        if called in _READS:
            node = receiver
        elif path(node.func) == "float" and node.args:
            node = node.args[0]
        else:
            return ""
    return path(node)


def judges(test: ast.expr, loss: set[str], source: Source) -> bool:
    """Whether a test asks if the loss is finite, by itself or by a helper that is handed the loss."""
    calls = [node for node in walk(test) if isinstance(node, ast.Call)]
    by_itself = any(places.names_in(call) & loss for call in calls if _is_check(call))
    return by_itself or any(_hands_to_check(call, loss, source) for call in calls)


def _is_check(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and getattr(node.func, "attr", getattr(node.func, "id", "")) in _CHECKS


def _hands_to_check(call: ast.Call, loss: set[str], source: Source) -> bool:
    """Whether a function or method is handed the loss itself and checks it."""
    if not any(places.spelled(one) in loss for one in handed_in(call)):
        return False
    functions = [b.node for b in source.resolve(call.func) if b.form is Form.FUNCTION]
    functions += [one.definition for one in source.called_elsewhere(call)]
    return any(_checks(function, call, loss) for function in functions)


def _checks(function: ast.AST, call: ast.Call, loss: set[str]) -> bool:
    """Whether a function checks what a call hands it of the loss."""
    handed = {name: places.given_for(name, function, call) for name in places.parameters(function)}
    judged = {name for name, value in handed.items() if value is not None and places.spelled(value) in loss}
    return any(_is_check(node) and places.names_in(node) & judged for node in walk(function))
