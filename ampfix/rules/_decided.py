"""What the arguments of a call decide on in the function that it runs: `build(half=False)` leaves `if half:` out."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ampfix.program import Source
from ampfix.rules._places import assigned_in, default_of, given_for, parameters, within_function

_LEAVES = (ast.Return, ast.Raise)


def is_left_out(node: ast.AST, function: ast.AST, call: ast.Call, source: Source) -> bool:
    """Whether constants that a call hands in, or leaves to their defaults, keep a function from running a node."""
    return any(_truth(test, function, call) is (not wanted) for test, wanted in _tests(node, source))


def is_reached(node: ast.AST, function: ast.AST, call: ast.Call, source: Source) -> bool:
    """Whether a call runs a node for sure, as far as tests decide."""
    return all(_truth(test, function, call) is wanted for test, wanted in _tests(node, source))


def _tests(node: ast.AST, source: Source) -> Iterator[tuple[ast.expr, bool]]:
    """The tests that a node runs under, each with what it has to be: those around it, and those in front that leave."""
    inner = node
    for around in within_function(node, source):
        if isinstance(around, ast.If) and inner is not around.test:
            yield around.test, inner not in around.orelse
        inner = around
        holder = next(source.ancestors(around), None)
        block = getattr(holder, "body", ())
        for one in block[: block.index(around)] if isinstance(block, list) and around in block else ():
            if isinstance(one, ast.If) and isinstance(one.body[-1], _LEAVES) and not one.orelse:
                yield one.test, False


def _truth(test: ast.expr, function: ast.AST, call: ast.Call) -> bool | None:
    """Whether a test holds in a call, where its constants tell."""
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        truth = _truth(test.operand, function, call)
        return None if truth is None else not truth
    if isinstance(test, ast.BoolOp):
        ends = isinstance(test.op, ast.Or)  # what decides alone
        truths = [_truth(value, function, call) for value in test.values]
        return ends if ends in truths else None if None in truths else not ends
    if isinstance(test, ast.Compare) and len(test.ops) == 1:
        return _compared(test, function, call)
    value = _constant(test, function, call)
    return bool(value.value) if value is not None else None


def _compared(test: ast.Compare, function: ast.AST, call: ast.Call) -> bool | None:
    left, right = (_constant(one, function, call) for one in (test.left, test.comparators[0]))
    if left is None or right is None:
        return None
    is_same = left.value == right.value
    if isinstance(test.ops[0], (ast.Eq, ast.Is)):
        return is_same
    return not is_same if isinstance(test.ops[0], (ast.NotEq, ast.IsNot)) else None


def _constant(value: ast.expr, function: ast.AST, call: ast.Call) -> ast.Constant | None:
    """What a name of the function is in a call, if that is a constant."""
    if isinstance(value, ast.Name) and value.id in parameters(function) and value.id not in assigned_in(function):
        given = given_for(value.id, function, call)
        is_open = any(word.arg is None for word in call.keywords) or any(
            isinstance(one, ast.Starred) for one in call.args
        )
        value = given or (None if is_open else default_of(value.id, function)) or value
    return value if isinstance(value, ast.Constant) else None
