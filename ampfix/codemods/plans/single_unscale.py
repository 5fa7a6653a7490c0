"""Leaves one `unscale_` of an optimizer in a step: torch allows no second one before update().

Span: the second `unscale_` call, which may be the first one again, in a later turn of a loop.
Arguments: `first`: the place of the first one ("line:column-line:column"); optional `loop`: the line of a loop inside
the step that runs the call several times; optional `backward`: the line of the last backward.
"""

from __future__ import annotations

import libcst as cst

from ampfix.codemods.changes import Before, Change
from ampfix.codemods.errors import CannotRepair
from ampfix.codemods.plans._moving import beside, call_alone, statement_at, take_away
from ampfix.codemods.tree import LOOPS, Statement, Tree
from ampfix.findings import Repair


def plan(tree: Tree, repair: Repair) -> list[Change]:
    second = tree.statement(tree.at(repair.span))
    first = statement_at(tree, repair.arguments["first"])
    call_alone(tree, second)
    if "loop" in repair.arguments:
        loop = next((node for node in tree.enclosing(second, LOOPS) if tree.line(node) == _loop(repair)), None)
        if loop is not None:
            return [Before(loop, tree.with_comments(second)), *take_away(tree, second)]
    if tree.function(first) is not tree.function(second):
        raise CannotRepair("the other unscale_ runs in another function")
    around = beside(tree, second, first)
    if around is not None and around is not first:
        return take_away(tree, second)
    return _in_front(tree, first, second, int(repair.arguments.get("backward", "0")))


def _in_front(tree: Tree, first: Statement, second: Statement, backward: int) -> list[Change]:
    """The first one runs on some paths only, the second on all: put it where all of them pass before either."""
    around = beside(tree, first, second)
    if around is None or around is first:
        raise CannotRepair("the two unscale_ stand on paths of their own, and neither can go")
    call_alone(tree, first)
    last = max(tree.line(node) for node in tree.walk(around) if isinstance(node, (cst.Call, *LOOPS)))
    if tree.line(around) <= backward <= last:
        raise CannotRepair("the first unscale_ shares its branch with the backward; unscale once behind it")
    return [Before(around, tree.with_comments(second)), *take_away(tree, first), *take_away(tree, second)]


def _loop(repair: Repair) -> int:
    return int(repair.arguments["loop"])
