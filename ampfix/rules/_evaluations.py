"""Calls that evaluate a model: in a loop, without gradients, outside autocast."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from ampfix.program import Role, Source
from ampfix.program.tree import walk
from ampfix.rules._places import are_alternatives
from ampfix.rules._shapes import LOOPS, calls, function_of, inside, is_without_grad, method, path, regions_around

_EVALUATES = re.compile(r"val|eval|test|infer|predict", re.IGNORECASE)


def scope_of(call: ast.Call, source: Source) -> ast.AST | None:
    """The loop that evaluates: the innermost one, or a function whose name says that a loop elsewhere calls it."""
    loop = next((around for around in inside(call, source) if isinstance(around, LOOPS)), None)
    function = function_of(call, source)
    return loop or (function if _EVALUATES.search(getattr(function, "name", "")) else None)


def is_evaluation(call: ast.Call, name: str, loop: ast.AST, source: Source) -> bool:
    function = function_of(call, source)
    plain = is_without_grad(call, source) or _is_off_training(call, source)
    if regions_around(call, source) or not (plain or _is_switched(call, name, function)):
        return False
    if any(path(c.operand) == name and function_of(c.node, source) is function for c in source.half_casts):
        return False  # it is half itself
    if _repeats_itself(loop, call):
        return False
    training = [one for one in calls(loop, "backward", "step") if not _is_schedule(one, source)]
    apart = plain and _is_on_occasion(call, name, loop, source)
    if not all(apart or (plain and are_alternatives(call, other, source)) for other in training):
        return False
    if not training and any(
        path(other.func) == path(call.func) and regions_around(other, source) for other in _calls_in(loop)
    ):
        return False  # on another branch
    title = getattr(function, "name", None)
    return not any(
        isinstance(other, ast.Call) and path(other.func).rpartition(".")[2] == title and regions_around(other, source)
        for other in source.nodes((ast.Call,))
    )


def _is_schedule(step: ast.Call, source: Source) -> bool:
    receiver = method(step)[0]
    return receiver is not None and (source.held(receiver).role is Role.SCHEDULER or path(receiver).endswith("bar"))


def _is_on_occasion(call: ast.Call, name: str, loop: ast.AST, source: Source) -> bool:
    """Whether a loop that trains evaluates the model now and then: in between, it switches the model to evaluation."""
    occasions = []
    for around in inside(call, source):
        if around is loop:
            break
        if isinstance(around, ast.If):
            occasions.append(around)
    return any(
        path(method(switch)[0]) == name and method(switch)[1] == "eval"
        for occasion in occasions
        for switch in calls(occasion, "eval")
    )


def _is_off_training(call: ast.Call, source: Source) -> bool:
    """`with torch.set_grad_enabled(training)` around `if training: ... else:`, of which the call stands in the else."""
    tests = set[str]()
    inner: ast.AST = call
    for around in inside(call, source):
        if isinstance(around, ast.If) and any(inner is one for one in around.orelse):
            tests.add(ast.unparse(around.test))
        for item in getattr(around, "items", ()):
            opener = item.context_expr
            if isinstance(opener, ast.Call) and path(opener.func) == "torch.set_grad_enabled":
                return any(ast.unparse(value) in tests for value in opener.args)
        inner = around
    return False


def _is_switched(call: ast.Call, name: str, function: ast.AST) -> bool:
    """Whether a function without a backward has put the model into evaluation in front of the call."""
    if isinstance(function, ast.Module) or any(True for _ in calls(function, "backward")):
        return False
    switches = [s for s in calls(function, "train", "eval") if path(method(s)[0]) == name and s.lineno < call.lineno]
    return bool(switches) and method(max(switches, key=lambda switch: switch.lineno))[1] == "eval"


def _repeats_itself(loop: ast.AST, call: ast.Call) -> bool:
    """`for _ in range(5)`, as benchmarks warm up: the variable says nothing, and each turn runs the same data."""
    iterated, target = getattr(loop, "iter", None), path(getattr(loop, "target", None))
    is_range = isinstance(iterated, ast.Call) and path(iterated.func) == "range" and "len(" not in ast.unparse(iterated)
    if not is_range or _fetches(loop, call):
        return False
    return not any(
        isinstance(node, ast.Name) and node.id == target and isinstance(node.ctx, ast.Load) for node in walk(loop)
    )


def _fetches(loop: ast.AST, call: ast.Call) -> bool:
    """Whether each turn gets the next batch for the call: `x, y = next(batches)`, `x, y = loader.next_batch()`."""
    read = {node.id for argument in call.args for node in walk(argument) if isinstance(node, ast.Name)}
    for node in reversed([one for one in walk(loop) if isinstance(one, ast.Assign)]):
        bound = {each.id for target in node.targets for each in walk(target) if isinstance(each, ast.Name)}
        if not bound & read:
            continue
        if isinstance(node.value, ast.Call) and _NEXT.search(path(node.value.func)):
            return True
        read |= {each.id for each in walk(node.value) if isinstance(each, ast.Name)}
    return False


_NEXT = re.compile(r"next|batch|sample_data")


def _calls_in(loop: ast.AST) -> Iterator[ast.Call]:
    return (node for node in walk(loop) if isinstance(node, ast.Call))
