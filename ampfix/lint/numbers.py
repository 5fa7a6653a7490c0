"""Numbers beyond plain constants: attributes of self set once, limits of dtypes, infinities, and some number."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ampfix.lint.constants import number
from ampfix.lint.scopes import FUNCTIONS, Definition, Scope
from ampfix.lint.usage import dotted
from ampfix.program.tree import walk

_LIMITS = {"float32": 3.4028234663852886e38, "float16": 65504.0, "bfloat16": 3.3895313892515355e38, "float64": 1.8e308}
_OF_NUMBERS = frozenset({"int", "float", "len", "round", "np.sqrt", "numpy.sqrt", "np.log", "numpy.log"})
_MAX_DEPTH = 4
_LIMITS |= {"float": _LIMITS["float32"], "half": 65504.0, "double": _LIMITS["float64"]}


def known_number(node: ast.expr, scope: Scope) -> float | None:
    """A number that the text fixes: arithmetic on literals, attributes set once, limits of dtypes, infinities."""
    if isinstance(node, ast.Attribute):
        return _attribute_number(node, scope)
    if isinstance(node, ast.Call):
        is_float = isinstance(node.func, ast.Name) and node.func.id == "float"
        if is_float and len(node.args) == 1 and isinstance(node.args[0], ast.Constant):
            return {"inf": float("inf"), "-inf": float("-inf")}.get(str(node.args[0].value))
        return None
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        inner = known_number(node.operand, scope)
        return None if inner is None else -inner
    return number(node, scope)


def _attribute_number(node: ast.Attribute, scope: Scope) -> float | None:
    if node.attr == "inf" and isinstance(node.value, ast.Name):
        return float("inf")
    limits = node.value
    if node.attr in ("min", "max") and isinstance(limits, ast.Call) and (dotted(limits.func) or "").endswith("finfo"):
        name = (dotted(limits.args[0]) or "").rpartition(".")[2] if limits.args else ""
        limit = _LIMITS.get(name)
        return limit if limit is None or node.attr == "max" else -limit
    definitions = _attribute_definitions(node, scope)
    if len(definitions) != 1 or definitions[0].value is None or definitions[0].item is not None:
        return None
    value, inside = definitions[0].value, definitions[0].scope or scope
    if isinstance(value, ast.Name) and isinstance(inside.node, FUNCTIONS):
        value = dict(defaults(inside.node)).get(value.id, value)
    return number(value, inside)


def is_some_number(node: ast.expr, scope: Scope, depth: int = 0) -> bool:
    """Whether an expression is a number rather than a tensor, whatever its value: a root or a whole part of sizes,
    arithmetic on such, an attribute of self that is only ever set to one."""
    if depth > _MAX_DEPTH:
        return False
    if isinstance(node, ast.BinOp):
        if isinstance(node.op, ast.FloorDiv) or (isinstance(node.op, ast.Pow) and _is_fraction(node.right)):
            return not any(isinstance(part, ast.Call) for part in walk(node))
        return all(is_some_number(side, scope, depth + 1) for side in (node.left, node.right))
    if isinstance(node, ast.BoolOp):
        return is_some_number(node.values[-1], scope, depth + 1)
    if isinstance(node, ast.Call):
        name = dotted(node.func) or ""
        return name in _OF_NUMBERS or name.startswith("math.")
    if isinstance(node, ast.Attribute):
        held = _attribute_definitions(node, scope)
        return bool(held) and all(
            one.value is not None and one.item is None and is_some_number(one.value, one.scope or scope, depth + 1)
            for one in held
        )
    return number(node, scope) is not None


def _is_fraction(exponent: ast.expr) -> bool:
    """-0.5 or 0.5, which nobody raises a weight to where a module is built."""
    found = ast.unparse(exponent)
    return found in ("-0.5", "0.5", "1 / 2", "-1 / 2")


def _attribute_definitions(node: ast.Attribute, scope: Scope) -> list[Definition]:
    """How an attribute of self gets its value."""
    owner = scope.owner_class()
    if owner is None or not isinstance(node.value, ast.Name) or node.value.id != scope.self_name():
        return []
    return [*owner.attributes.get(node.attr, ()), *owner.names.get(node.attr, ())]


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
