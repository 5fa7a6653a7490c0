"""Conditions made from others, and expressions that are tests."""

from __future__ import annotations

import ast

from ampfix.program import Always, Block, Branch, Condition, Jump, JumpKind, Not
from ampfix.program.tree import walk


def is_test(value: ast.expr, name: str) -> bool:
    """Whether what a name is set to is a test of other things, and calls nothing."""
    is_negation = isinstance(value, ast.UnaryOp) and isinstance(value.op, ast.Not)
    if not is_negation and not isinstance(value, (ast.Compare, ast.BoolOp)):
        return False
    has_call = any(isinstance(child, (ast.Call, ast.NamedExpr, ast.Await)) for child in walk(value))
    return not has_call and not any(isinstance(child, ast.Name) and child.id == name for child in walk(value))


def negate(condition: Condition) -> Condition:
    if isinstance(condition, Not):
        return condition.operand
    if isinstance(condition, Always):
        return Always(not condition.value)
    return Not(condition)


def required(there: Condition) -> Block:
    """What a method call does where its object may be missing: it raises."""
    return () if isinstance(there, Always) else (Branch(there, (), (Jump(JumpKind.RAISE),)),)
