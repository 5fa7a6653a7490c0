"""Calls that clip gradients: whose, and against which threshold."""

from __future__ import annotations

import ast
import math

from ampfix.lint.frames import Frame, Namer
from ampfix.lint.numbers import known_number
from ampfix.lint.resolve import Resolver
from ampfix.lint.roles import argument
from ampfix.lint.scopes import Scope
from ampfix.lint.symbols import CLIPS
from ampfix.program import Form
from ampfix.program.tree import walk
from ampfix.records import dataclass

_ALIAS_DEPTH = 4


@dataclass(frozen=True)
class Clip:
    """owner: whose parameters are clipped. optimizers: those whose groups are. scaled: the threshold carries the loss
    scale, as the gradients do."""

    owner: str
    optimizers: tuple[str, ...]
    scaled: bool


class ClipReader:
    """Recognises clips by any name, and reads their arguments."""

    def __init__(self, resolver: Resolver, namer: Namer) -> None:
        self._resolver, self._namer = resolver, namer

    def is_clip(self, node: ast.Call, frame: Frame) -> bool:
        return _is_clip(node, frame.scope, self._resolver)

    def read(self, node: ast.Call, frame: Frame) -> Clip:
        parameters = argument(node, "parameters", 0)
        owner = "" if parameters is None else owner_of(parameters, frame, self._namer)
        optimizers = (owner.partition(".param_groups")[0],) if ".param_groups" in owner else ()
        return Clip(owner, optimizers, any(carries_scale(value, frame) for value in _thresholds(node)))


def only_measures(node: ast.Call, scope: Scope, resolver: Resolver) -> bool:
    """Whether this is a clip against no limit, which changes nothing: a way of asking for the norm."""
    return has_no_limit(node, scope) and _is_clip(node, scope, resolver)


def has_no_limit(node: ast.Call, scope: Scope) -> bool:
    return any(known_number(limit, scope) == math.inf for limit in _thresholds(node)[:1])


def _is_clip(node: ast.Call, scope: Scope, resolver: Resolver) -> bool:
    if resolver.is_idle(node.func, scope):
        return False
    bindings = resolver.resolve(node.func, scope)
    return any(b.form in (Form.SYMBOL, Form.PARTIAL) and b.symbol in CLIPS for b in bindings)


def owner_of(node: ast.expr, frame: Frame, namer: Namer) -> str:
    """Whose parameters an expression lists: `net` for `net.parameters()`."""
    for child in walk(node):
        if isinstance(child, ast.Attribute) and child.attr == "param_groups":
            return (namer.canonical(child, frame) or "").partition("[")[0]
    for child in walk(node):
        if isinstance(child, ast.Call) and isinstance(child.func, ast.Attribute) and "parameters" in child.func.attr:
            return namer.canonical(child.func.value, frame) or ""
    return namer.canonical(node, frame) or ""


def carries_scale(threshold: ast.expr, frame: Frame, depth: int = 0) -> bool:
    """`max_norm * scaler.get_scale()`: a threshold multiplied by the scale is right for scaled gradients."""
    if isinstance(threshold, ast.Name):
        values = [definition.value for definition in frame.scope.lookup(threshold.id)]
        followed = [value for value in values if value is not None and depth < _ALIAS_DEPTH]
        return any(carries_scale(value, frame, depth + 1) for value in followed)
    return any(
        isinstance(child, ast.BinOp)
        and isinstance(child.op, ast.Mult)
        and any(reads_scale(side, frame) for side in (child.left, child.right))
        for child in walk(threshold)
    )


def reads_scale(node: ast.expr, frame: Frame) -> bool:
    """Whether the expression is `scaler.get_scale()`, or a name for it."""
    if isinstance(node, ast.Name):
        values = [definition.value for definition in frame.scope.lookup(node.id)]
        return any(isinstance(value, ast.Call) and reads_scale(value, frame) for value in values)
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "get_scale"


def _thresholds(clip: ast.Call) -> list[ast.expr]:
    """A clip's arguments besides the parameters."""
    return [*clip.args[1:], *(keyword.value for keyword in clip.keywords if keyword.arg not in (None, "parameters"))]
