"""Reads of the clock, and what is measured between two of them."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ampfix.program import Form, Source
from ampfix.rules._shapes import function_of, path

_CLOCKS = frozenset(
    f"time.{name}" for name in ("time", "perf_counter", "monotonic", "time_ns", "perf_counter_ns", "monotonic_ns")
) | {"timeit.default_timer"}
_CLOCK_NAMES = frozenset(clock.rpartition(".")[2] for clock in _CLOCKS)


def read(node: ast.expr, at: ast.AST, source: Source) -> ast.Call | None:
    """The clock read behind an expression: itself, or what its name was last set to in front of `at`."""
    if isinstance(node, ast.Call):
        return node if _is_clock(node, source) else None
    name, function = path(node), function_of(at, source)
    if not name:
        return None
    before = [
        assign
        for assign in source.nodes((ast.Assign,))
        if isinstance(assign, ast.Assign)
        and path(assign.targets[0]) == name
        and function_of(assign, source) is function
        and assign.lineno < getattr(at, "lineno", 0)
    ]
    value = max(before, key=lambda assign: assign.lineno).value if before else None
    return read(value, at, source) if isinstance(value, ast.Call) else None


def _is_clock(call: ast.Call, source: Source) -> bool:
    if call.args or not source.may_be(call.func, _CLOCK_NAMES):
        return False
    return any(b.form is Form.SYMBOL and b.symbol in _CLOCKS for b in source.resolve(call.func))


def clock_reads(source: Source) -> Iterator[ast.Call]:
    """Every read of a clock in the file."""
    for call in source.nodes((ast.Call,)):
        if isinstance(call, ast.Call) and _is_clock(call, source):
            yield call


def place(node: ast.AST) -> tuple[int, int]:
    """Where a node begins, to be compared with another's."""
    return getattr(node, "lineno", 0), getattr(node, "col_offset", 0)
