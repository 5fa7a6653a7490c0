"""Accumulation windows: loops that run backward every turn and step the optimizer on some of them."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator

from ampfix.patterns import pattern
from ampfix.program import Do, Routine, Site, Source
from ampfix.program.tree import walk
from ampfix.protocol import EventKind
from ampfix.records import dataclass
from ampfix.rules import _places as places
from ampfix.rules._shapes import calls

_STEPS = (EventKind.SCALER_STEP, EventKind.OPTIMIZER_STEP)
_MICRO = pattern(r"accum|micro", re.IGNORECASE)


@dataclass(frozen=True)
class Window:
    """backward runs every turn, step under `test` alone, once per `count` turns; test and count are source text."""

    routine: Routine
    backward: Do
    step: Do
    test: str
    count: str


def windows(source: Source) -> Iterator[Window]:
    """The windows of a file; one for each backward and optimizer."""
    for routine in source.routines:
        events = [do for do in routine.events if do.site.path in ("", source.path)]
        backwards = [do for do in events if do.event.kind is EventKind.BACKWARD]
        steps = [do for do in events if do.event.kind in _STEPS]
        seen: set[object] = set()
        for step in steps:
            found = _window(routine, step, backwards, source)
            key = None if found is None else (found.backward.site.span, step.event.optimizers)
            if found is not None and key not in seen and not _is_one_batch(found, source):
                seen.add(key)
                yield found


def _window(routine: Routine, step: Do, backwards: list[Do], source: Source) -> Window | None:
    near = [do for do in backwards if do.site.loops == step.site.loops and (do.site.loops or _is_turn(do, source))]
    own = list(conditions(step.site, source))
    for backward in near:
        around = set(conditions(backward.site, source))
        if _are_alternatives(around, own):
            continue
        only = [test for test in own if test not in around]
        rare = [(test, count) for test in only if (count := turns(test, step, source))]
        if rare and not any(set(conditions(do.site, source)) & set(only) for do in near):
            return Window(routine, backward, step, *rare[0])
    return None


def _are_alternatives(tests: Iterable[str], others: Iterable[str]) -> bool:
    """Whether a test that has to hold for the one must not for the other."""
    one, other = set(tests), set(others)
    return any(f"not ({test})" in other for test in one) or any(f"not ({test})" in one for test in other)


def inner_windows(source: Source) -> Iterator[Window]:
    """Windows that are a loop of their own: `for micro_step in range(accumulation)` in front of each step."""
    for routine in source.routines:
        events = [do for do in routine.events if do.site.path in ("", source.path)]
        steps = [do for do in events if do.event.kind in _STEPS]
        for backward in (do for do in events if do.event.kind is EventKind.BACKWARD and do.site.loops):
            step = next((do for do in steps if do.site.loops == backward.site.loops[:-1]), None)
            count = _micro_batches(backward, source)
            if step is not None and count:
                window = Window(routine, backward, step, "", count)
                if not _is_one_batch(window, source):
                    yield window


def _micro_batches(backward: Do, source: Source) -> str:
    """How often the loop around a backward runs, where its names say that it goes over micro-batches."""
    nodes = (call for frame in backward.site.frames() if (call := node_at(frame, source)) is not None)
    loop = next((loops[0] for call in nodes if (loops := places.loops_around(call, source))), None)
    if not isinstance(loop, ast.For) or loop.lineno != backward.site.loops[-1] or not isinstance(loop.iter, ast.Call):
        return ""
    if getattr(loop.iter.func, "id", "") != "range" or len(loop.iter.args) != 1:
        return ""
    count = places.spelled(loop.iter.args[0])
    is_path = isinstance(loop.iter.args[0], (ast.Name, ast.Attribute))
    is_window = is_path and _MICRO.search(f"{count} {places.spelled(loop.target)}") and not _is_of_all(loop, source)
    return count if is_window else ""


def _is_of_all(loop: ast.For, source: Source) -> bool:
    """Whether each turn puts its part among those of all others, so that its loss is that of the whole window:
    `torch.cat(kept[:j] + [part] + kept[j + 1 :])`, or `kept` and `j` handed to what does that."""
    turn = places.spelled(loop.target)
    parts = [node.slice for node in walk(loop) if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Slice)]
    if any(part.lower is None and part.upper is not None and places.spelled(part.upper) == turn for part in parts):
        return True
    function = places.function_of(loop, source) or source.tree
    kept = {places.receiver(call) for call in calls(function, "append")}
    inner = (node for node in walk(loop) if isinstance(node, ast.Call))
    given = ({places.spelled(one) for one in (*call.args, *(word.value for word in call.keywords))} for call in inner)
    return any(turn in one and one & kept for one in given)


def _is_one_batch(window: Window, source: Source) -> bool:
    """Whether a constant of the file makes the window one batch long."""
    named = (node for node in walk(_function(window.step, source)) if isinstance(node, (ast.Name, ast.Attribute)))
    count = next((node for node in named if places.spelled(node) == window.count), None)
    return window.count == "1" or (count is not None and source.number(count) == 1)


def is_zeroed_each_turn(window: Window, source: Source) -> bool:
    """Whether gradients are zeroed wherever the window's backward runs: then nothing is added up."""
    at = window.backward.site
    around = set(conditions(at, source))
    return any(
        do.event.kind is EventKind.ZERO_GRAD
        and do.site.loops == at.loops
        and around >= set(conditions(do.site, source))
        for do in window.routine.events
    )


