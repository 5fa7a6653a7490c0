"""What runs backward, as far as its expression tells."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from ampfix.lint.frames import Frame
from ampfix.lint.roles import argument
from ampfix.lint.usage import dotted
from ampfix.patterns import pattern
from ampfix.program.tree import walk

_LINEAR = ("mean", "sum", "div", "mul")
_SCALES = ("scale", "get_scale")  # scaler.scale(loss), loss * scaler.get_scale()
_LOSS = pattern(r"loss|objective|cost|(^|_)err", re.IGNORECASE)


def loss_name(node: ast.expr) -> ast.expr:
    """The name that a multiple or a mean of a loss is computed from: `(loss / 2).mean()` is `loss`."""
    while True:
        if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Mult, ast.Div)):
            node = node.right if isinstance(node.left, ast.Constant) else node.left
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _LINEAR:
            node = node.func.value
        else:
            return node


def scaling(node: ast.expr) -> Iterator[ast.expr]:
    """What scales in an expression: `s` of `s.scale(loss)` and `loss * s.get_scale()`."""
    for child in walk(node):
        if isinstance(child, ast.Call) and isinstance(child.func, ast.Attribute) and child.func.attr in _SCALES:
            yield child.func.value


def tests_around(part: ast.expr, node: ast.expr) -> Iterator[tuple[ast.expr, bool]]:
    """The tests of conditional expressions that choose this part of an expression, and what they give then."""
    for choice in walk(node):
        if isinstance(choice, ast.IfExp):
            for chosen, truth in ((choice.body, True), (choice.orelse, False)):
                if any(child is part for child in walk(chosen)):
                    yield choice.test, truth


def is_loss(node: ast.expr) -> bool:
    """Whether a name says that it holds a loss. `x.backward(loss)` is no tensor's: that takes a gradient."""
    name = (dotted(node) or "").rpartition(".")[2]
    return _LOSS.search(name) is not None


def takes_closure(step: ast.Call, position: int) -> bool:
    """Whether a step computes new gradients inside."""
    return argument(step, "closure", position) is not None


def is_of_torch(step: ast.Call) -> bool:
    """Whether an optimizer's step is called as torch has it, with a closure at most."""
    return len(step.args) <= 1 and all(keyword.arg in (None, "closure") for keyword in step.keywords)


def runs_a_closure(node: ast.Call) -> bool:
    """`optimizer.step(closure=...)` runs backward, and as often as it likes."""
    is_step = isinstance(node.func, ast.Attribute) and node.func.attr == "step"
    return is_step and any(
        keyword.arg == "closure" and not (isinstance(keyword.value, ast.Constant) and keyword.value.value is None)
        for keyword in node.keywords
    )


def scaled_by_hand(loss: ast.expr, frame: Frame) -> bool:
    """`(loss * scale).backward()`, in place or where the variable is set; apex names its variable `scaled_loss`."""
    held = [definition.value for definition in frame.scope.lookup(loss.id)] if isinstance(loss, ast.Name) else []
    values = [loss, *(value for value in held if value is not None)]
    is_divided = bool(held) and all(isinstance(one, ast.BinOp) and isinstance(one.op, ast.Div) for one in held)
    if "scaled" in (dotted(loss) or "") and not is_divided:
        return True
    products = (
        child
        for value in values
        for child in walk(value)
        if isinstance(child, ast.BinOp) and isinstance(child.op, ast.Mult)
    )
    return any(isinstance(loss, ast.BinOp) or "scale" in ast.unparse(product) for product in products)
