"""Reads of the clock, and what is measured between two of them."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ampfix.patterns import pattern
from ampfix.program import Form, Source
from ampfix.program.tree import walk
from ampfix.rules._shapes import function_of, inside, loops, path

_CLOCKS = frozenset(
    f"time.{name}" for name in ("time", "perf_counter", "monotonic", "time_ns", "perf_counter_ns", "monotonic_ns")
) | {"timeit.default_timer"}
_WAITING = pattern(r"elapsed_time|synchronize|\.record\(")
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


def needs_no_wait(start: ast.Call, end: ast.Call, name: str, source: Source) -> bool:
    """Whether two reads give the average of many turns, taken now and then, or stand in a branch beside one that
    waits: that of the other devices. name: what keeps the start."""
    return _is_running_average(start, end, name, source) or _is_beside_waiting(start, source)


def _is_running_average(start: ast.Call, end: ast.Call, name: str, source: Source) -> bool:
    """Whether one turn of many takes the time of all since the start, or since it last did: what is queued then is a
    part of one turn, which the next reading gets."""
    around = list(inside(end, source))
    passes = [one for one in loops(end, source) if one not in loops(start, source)]
    tests = [one for one in around[: around.index(passes[0])] if isinstance(one, ast.If)] if passes else []
    if not tests:
        return False
    with_the_reading = set(walk(tests[-1]))
    inner = (node for loop in passes for node in walk(loop) if isinstance(node, ast.Assign))
    return not any(path(target) == name for node in inner for target in node.targets if node not in with_the_reading)


def _is_beside_waiting(start: ast.Call, source: Source) -> bool:
    around = [one for one in inside(start, source) if isinstance(one, ast.If)]
    branches = (one for one in around if any(start in walk(statement) for statement in one.orelse))
    return any(_WAITING.search(ast.unparse(statement)) for one in branches for statement in one.body)
