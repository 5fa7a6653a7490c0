"""Where a loop waits for the device: reads that cost something, and waits that happen anyway."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from itertools import takewhile

from ampfix.program import Role, Source
from ampfix.program.tree import walk
from ampfix.rules._shapes import LOOPS, calls, inside, method, own, path

_TESTED = (ast.If, ast.Assert)
_ENDS = (ast.Break, ast.Continue, ast.Raise, ast.Return)


def is_of_the_cpu(tensor: ast.expr, loop: ast.AST, source: Source) -> bool:
    """Whether a tensor is made of numbers alone, or of what the loader hands out and nobody moves."""
    if any(word in ast.unparse(tensor) for word in ("cuda", "device", ".to(")):
        return False
    targets = [child for child in walk(getattr(loop, "target", loop)) if isinstance(loop, (ast.For, ast.AsyncFor))]
    stored = [node for node in own(loop) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)]
    fresh = {path(target) for target in targets} - {node.id for node in stored if node not in targets}
    names = {child.id for child in walk(tensor) if isinstance(child, ast.Name)}
    return names <= source.import_aliases | fresh


def is_every_turn(node: ast.AST, loop: ast.AST, source: Source) -> bool:
    """Whether nothing inside the loop lets the node run on some turns only."""
    decisive = (ast.If, ast.IfExp, ast.Assert, ast.Try, ast.Match, *LOOPS)
    below: ast.AST = node
    for around in inside(node, source):
        if around is loop:
            return below not in getattr(loop, "orelse", [])
        if isinstance(around, decisive) and below is not getattr(around, "test", None):
            return False
        below = around
    return False


def is_check(node: ast.AST) -> bool:
    called = path(node.func).rpartition(".")[2] if isinstance(node, ast.Call) else ""
    return called in ("isfinite", "isnan", "isinf")


def _waits(loop: ast.AST, source: Source) -> Iterator[ast.Call]:
    """Calls of `torch.cuda.synchronize`, also under a name of the file's own."""
    yield from calls(loop, "synchronize")
    for node in own(loop):
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name) or "sync" not in node.func.id:
            continue
        if any(binding.symbol.endswith(".synchronize") for binding in source.resolve(node.func)):
            yield node


_CLOCKS = frozenset({"time", "perf_counter", "monotonic"})


def is_timed(loop: ast.AST, source: Source) -> bool:
    """Whether every turn waits on purpose, to take its time."""
    if not any(is_every_turn(call, loop, source) for call in _waits(loop, source)):
        return False
    return any(isinstance(node, ast.Call) and path(node.func).rpartition(".")[2] in _CLOCKS for node in own(loop))


def waits_anyway(loop: ast.AST, source: Source) -> bool:
    """Whether a scaler steps in the loop, which reads from the device whether gradients overflowed, or a test in every
    turn asks whether something is finite."""
    for call in own(loop):
        receiver, name = method(call)
        if name == "step" and isinstance(call, ast.Call) and call.args and source.held(receiver).role is Role.SCALER:
            return True
        if is_check(call) and _is_test(call, source) and is_every_turn(call, loop, source):
            return True
    return False


def waits_beside(node: ast.AST, loop: ast.AST, source: Source) -> bool:
    """Whether a test of the same turn waits for the device right before a node or behind it, so that nothing that was
    launched between is waited for by the node alone."""
    body = list(getattr(loop, "body", ()))
    here = next((place for place, one in enumerate(body) if one is node or one in inside(node, source)), None)
    waits = [place for place, one in enumerate(body) if _decides_by_the_device(one, loop, source)]
    if here is None:
        return False
    return any(not any(map(_launches, body[min(here, wait) + 1 : max(here, wait)])) for wait in waits)


def _decides_by_the_device(statement: ast.stmt, loop: ast.AST, source: Source) -> bool:
    """Whether a test asks for something finite, or ends the turn or the loop by a value of the device."""
    if not isinstance(statement, _TESTED):
        return False
    if any(map(is_check, walk(statement.test))):
        return True
    read = (method(one)[0] for one in walk(statement.test) if method(one)[1] == "item")
    return any(isinstance(one, _ENDS) for one in walk(statement)) and not all(
        is_of_the_cpu(one, loop, source) for one in read
    )


def _launches(statement: ast.stmt) -> bool:
    """Whether a statement runs a model or a step of training."""
    return isinstance(statement, ast.With) or any(method(one)[1] in ("backward", "step") for one in walk(statement))


def _is_test(node: ast.AST, source: Source) -> bool:
    return any(isinstance(around, _TESTED) for around in takewhile(_is_expression_or_tested, source.ancestors(node)))


def _is_expression_or_tested(node: ast.AST) -> bool:
    return isinstance(node, (ast.expr, *_TESTED))
