"""Numbers that source text fixes: literals, arithmetic on them, and names that are set once to one."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable

from ampfix.lint.scopes import Scope

_OPERATORS: dict[type[ast.operator], Callable[[float, float], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
}
_MAX_DEPTH = 8
_MAX_EXPONENT = 400.0  # 10.0 ** 400 is beyond a float already


def number(node: ast.expr, scope: Scope, depth: int = 0) -> float | None:
    """The value of a numeric expression, or None where the text does not fix it."""
    if depth > _MAX_DEPTH:
        return None
    if isinstance(node, ast.Constant):
        is_number = isinstance(node.value, (int, float)) and not isinstance(node.value, bool)
        return _float(node.value) if is_number else None
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, (ast.USub, ast.UAdd)):
        value = number(node.operand, scope, depth + 1)
        return None if value is None else -value if isinstance(node.op, ast.USub) else value
    if isinstance(node, ast.BinOp) and type(node.op) in _OPERATORS:
        return _binary(node, scope, depth)
    if isinstance(node, ast.Name):
        definitions = scope.lookup(node.id)
        if len(definitions) == 1 and definitions[0].value is not None and definitions[0].item is None:
            return number(definitions[0].value, definitions[0].scope or scope, depth + 1)
    return None


def _binary(node: ast.BinOp, scope: Scope, depth: int) -> float | None:
    left, right = number(node.left, scope, depth + 1), number(node.right, scope, depth + 1)
    if left is None or right is None or (isinstance(node.op, ast.Pow) and abs(right) > _MAX_EXPONENT):
        return None
    try:
        return _float(_OPERATORS[type(node.op)](left, right))
    except (ArithmeticError, ValueError):
        return None


def _float(value: object) -> float | None:
    try:
        return float(value)  # type: ignore[arg-type]
    except (OverflowError, TypeError, ValueError):
        return None
