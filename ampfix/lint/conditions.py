"""Conditions made from others, and expressions that are tests."""

from __future__ import annotations

import ast

from ampfix.program import Always, Block, Branch, Condition, Jump, JumpKind, Not
from ampfix.program.tree import walk


def is_test(value: ast.expr, name: str) -> bool:
    """Whether what a name is set to is a test of other things, and calls nothing but `bool`."""
    is_negation = isinstance(value, ast.UnaryOp) and isinstance(value.op, ast.Not)
    if not is_negation and not isinstance(value, (ast.Compare, ast.BoolOp)) and not is_truth_of(value):
        return False
    return not any(
        isinstance(child, (ast.NamedExpr, ast.Await))
        or (isinstance(child, ast.Call) and not is_truth_of(child))
        or (isinstance(child, ast.Name) and child.id == name)
        for child in walk(value)
    )


def is_truth_of(node: ast.expr) -> bool:
    """Whether this is `bool(...)` of one expression."""
    return isinstance(node, ast.Call) and getattr(node.func, "id", "") == "bool" and len(node.args) == 1


def negate(condition: Condition) -> Condition:
    if isinstance(condition, Not):
        return condition.operand
    if isinstance(condition, Always):
        return Always(not condition.value)
    return Not(condition)


def required(there: Condition) -> Block:
    """What a method call does where its object may be missing: it raises."""
    return () if isinstance(there, Always) else (Branch(there, (), (Jump(JumpKind.RAISE),)),)