def is_of_one_turn(window: Window, source: Source) -> bool:
    """Whether gradients are zeroed in front of backward on the turns that step, by the count of the loop itself."""
    at = window.backward.site
    call = node_at(at, source)
    loop = next(iter(places.loops_around(call, source)), None) if call is not None else None
    if not isinstance(loop, ast.For) or not window.test:
        return False
    asked = places.names_in(ast.parse(window.test, mode="eval"))
    if asked & _set_in(loop) or not asked & places.assigned_in(loop.target):
        return False
    return any(
        do.event.kind is EventKind.ZERO_GRAD
        and do.site.loops == at.loops
        and do.site.span < at.span
        and window.test in do.site.tests
        and set(window.step.site.tests) >= set(do.site.tests)
        for do in window.routine.events
    )


def _set_in(loop: ast.For) -> set[str]:
    """The names that the body of a loop sets."""
    return {name for statement in loop.body for name in places.assigned_in(statement)}


def _is_turn(do: Do, source: Source) -> bool:
    """Whether a method is one turn of a loop that another file holds: it counts turns in an attribute of its object."""
    call = node_at(do.site, source)
    function = None if call is None or not places.class_of(call, source) else places.function_of(call, source)
    tests = [node.test for node in walk(function) if isinstance(node, ast.If)] if function is not None else []
    return any(_counts_in_self(test) for test in tests)


def _counts_in_self(test: ast.expr) -> bool:
    """`(self.batch_idx + 1) % k == 0`."""
    remainders = (node for node in walk(test) if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod))
    return any(name.startswith("self.") for one in remainders for name in places.names_in(one.left))


def conditions(site: Site, source: Source) -> Iterator[str]:
    """The tests around a place, across calls, and those whose `continue` in front of it lets few turns pass."""
    for frame in site.frames():
        yield from frame.tests
        yield from _passing(frame, source)
        yield from _handed_in(frame.tests, frame.caller, source) if frame.caller is not None else ()
    yield from _handed_in(site.origin.tests, site, source) if site.origin is not None else ()


def _handed_in(tests: tuple[str, ...], caller: Site, source: Source) -> Iterator[str]:
    """Tests of a function that a call decides: `scaler(loss, update_grad=(i + 1) % k == 0)`."""
    call = node_at(caller, source) if tests else None
    given = {word.arg: word.value for word in call.keywords if word.arg} if call is not None else {}
    yield from (places.spelled(given[test]) for test in tests if test in given)


