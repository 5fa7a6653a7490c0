"""Moves `unscale_` under the test that the optimizer's step stands under, with the clips that rely on it.

Span: the `unscale_` call. Arguments: `step`: the place of the step's statement ("line:column-line:column").
"""

from __future__ import annotations

import libcst as cst

from ampfix.codemods.changes import Before, Change
from ampfix.codemods.errors import CannotRepair
from ampfix.codemods.plans._moving import beside, call_alone, same_loop, statement_at, take_away
from ampfix.codemods.tree import Statement, Tree
from ampfix.findings import Repair


def plan(tree: Tree, repair: Repair) -> list[Change]:
    unscale = tree.statement(tree.at(repair.span))
    step = statement_at(tree, repair.arguments["step"])
    call_alone(tree, unscale)
    if tree.function(unscale) is not tree.function(step) or not same_loop(tree, unscale, step):
        raise CannotRepair("unscale_ and step() do not run in the same loop; unscale only where the optimizer steps")
    window = _window(tree, unscale, step)
    foreign = beside(tree, unscale, window)
    if foreign is None or not isinstance(window, cst.If):
        raise CannotRepair("the test that step() stands under is not beside unscale_; unscale under it")
    moved = _with_clips(tree, foreign, window)
    alone = foreign is unscale or tree.block(unscale) == (unscale,)
    if not alone and not _clips(tree, foreign):
        raise CannotRepair("the branch with unscale_ does more than unscale; unscale where the optimizer steps")
    _free(tree, moved, window)
    target = _first(window)
    if foreign is not unscale and not _clips(tree, foreign):  # what it stands under is not what the step asks for
        sources = [tree.with_comments(unscale), *map(tree.with_comments, moved[1:])]
    else:
        sources = [_source(tree, statement) for statement in moved]
    changes: list[Change] = [Before(target, source) for source in sources]
    return [*changes, *(change for statement in moved for change in take_away(tree, statement))]


def _window(tree: Tree, unscale: Statement, step: Statement) -> Statement:
    """The outermost test around the step that is not around unscale_."""
    around = [node for node in tree.enclosing(step, cst.If) if not any(up is node for up in tree.ancestors(unscale))]
    if not around:
        raise CannotRepair(
            "the optimizer steps whenever the gradients are unscaled; step() and update() are missing a test"
        )
    return around[-1]


def _with_clips(tree: Tree, start: Statement, window: Statement) -> list[Statement]:
    """`start` and the clips between it and the window."""
    siblings = tree.block(window)
    first, last = siblings.index(start), siblings.index(window)
    if first > last:
        raise CannotRepair("unscale_ stands behind the step")
    return [start, *(statement for statement in siblings[first + 1 : last] if _clips(tree, statement))]


def _clips(tree: Tree, statement: cst.CSTNode) -> bool:
    return any("clip" in tree.code(call.func) for call in tree.find(statement, cst.Call))


def _free(tree: Tree, moved: list[Statement], window: cst.If) -> None:
    """Raises CannotRepair where a name that moves is used outside the window."""
    names = {
        target.target.value
        for statement in moved
        for assign in tree.find(statement, cst.Assign)
        for target in assign.targets
        if isinstance(target.target, cst.Name)
    }
    inside = {id(node) for root in (*moved, window.body) for node in tree.walk(root)}
    for node in tree.walk(tree.function(window)):
        if isinstance(node, cst.Name) and node.value in names and id(node) not in inside:
            raise CannotRepair(f"`{node.value}` is used outside the step; unscale and clip where the optimizer steps")


def _source(tree: Tree, statement: Statement) -> str:
    if isinstance(statement, cst.BaseCompoundStatement):
        return tree.code(statement.with_changes(leading_lines=()))
    return tree.with_comments(statement)


def _first(window: cst.If) -> Statement:
    line = window.body.body[0]
    return line.body[0] if isinstance(line, cst.SimpleStatementLine) else line  # type: ignore[return-value]
