"""Loss scaling by hand: what multiplies a loss and divides gradients."""

from __future__ import annotations

import ast

from ampfix.program import Source
from ampfix.program.tree import walk
from ampfix.rules import _places as places

_EDITS = ("div_", "mul_")


def scales_by_hand(source: Source) -> bool:
    """Whether a file divides gradients by something that it multiplies by elsewhere: a loss scaler of its own."""
    divisors = {
        name.rpartition(".")[2]
        for node in source.nodes((ast.AugAssign, ast.Call, ast.Assign))
        if (operand := edit_of_gradient(node)) is not None
        for name in places.names_in(operand)
    }
    if not divisors:
        return False
    products = (node for node in source.nodes((ast.BinOp,)) if isinstance(node, ast.BinOp))
    factors = (side for node in products if isinstance(node.op, ast.Mult) for side in (node.left, node.right))
    return any(
        places.spelled(factor).rpartition(".")[2] in divisors
        for factor in factors
        if isinstance(factor, (ast.Name, ast.Attribute))
    )


def edit_of_gradient(node: ast.AST) -> ast.expr | None:
    """What a gradient is divided or multiplied by."""
    if isinstance(node, ast.AugAssign) and isinstance(node.op, (ast.Div, ast.Mult)) and _is_gradient(node.target):
        return node.value
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _EDITS and node.args:
        return node.args[0] if _is_gradient(node.func.value) else None
    if isinstance(node, ast.Assign) and _is_gradient(node.targets[0]) and isinstance(node.value, ast.BinOp):
        return node.value.right
    return None


def _is_gradient(node: ast.expr) -> bool:
    return any(isinstance(child, ast.Attribute) and child.attr == "grad" for child in walk(node))
