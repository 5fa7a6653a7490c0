"""Which steps a scheduler goes by: those of its optimizer, in the same loop, or slower ones."""

from __future__ import annotations

import ast

from ampfix.program import Do, Occurrence, Source
from ampfix.program.tree import walk
from ampfix.protocol import EventKind


def goes_slower(call: ast.Call, occurrence: Occurrence, source: Source) -> bool:
    """Whether the optimizer that a scheduler was built for takes its steps in a loop in front of it, and another one
    steps here."""
    built = [one.node for one in source.resolve(getattr(call.func, "value", call)) if isinstance(one.node, ast.Call)]
    driven = {_last(source.segment(one.args[0])) for one in built if one.args}
    steps = [do for do in occurrence.before if do.event.kind is EventKind.SCALER_STEP]
    own = [do for do in steps if {_last(name) for name in do.event.optimizers} & driven]
    here = occurrence.do.site.loops
    return bool(own) and all(len(do.site.loops) > len(here) for do in own)


def walks_schedulers(occurrence: Occurrence) -> bool:
    """`for scheduler in schedulers: scheduler.step()`: the innermost loop goes through the schedulers, not batches, by
    themselves or by their numbers."""
    line = occurrence.do.site.loops[-1] if occurrence.do.site.loops else 0
    for node in walk(occurrence.routine.node):
        if isinstance(node, ast.For) and node.lineno == line:
            targets = {one.id for one in walk(node.target) if isinstance(one, ast.Name)}
            return any(
                isinstance(inner, ast.Call)
                and isinstance(inner.func, ast.Attribute)
                and inner.func.attr == "step"
                and _picked_by(inner.func.value) in targets
                for inner in walk(node)
            )
    return False


def _picked_by(node: ast.expr) -> str:
    """A name, or the name that says which element of a list is meant."""
    return getattr(node.slice if isinstance(node, ast.Subscript) else node, "id", "")


def only_flushes(step: Do, occurrence: Occurrence) -> bool:
    """Whether the step is what is left of a window behind the loop of batches: the scheduler goes by epochs there."""
    loops, events, scheduler = step.site.loops, occurrence.routine.events, occurrence.do.event.scheduler
    if any(do.event.kind is EventKind.BACKWARD and do.site.loops == loops for do in events):
        return False
    if any(do.event.scheduler == scheduler is not None and len(do.site.loops) > len(loops) for do in events):
        return False  # it goes by steps inside the loop as well
    steps = (do for do in events if do.event.kind is EventKind.SCALER_STEP)
    return any(
        do.event.optimizers == step.event.optimizers
        and len(do.site.loops) > len(loops)
        and do.site.loops[: len(loops)] == loops
        for do in steps
    )


def scaler_step(occurrence: Occurrence) -> Do | None:
    return next((do for do in reversed(occurrence.before) if do.event.kind is EventKind.SCALER_STEP), None)


def _last(path: str) -> str:
    return path.rpartition(".")[2]
