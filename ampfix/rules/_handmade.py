"""Loss scaling by hand: what multiplies a loss and divides gradients."""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Iterator

from ampfix.patterns import pattern
from ampfix.program import Role, Source
from ampfix.program.tree import walk
from ampfix.records import dataclass
from ampfix.rules import _places as places

_EDITS = ("div_", "mul_")
_SCALE_NAME = pattern(r"(^|[._])(loss_?scal(e|er|ing)|scal(e|er|ing)(_?factor)?|static_scale)$", re.IGNORECASE)
_SMALLEST = 128.0  # loss scales are powers of two from here on; weights of losses seldom are


@dataclass(frozen=True)
class Product:
    """`loss * scale` that runs backward. divided: the statement that takes the scale out of the gradients."""

    backward: ast.Call
    loss: ast.expr
    scale: ast.expr
    function: ast.AST
    divided: ast.AST | None


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


def is_scaled(backward: ast.Call, source: Source) -> bool:
    """Whether the loss that runs backward here carries a loss scale put on by hand."""
    product = product_of(backward, source)
    if product is None:
        return False
    value = source.number(product.scale)
    return product.divided is not None or (value is not None and is_loss_scale(value))


def is_loss_scale(value: float) -> bool:
    """Whether a number looks like a loss scale and not like a weight."""
    return value >= _SMALLEST and math.log2(value).is_integer()


def product_of(backward: ast.Call, source: Source) -> Product | None:
    """The product that runs backward, where one of its factors may be a loss scale and no scaler is about."""
    if not isinstance(backward.func, ast.Attribute):
        return None  # a call of what runs backward in another file
    function = places.function_of(backward, source) or source.tree
    if any(_scales(call, source) for call in places.methods_called(function, "scale", "scale_loss")):
        return None
    for value in _values(backward.func.value, function):
        if not isinstance(value, ast.BinOp) or not isinstance(value.op, ast.Mult):
            continue
        for scale, loss in ((value.right, value.left), (value.left, value.right)):
            named = isinstance(scale, (ast.Name, ast.Attribute)) and bool(_SCALE_NAME.search(places.spelled(scale)))
            number = source.number(scale)
            if named or (number is not None and is_loss_scale(number)):
                return Product(backward, loss, scale, function, _division(places.spelled(scale), function, source))
    return None


def _scales(call: ast.Call, source: Source) -> bool:
    assert isinstance(call.func, ast.Attribute)
    return call.func.attr == "scale_loss" or source.held(call.func.value).role is Role.SCALER


def _values(loss: ast.expr, function: ast.AST) -> Iterator[ast.expr]:
    """What runs backward: in place, or what its name is set to; `loss *= s` sets it to `loss * s`."""
    yield loss
    name = places.spelled(loss)
    for node in walk(function):
        if isinstance(node, ast.Assign) and name in map(places.spelled, node.targets):
            yield node.value
        elif isinstance(node, ast.AugAssign) and places.spelled(node.target) == name:
            yield ast.BinOp(loss, node.op, node.value)


def _division(scale: str, function: ast.AST, source: Source) -> ast.AST | None:
    """The edit of `.grad` that takes the scale out, in the function or anywhere in the file."""
    last = scale.rpartition(".")[2]
    for root in (function, source.tree):
        for node in walk(root):
            operand = edit_of_gradient(node)
            if operand is not None and any(name.rpartition(".")[2] == last for name in _spellings(operand)):
                return node
    return None


def _spellings(operand: ast.expr) -> set[str]:
    numbers = (child for child in walk(operand) if isinstance(child, (ast.Constant, ast.BinOp)))
    return places.names_in(operand) | {places.spelled(number) for number in numbers}