def _passing(frame: Site, source: Source) -> Iterator[str]:
    """`if i % k: continue` in front of a place: it is reached under the opposite test."""
    node = node_at(frame, source)
    if node is None:
        return
    inner: ast.AST = places.statement_of(node, source)
    for ancestor in places.within_function(inner, source):
        for block in (getattr(ancestor, "body", []), getattr(ancestor, "orelse", [])):
            for statement in block[: block.index(inner)] if inner in block else ():
                if isinstance(statement, ast.If) and isinstance(statement.body[-1], ast.Continue):
                    yield f"not ({places.spelled(statement.test)})"
        if isinstance(ancestor, places.LOOPS):
            return
        inner = ancestor


def node_at(site: Site, source: Source) -> ast.Call | None:
    """The call an event of this file stands for."""
    if site.path not in ("", source.path):
        return None
    return source.call_at(site.span)


def turns(test: str, step: Do, source: Source) -> str:
    """How many turns pass between two on which the test holds, as text; empty where it does not count turns."""
    if test.startswith("match "):
        return ""
    tree = ast.parse(test, mode="eval").body
    return _turns(tree, step, source, 0, wanted=True)


def _turns(test: ast.expr, step: Do, source: Source, depth: int, *, wanted: bool) -> str:
    """Of a test that is to be true (wanted) or false."""
    if isinstance(test, ast.UnaryOp) and isinstance(test.op, ast.Not):
        return _turns(test.operand, step, source, depth, wanted=not wanted)
    if isinstance(test, ast.BoolOp):
        return next((k for value in test.values if (k := _turns(value, step, source, depth, wanted=wanted))), "")
    if isinstance(test, ast.Compare) and len(test.ops) == 1:
        return _compared(test, step, source, wanted=wanted)
    if isinstance(test, ast.BinOp) and isinstance(test.op, ast.Mod):
        return "" if wanted else places.spelled(test.right)
    if isinstance(test, ast.Name) and depth < 3:  # a flag set to such a test; chains are short
        for value in _values(test.id, step, source):
            found = _turns(value, step, source, depth + 1, wanted=wanted)
            if found:
                return found
    return ""


def _compared(test: ast.Compare, step: Do, source: Source, *, wanted: bool) -> str:
    equal = isinstance(test.ops[0], ast.Eq)
    if isinstance(test.left, ast.BinOp) and isinstance(test.left.op, ast.Mod):
        rare = equal if wanted else isinstance(test.ops[0], (ast.NotEq, ast.Gt))
        return places.spelled(test.left.right) if rare else ""
    counts = isinstance(test.ops[0], (ast.Eq, ast.GtE)) if wanted else isinstance(test.ops[0], (ast.Lt, ast.NotEq))
    counter = test.left
    if isinstance(counter, ast.BinOp) and isinstance(counter.op, ast.Add) and places.is_constant(counter.right, 1):
        counter = counter.left
    if counts and isinstance(counter, (ast.Name, ast.Attribute)) and _is_counter(counter, step, source):
        return places.spelled(test.comparators[0])
    return ""


def _function(step: Do, source: Source) -> ast.AST:
    node = next((found for frame in step.site.frames() if (found := node_at(frame, source)) is not None), None)
    return (places.function_of(node, source) if node is not None else None) or source.tree


def _values(name: str, step: Do, source: Source) -> Iterator[ast.expr]:
    for node in walk(_function(step, source)):
        if isinstance(node, ast.Assign):
            yield from (value for target, value in places.assignments(node) if places.spelled(target) == name)


def _is_counter(node: ast.expr, step: Do, source: Source) -> bool:
    """Whether turns are counted in it, from zero after each step: a name is set to zero before the loop as well, an
    attribute where its object is made."""
    name, function = places.spelled(node), _function(step, source)
    counted = any(
        isinstance(child, ast.AugAssign) and isinstance(child.op, ast.Add) and places.spelled(child.target) == name
        for child in walk(function)
    )
    resets = (value for value in _values(name, step, source) if places.is_constant(value, 0))
    return counted and len(list(resets)) > (0 if isinstance(node, ast.Attribute) else 1)
