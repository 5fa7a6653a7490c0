"""Backwards that go on from gradients that another one left: cached representations, split networks, pipelines."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ampfix.lint.frames import Frame
from ampfix.program.tree import walk

_CONSTANTS = frozenset({"ones", "ones_like", "zeros_like", "full", "full_like", "tensor", "Tensor", "FloatTensor"})
_MAX_HOPS = 4  # names computed from each other
_Looped = dict[str, list[ast.expr]]


def goes_on(loss: ast.expr, gradient: ast.expr | None, frame: Frame) -> bool:
    """Whether what runs backward is scaled as an earlier loss was: it is handed a gradient that is no constant, as in
    `features.backward(cached.grad)`, or is a product with one, as in `(features * cached.grad).sum()`."""
    if gradient is not None and not _is_constant(gradient, frame, 0):
        return True
    file = frame.scope.file
    return file is not None and ".grad" in file.text and _is_made_of_gradients(loss, frame, _looped(frame), 0)


def hangs_on_a_gradient(node: ast.expr) -> bool:
    """Whether an expression is a gradient or is read from one: `p.grad.device`."""
    return any(isinstance(inner, ast.Attribute) and inner.attr == "grad" for inner in walk(node))


def _is_constant(node: ast.expr, frame: Frame, hops: int) -> bool:
    """Whether an expression is the same whatever the loss is: None, `torch.ones_like(loss)`."""
    if isinstance(node, ast.Constant):
        return True
    if isinstance(node, ast.Call):
        called = node.func
        if getattr(called, "attr", getattr(called, "id", "")) in _CONSTANTS:
            return True
        return isinstance(called, ast.Attribute) and _is_constant(called.value, frame, hops)
    if isinstance(node, (ast.BinOp, ast.UnaryOp)):
        parts = (node.operand,) if isinstance(node, ast.UnaryOp) else (node.left, node.right)
        return all(_is_constant(part, frame, hops) for part in parts)
    if not isinstance(node, ast.Name) or hops == _MAX_HOPS:
        return False
    values = [definition.value for definition in frame.scope.lookup(node.id)]
    return bool(values) and all(value is not None and _is_constant(value, frame, hops + 1) for value in values)


def _is_made_of_gradients(node: ast.expr, frame: Frame, looped: _Looped, hops: int) -> bool:
    if hangs_on_a_gradient(node):
        return True
    names = {inner.id for inner in walk(node) if isinstance(inner, ast.Name)} if hops < _MAX_HOPS else ()
    values = (value for name in names for value in (*_set(name, frame), *looped.get(name, ())))
    return any(_is_made_of_gradients(value, frame, looped, hops + 1) for value in values)


def _set(name: str, frame: Frame) -> Iterator[ast.expr]:
    """What a name of the function is set to."""
    own = frame.scope.names.get(name, ()) if frame.scope.is_function else ()
    return (definition.value for definition in own if definition.value is not None)


def _looped(frame: Frame) -> _Looped:
    """Loop variable -> what the loops of the function go over."""
    found: _Looped = {}
    for node in walk(frame.scope.node) if frame.scope.is_function else ():
        if isinstance(node, (ast.For, ast.AsyncFor, ast.comprehension)):
            for target in walk(node.target):
                if isinstance(target, ast.Name):
                    found.setdefault(target.id, []).append(node.iter)
    return found
