"""Conditions made from others."""

from __future__ import annotations

from ampfix.program import Always, Condition, Not


def negate(condition: Condition) -> Condition:
    if isinstance(condition, Not):
        return condition.operand
    if isinstance(condition, Always):
        return Always(not condition.value)
    return Not(condition)
