"""Puts `SCALER.unscale_(OPTIMIZER)` in front of a statement that needs true gradients.

Span: the clip (a statement, or the call inside one).
Arguments: `scaler`, `optimizer`: source text; optional `condition`: source text under which the scaler is in use;
optional `existing`: the place ("line:column-line:column") of an `unscale_` that comes too late and moves here, since
torch allows one for each step.
"""

from __future__ import annotations

import libcst as cst

from ampfix.codemods.changes import Before, Change, Remove
from ampfix.codemods.errors import CannotRepair
from ampfix.codemods.tree import Statement, Tree
from ampfix.findings import Position, Repair, Span


def plan(tree: Tree, repair: Repair) -> list[Change]:
    scaler, optimizer = repair.arguments["scaler"], repair.arguments["optimizer"]
    clip = insertion_point(tree, tree.at(repair.span))
    call = f"{scaler}.unscale_({optimizer})"
    if "existing" in repair.arguments:
        return _move(tree, clip, tree.statement(tree.at(_span(repair.arguments["existing"]))))
    condition = repair.arguments.get("condition", "")
    return [Before(clip, f"if {condition}:\n{tree.module.default_indent}{call}" if condition else call)]


def insertion_point(tree: Tree, node: cst.CSTNode) -> Statement:
    """The statement in front of which code runs right before `node`. Raises CannotRepair where there is none."""
    statement = tree.statement(node)
    for ancestor in tree.ancestors(node):
        if isinstance(ancestor, (cst.Lambda, cst.BaseComp)):
            raise CannotRepair("the call stands in a lambda or comprehension, where no statement can precede it")
        if ancestor is statement:
            break
    if isinstance(statement, cst.While):
        raise CannotRepair("the call stands in the condition of a while loop, where no statement can precede it")
    if isinstance(statement, cst.If) and isinstance(tree.parent(statement), cst.If):
        raise CannotRepair("the call stands in the condition of an elif, where no statement can precede it")
    return statement


def _move(tree: Tree, clip: Statement, late: Statement) -> list[Change]:
    """Take `late` to the clip: with its `if` where it is alone in one that stands beside the clip."""
    beside = tree.block(clip)
    if late in beside:
        return [Before(clip, tree.with_comments(late)), Remove(late)]
    condition = next(tree.enclosing(late, cst.If), None)
    if condition in beside and condition is not None and condition.orelse is None and tree.block(late) == (late,):
        return [Before(clip, tree.code(condition.with_changes(leading_lines=()))), Remove(condition)]
    raise CannotRepair("unscale_ follows in another block than the clip; move it in front of the clip")


def _span(place: str) -> Span:
    start, end = (Position(*map(int, corner.split(":"))) for corner in place.split("-"))
    return Span(start, end)
