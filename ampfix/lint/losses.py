"""What runs backward, as far as its expression tells."""

from __future__ import annotations

import ast

from ampfix.lint.frames import Frame
from ampfix.lint.roles import argument
from ampfix.lint.usage import dotted
from ampfix.program.tree import walk

_LINEAR = ("mean", "sum", "div", "mul")


def loss_name(node: ast.expr) -> ast.expr:
    """The name that a multiple or a mean of a loss is computed from: `(loss / 2).mean()` is `loss`."""
    while True:
        if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Mult, ast.Div)):
            node = node.right if isinstance(node.left, ast.Constant) else node.left
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _LINEAR:
            node = node.func.value
        else:
            return node


def takes_closure(step: ast.Call, position: int) -> bool:
    """Whether a step computes new gradients inside."""
    return argument(step, "closure", position) is not None


def scaled_by_hand(loss: ast.expr, frame: Frame) -> bool:
    """`(loss * scale).backward()`, in place or where the variable is set; apex names its variable `scaled_loss`."""
    values = [loss]
    if isinstance(loss, ast.Name):
        values += [definition.value for definition in frame.scope.lookup(loss.id) if definition.value is not None]
    if "scaled" in (dotted(loss) or ""):
        return True
    products = (
        child
        for value in values
        for child in walk(value)
        if isinstance(child, ast.BinOp) and isinstance(child.op, ast.Mult)
    )
    return any(isinstance(loss, ast.BinOp) or "scale" in ast.unparse(product) for product in products)
