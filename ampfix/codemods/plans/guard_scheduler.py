"""Lets a scheduler advance only when the scaler did not skip the optimizer step.

Span: the `scheduler.step()` statement. Arguments: `scaler`: source text.
torch offers no public "was it skipped" flag: its idiom compares `get_scale()` around `update()`, which lowers the scale
exactly when a step was skipped. A disabled scaler answers 1.0 both times, so the scheduler then always advances.
"""

from __future__ import annotations

import libcst as cst

from ampfix.codemods.changes import After, Before, Change, Guard, Remove
from ampfix.codemods.errors import CannotRepair
from ampfix.codemods.tree import LOOPS, Statement, Tree
from ampfix.findings import Repair


def plan(tree: Tree, repair: Repair) -> list[Change]:
    scaler = repair.arguments["scaler"]
    scheduler = tree.statement(tree.at(repair.span))
    if not isinstance(scheduler, cst.Expr):
        raise CannotRepair("the scheduler's step is part of a larger statement; put it in a statement of its own")
    before = tree.fresh_name("scale_before")
    update = _update(tree, scheduler, scaler)
    if update is None:
        sibling = _update_of_sibling(tree, scheduler, scaler)
        if sibling is not None:
            return _between_methods(tree, scheduler, sibling, scaler, before)
        return _around_helper(tree, scheduler, scaler, before)
    if tree.start(update) > tree.start(scheduler):
        return _behind_update(tree, scheduler, update, scaler, before)
    anchor = _ancestor_beside(tree, update, scheduler)
    read = Before(update, f"{before} = {scaler}.get_scale()")
    if anchor is update:
        return [read, Guard(scheduler, f"{scaler}.get_scale() >= {before}")]
    return [
        Before(anchor, f"{before} = None"),
        read,
        Guard(scheduler, f"{before} is None or {scaler}.get_scale() >= {before}"),
    ]


def _update(tree: Tree, scheduler: Statement, scaler: str) -> Statement | None:
    """The `update()` nearest to the scheduler in its function: the last one in front of it, else the first behind."""
    body = tree.function(scheduler)
    root = body.body if isinstance(body, cst.FunctionDef) else body
    updates = [tree.statement(call) for call in tree.calls(root, f"{scaler}.update")]
    loops = set(tree.enclosing(scheduler, LOOPS))
    near = [update for update in updates if set(tree.enclosing(update, LOOPS)) <= loops]
    if updates and not near:
        raise CannotRepair(f"{scaler}.update() runs in a loop of its own, so several steps share one scheduler step")
    in_front = [update for update in near if tree.start(update) < tree.start(scheduler)]
    return in_front[-1] if in_front else near[0] if near else None


def _ancestor_beside(tree: Tree, inner: Statement, other: Statement) -> Statement:
    """The statement around `inner` (or itself) that stands in a block which also holds `other`, at any depth."""
    around_other = {id(node) for node in (other, *tree.ancestors(other))}
    compounds = tree.enclosing(inner, cst.BaseCompoundStatement)
    statement = next(
        (
            statement
            for statement in (inner, *compounds)
            if any(id(sibling) in around_other for sibling in tree.block(statement))
        ),
        inner,
    )
    if id(statement) in around_other:  # both lie in one statement: in different branches of it
        raise CannotRepair("the scheduler steps on another branch than the scaler's update()")
    return statement


def _behind_update(tree: Tree, scheduler: Statement, update: Statement, scaler: str, before: str) -> list[Change]:
    """The scheduler steps before update(), when nothing tells yet whether the step was skipped: it moves behind."""
    if update not in tree.block(scheduler):
        raise CannotRepair(f"the scheduler steps before {scaler}.update(); move it behind that call")
    moved = tree.with_comments(scheduler).replace("\n", f"\n{tree.module.default_indent}")
    guarded = f"if {scaler}.get_scale() >= {before}:\n{tree.module.default_indent}{moved}"
    return [Remove(scheduler), Before(update, f"{before} = {scaler}.get_scale()"), After(update, guarded)]


def _update_of_sibling(tree: Tree, scheduler: Statement, scaler: str) -> Statement | None:
    """The only `update()` of a scaler on self in another method of the class; None where the scheduler is in a loop."""
    owner = _class_of(tree, scheduler)
    if owner is None or not scaler.startswith("self.") or next(tree.enclosing(scheduler, LOOPS), None) is not None:
        return None
    calls = [call for method in tree.functions_of(owner) for call in tree.calls(method.body, f"{scaler}.update")]
    if len(calls) > 1:
        raise CannotRepair(f"{scaler}.update() stands in several places; which one belongs to this step is not known")
    return tree.statement(calls[0]) if calls else None


def _class_of(tree: Tree, node: cst.CSTNode) -> cst.ClassDef | None:
    return next((ancestor for ancestor in tree.ancestors(node) if isinstance(ancestor, cst.ClassDef)), None)


def _between_methods(tree: Tree, scheduler: Statement, update: Statement, scaler: str, before: str) -> list[Change]:
    """One method updates the scaler, another steps the scheduler: the object remembers the scale in between.

    It starts at zero, which every scale reaches, so that a scheduler that steps first does step.
    """
    owner = _class_of(tree, scheduler)
    init = next((one for one in tree.functions_of(owner) if one.name.value == "__init__"), None) if owner else None
    last = _last_statement(tree, init) if init is not None else None
    if last is None:
        raise CannotRepair(
            f"{scaler}.update() runs in another method, and no __init__ here can prepare what they share"
        )
    return [
        After(last, f"self.{before} = 0.0"),
        Before(update, f"self.{before} = {scaler}.get_scale()"),
        Guard(scheduler, f"{scaler}.get_scale() >= self.{before}"),
    ]


def _last_statement(tree: Tree, function: cst.FunctionDef) -> Statement | None:
    body = function.body.body[-1] if function.body.body else None
    last = body.body[-1] if isinstance(body, cst.SimpleStatementLine) else body
    if last is None or isinstance(last, (cst.Return, cst.Raise)):
        return None
    return tree.statement(last)


def _around_helper(tree: Tree, scheduler: Statement, scaler: str, before: str) -> list[Change]:
    """update() runs in a function called from here: the scale is read where the iteration starts."""
    loop = next(tree.enclosing(scheduler, LOOPS), None)
    if loop is None:
        raise CannotRepair(f"{scaler}.update() does not run in the function that steps the scheduler")
    function = tree.function(scheduler)
    root = scaler.split(".")[0]
    if not any(isinstance(node, cst.Name) and node.value == root for node in tree.walk(function)):
        raise CannotRepair(f"{scaler} is not in reach where the scheduler steps")
    body = loop.body.body[0]
    first = body.body[0] if isinstance(body, cst.SimpleStatementLine) else body
    return [
        Before(tree.statement(first), f"{before} = {scaler}.get_scale()"),
        Guard(scheduler, f"{scaler}.get_scale() >= {before}"),
    ]
