"""Puts `SCALER.unscale_(OPTIMIZER)` in front of a statement that needs true gradients.

Span: the clip (a statement, or the call inside one).
Arguments: `scaler`, `optimizer`: source text, several optimizers separated by ";"; optional `condition`: source text
under which the scaler is in use; optional `existing`: the place ("line:column-line:column") of an `unscale_` that comes
too late and moves here, since torch allows one for each step; optional `loop`: the line of a loop around the span that
runs several times in a step.
"""

from __future__ import annotations

import libcst as cst

from ampfix.codemods.changes import Before, Change, Remove
from ampfix.codemods.errors import CannotRepair
from ampfix.codemods.plans._moving import statement_at, take_away, under
from ampfix.codemods.tree import LOOPS, Statement, Tree
from ampfix.findings import Repair


def plan(tree: Tree, repair: Repair) -> list[Change]:
    scaler, optimizers = repair.arguments["scaler"], repair.arguments["optimizer"].split(";")
    clip = _outside(tree, insertion_point(tree, tree.at(repair.span)), repair.arguments.get("loop", ""))
    condition = repair.arguments.get("condition", "")
    if "existing" in repair.arguments:
        return _move(tree, clip, statement_at(tree, repair.arguments["existing"]), condition)
    calls = [f"{scaler}.unscale_({optimizer})" for optimizer in optimizers]
    if condition:
        return [Before(clip, under(tree, condition, *calls))]
    return [Before(clip, call) for call in calls]


def _outside(tree: Tree, statement: Statement, loop: str) -> Statement:
    """The loop on this line around the statement, which would unscale again at each turn; else the statement."""
    if not loop:
        return statement
    return next((node for node in tree.enclosing(statement, LOOPS) if tree.line(node) == int(loop)), statement)


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


def _move(tree: Tree, clip: Statement, late: Statement, condition: str) -> list[Change]:
    """Take `late` to the clip. The `if` it is alone in comes along where it stands beside the clip, and is left behind
    where it stands elsewhere: then it asks for something else than the clip does."""
    if late in tree.block(clip):
        return [Before(clip, tree.with_comments(late)), Remove(late)]
    around = next(tree.enclosing(late, cst.If), None)
    if around is None or around.orelse is not None or tree.block(late) != (late,):
        raise CannotRepair("unscale_ runs in another block than the clip; move it in front of the clip")
    if around in tree.block(clip) and tree.start(around) > tree.start(clip):
        return [Before(clip, tree.code(around.with_changes(leading_lines=()))), Remove(around)]
    if tree.function(late) is not tree.function(clip):
        raise CannotRepair("unscale_ runs in another function than the clip; move it in front of the clip")
    return [Before(clip, under(tree, condition, tree.with_comments(late))), *take_away(tree, late)]
