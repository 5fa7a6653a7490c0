"""Numbers beyond plain constants: attributes of self set once, limits of dtypes, infinities."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ampfix.lint.constants import number
from ampfix.lint.scopes import FUNCTIONS, Scope
from ampfix.lint.usage import dotted

_LIMITS = {"float32": 3.4028234663852886e38, "float16": 65504.0, "bfloat16": 3.3895313892515355e38, "float64": 1.8e308}
_LIMITS |= {"float": _LIMITS["float32"], "half": 65504.0, "double": _LIMITS["float64"]}


def known_number(node: ast.expr, scope: Scope) -> float | None:
    """A number that the text fixes: arithmetic on literals, attributes set once, limits of dtypes, infinities."""
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        inner = known_number(node.operand, scope)
        return None if inner is None else -inner
    if isinstance(node, ast.Attribute):
        return _attribute_number(node, scope)
    if isinstance(node, ast.Call):
        name = dotted(node.func)
        if name == "float" and len(node.args) == 1 and isinstance(node.args[0], ast.Constant):
            return {"inf": float("inf"), "-inf": float("-inf")}.get(str(node.args[0].value))
        return None
    return number(node, scope)


def _attribute_number(node: ast.Attribute, scope: Scope) -> float | None:
    if node.attr == "inf" and isinstance(node.value, ast.Name):
        return float("inf")
    limits = node.value
    if node.attr in ("min", "max") and isinstance(limits, ast.Call) and (dotted(limits.func) or "").endswith("finfo"):
        name = (dotted(limits.args[0]) or "").rpartition(".")[2] if limits.args else ""
        limit = _LIMITS.get(name)
        return limit if limit is None or node.attr == "max" else -limit
    owner = scope.owner_class()
    if owner is None or not isinstance(node.value, ast.Name) or node.value.id != scope.self_name():
        return None
    definitions = [*owner.attributes.get(node.attr, ()), *owner.names.get(node.attr, ())]
    if len(definitions) != 1 or definitions[0].value is None or definitions[0].item is not None:
        return None
    value, inside = definitions[0].value, definitions[0].scope or scope
    if isinstance(value, ast.Name) and isinstance(inside.node, FUNCTIONS):
        value = dict(defaults(inside.node)).get(value.id, value)
    return number(value, inside)


def defaults(function: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    assert isinstance(function, FUNCTIONS)
    arguments = function.args
    positional = [*arguments.posonlyargs, *arguments.args]
    pairs = [
        *zip(reversed(positional), reversed(arguments.defaults), strict=False),
        *zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True),
    ]
    for parameter, default in pairs:
        if default is not None:
            yield parameter.arg, default
