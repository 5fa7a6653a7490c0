"""Conditions made from others, and expressions that are tests."""

from __future__ import annotations

import ast

from ampfix.lint.usage import names_optimizers
from ampfix.program import Always, Block, Branch, Condition, Jump, JumpKind, Not
from ampfix.program.spelling import last_name
from ampfix.program.tree import walk
from ampfix.records import dataclass


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


@dataclass(frozen=True)
class Choice:
    """One of two things. preferred: what it is where that is there at all: `scaler or self.scaler`."""

    test: ast.expr
    body: ast.expr
    orelse: ast.expr
    preferred: ast.expr | None = None

    @property
    def is_of_state(self) -> bool:
        """Whether it is a scaler or an optimizer, by its names, that is chosen."""
        last = (last_name(side) for side in (self.body, self.orelse))
        return any(name.lower().endswith("scaler") or names_optimizers(name) for name in last)


def choice_of(value: ast.expr) -> Choice | None:
    """The choice that an expression makes."""
    if isinstance(value, ast.BoolOp) and isinstance(value.op, ast.Or) and len(value.values) == 2:
        first, second = value.values
        is_choice = _is_path(first) and _is_path(second)
        return Choice(there(first), first, second, first) if is_choice else None
    if not isinstance(value, ast.IfExp) or not (_is_path(value.body) and _is_path(value.orelse)):
        return None
    asked = next((side for side in (value.body, value.orelse) if _asks_for(value.test, side)), None)
    test = value.test if asked is not value.body or isinstance(value.test, ast.Compare) else there(asked)
    return Choice(test, value.body, value.orelse, asked)


def there(thing: ast.expr) -> ast.expr:
    """The test whether a thing is there."""
    return ast.copy_location(ast.Compare(thing, [ast.IsNot()], [ast.Constant(None)]), thing)


def _is_path(node: ast.expr) -> bool:
    return isinstance(node, (ast.Name, ast.Attribute))


def _asks_for(test: ast.expr, thing: ast.expr) -> bool:
    """Whether a test asks if a thing is there: `scaler`, `scaler is not None`, `scaler is None`."""
    if isinstance(test, ast.Compare) and isinstance(test.ops[0], (ast.Is, ast.IsNot)):
        is_asked = getattr(test.comparators[0], "value", "") is None
        return is_asked and ast.dump(test.left) == ast.dump(thing)
    return ast.dump(test) == ast.dump(thing)


def negate(condition: Condition) -> Condition:
    if isinstance(condition, Not):
        return condition.operand
    if isinstance(condition, Always):
        return Always(not condition.value)
    return Not(condition)


def required(there: Condition) -> Block:
    """What a method call does where its object may be missing: it raises."""
    return () if isinstance(there, Always) else (Branch(there, (), (Jump(JumpKind.RAISE),)),)
