"""Turns that end where the gradients turn out not to be finite: what stands behind runs with a step that is applied."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from ampfix.patterns import pattern
from ampfix.program.tree import unparsed, walk

_NOT_FINITE = pattern(r"isfinite|isnan|isinf")
_OF_GRADIENTS = pattern(r"norm|grad(?!(ient)?s?_?acc)")  # not the steps that are accumulated
# A test that mentions one of these, or a name computed from one, decides on whether the step was applied.
_GUARD = pattern(
    r"get_scale|skip|finite|isnan|isinf|overflow|found_inf|(old|prev|last|before|new)_scale|scale_(before|old)"
)
_OF_A_STEP = pattern(r"scale|skip|overflow|norm|grad(?!(ient)?s?_?acc)", re.IGNORECASE)
_SIMPLE = (ast.Expr, ast.Assign)
_LEAVING = (ast.Continue, ast.Return, ast.Raise)


def tells_of_a_skip(text: str) -> bool:
    """Whether a text tells of a step that was given up. That a loss is finite says nothing of its scaled gradients."""
    found = _GUARD.search(text)
    return found is not None and ("loss" not in text or _OF_A_STEP.search(text) is not None)


def gives_up_on_gradients(function: ast.AST, statement: ast.AST | None) -> bool:
    """Whether an `if` in front of the statement leaves the turn where the norm of the gradients is not finite, or a
    clip raises there."""
    left = any(_gives_up(one, function) for one in leaves_before(function, statement))
    return left or any(map(_raises, _before(function, statement)))


def leaves_before(function: ast.AST, statement: ast.AST | None) -> Iterator[ast.If]:
    """Every `if` in front of the statement, in the blocks around it, behind which the turn does not go on."""
    for one in _before(function, statement):
        if isinstance(one, ast.If) and isinstance(one.body[-1], _LEAVING):
            yield one


def _raises(node: ast.stmt) -> bool:
    """`clip_grad_norm_(parameters, 1.0, error_if_nonfinite=True)`."""
    calls = (one for one in walk(node) if isinstance(one, ast.Call)) if isinstance(node, _SIMPLE) else ()
    words = (word for call in calls for word in call.keywords)
    return any(word.arg == "error_if_nonfinite" and getattr(word.value, "value", False) is True for word in words)


def _before(function: ast.AST, statement: ast.AST | None) -> Iterator[ast.stmt]:
    """The statements in front of one, in the blocks around it."""
    line = getattr(statement, "lineno", 0)
    block: list[ast.stmt] = list(getattr(function, "body", []))
    while block:
        at = next((i for i, one in enumerate(block) if one.lineno <= line <= (one.end_lineno or one.lineno)), None)
        if at is None:
            return
        yield from block[:at]
        parts = [getattr(block[at], name, []) for name in ("body", "orelse", "finalbody")]
        block = [one for part in parts if isinstance(part, list) for one in part if isinstance(one, ast.stmt)]


def sets_gradients(function: ast.AST, statement: ast.AST | None) -> bool:
    """Whether a function writes gradients of its own in front of the statement: `p.grad = old - new`."""
    line = getattr(statement, "lineno", 0)
    return any(at < line and ".grad" not in unparsed(value) for at, value in _written_gradients(function))


def _written_gradients(function: ast.AST) -> Iterator[tuple[int, ast.expr]]:
    for node in walk(function):
        if isinstance(node, ast.Assign):
            if any(map(_is_gradient, node.targets)) and not isinstance(node.value, ast.Constant):
                yield node.lineno, node.value
        elif isinstance(node, ast.Call) and node.args and _copies_into_gradient(node.func):
            yield node.lineno, node.args[0]


def _copies_into_gradient(called: ast.expr) -> bool:
    return isinstance(called, ast.Attribute) and called.attr == "copy_" and _is_gradient(called.value)


def _is_gradient(node: ast.expr) -> bool:
    return isinstance(node, ast.Attribute) and node.attr == "grad"


def _gives_up(test: ast.If, function: ast.AST) -> bool:
    names = {node.id for node in walk(test.test) if isinstance(node, ast.Name)}
    shown = [test.test, *(value for value in _set_to(names, function))]
    text = " ".join(map(ast.unparse, shown))
    return bool(_NOT_FINITE.search(text) and _OF_GRADIENTS.search(text))


def _set_to(names: set[str], function: ast.AST) -> Iterator[ast.expr]:
    for node in walk(function):
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id in names:
            yield node.value
