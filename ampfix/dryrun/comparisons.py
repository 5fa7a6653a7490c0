"""Compares values."""

from __future__ import annotations

import ast
import operator
from collections.abc import Callable

from ampfix.dryrun.state import State, is_made
from ampfix.dryrun.values import FALSE, TRUE, Items, Known, Test, Thing, Value

_COMPARED = {ast.Lt: operator.lt, ast.LtE: operator.le, ast.Gt: operator.gt, ast.GtE: operator.ge}


class Comparisons:
    """What comparisons give. items, each, decided and asked are those of the run."""

    def __init__(
        self,
        state: State,
        items: Callable[[Value], Items | None],
        each: Callable[[Value, Callable[[Value], Value]], Value],
        decided: Callable[[Value, Callable[[bool], Value]], Value],
        asked: Callable[[Test, Callable[[bool], Value]], Value],
    ) -> None:
        self._state, self._items = state, items
        self.each, self.decided, self._asked = each, decided, asked

    def compared(self, left: Value, how: ast.cmpop, right: Value) -> Value:
        """What comes of a comparison."""
        if isinstance(how, ast.NotEq | ast.IsNot | ast.NotIn):
            positive: ast.cmpop = {ast.NotEq: ast.Eq, ast.IsNot: ast.Is, ast.NotIn: ast.In}[type(how)]()
            same = self.compared(left, positive, right)
            return self.decided(same, lambda holds: Known(not holds))
        if isinstance(how, ast.In):
            return self._contained(left, right)
        if isinstance(left, Known) and isinstance(right, Known):
            return _answer(how, left, right)
        if isinstance(how, ast.Is | ast.Eq):
            return self._same(left, right)
        return self._state.unknown("compare", type(how), left, right)

    def _same(self, left: Value, right: Value) -> Value:
        if isinstance(left, Known):
            left, right = right, left
        if isinstance(right, Known):
            if isinstance(left, Thing) and not is_made(left):
                if right.value is None or isinstance(right.value, bool):
                    return self.decided(left, lambda holds: Known(holds is bool(right.value)))
                return self._asked(Test(left, right), Known)
            return FALSE
        return TRUE if left is right else self._state.unknown("same", left, right)

    def _contained(self, left: Value, right: Value) -> Value:
        held = self._items(right)
        if held is None:
            return self._state.unknown("in", left, right)
        if isinstance(left, Known) and held.get(left) is not None:
            return TRUE  # a key of a dictionary
        values = [value for key, value in held.entries if isinstance(key, Known) and isinstance(key.value, int)]
        if not values:
            return self._state.unknown("in", left, right) if not held.whole or not isinstance(left, Known) else FALSE
        return self._one_of(left, values)

    def _one_of(self, left: Value, values: list[Value]) -> Value:
        if not values:
            return FALSE
        same = self._same_or_known(left, values[0])
        return self.decided(same, lambda holds: TRUE if holds else self._one_of(left, values[1:]))

    def _same_or_known(self, left: Value, right: Value) -> Value:
        return self.each(left, lambda one: self.compared(one, ast.Eq(), right))


def _answer(how: ast.cmpop, left: Known, right: Known) -> Value:
    if isinstance(how, ast.Eq | ast.Is):
        return Known(left.value == right.value)
    try:
        return Known(bool(_COMPARED[type(how)](left.value, right.value)))
    except (KeyError, TypeError):
        return FALSE
