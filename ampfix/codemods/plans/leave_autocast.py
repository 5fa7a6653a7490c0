"""Takes backward, and the steps that follow it, out of an autocast region.

Span: the backward call. Arguments: `region`: the place of the expression that opens the region.
What follows the steps and computes something new stays in the region, which is opened again for it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import libcst as cst

from ampfix.codemods.changes import Change, Replace
from ampfix.codemods.errors import CannotRepair
from ampfix.codemods.tree import Tree
from ampfix.findings import Position, Repair, Span

# Calls that compute nothing in half precision: the end of a step and what is written down about it.
_LIGHT = re.compile(
    r"(^|\.)(backward|scale|step|update|unscale_|zero_grad|clip_grad\w*|item|append|detach|cpu|mean|float|get_scale|"
    r"get_last_lr|parameters|print|info|debug|log\w*|add_scalar|set_postfix\w*|set_description\w*|format|len|str|round|"
    r"time|synchronize|is_nan|isnan|isfinite|any|all|exit|write|no_sync|size|barrier|all_reduce|range|int)$"
)


def plan(tree: Tree, repair: Repair) -> list[Change]:
    region = _region(tree, repair)
    if len(region.items) != 1:
        raise CannotRepair("the region shares its with statement with other managers; end it before backward")
    body = region.body
    if not isinstance(body, cst.IndentedBlock):
        raise CannotRepair("the region's body stands on the line of its with statement")
    backward = tree.at(repair.span)
    index = next(i for i, line in enumerate(body.body) if line is backward or _holds(tree, line, backward))
    if not _is_light(tree, body.body[index]):
        raise CannotRepair("backward stands in a block that also computes; end the region before backward, inside it")
    end = next((i for i in range(index, len(body.body)) if not _is_light(tree, body.body[i])), len(body.body))
    return [Replace(region, lambda node: _split(cst.ensure_type(node, cst.With), index, end), "left")]


def _region(tree: Tree, repair: Repair) -> cst.With:
    start, end = (Position(*map(int, corner.split(":"))) for corner in repair.arguments["region"].split("-"))
    opening = tree.at(Span(start, end))
    around = next((node for node in tree.ancestors(opening) if isinstance(node, cst.With)), None)
    backward = tree.at(repair.span)
    if around is None or not any(node is around for node in tree.enclosing(backward, cst.With)):
        raise CannotRepair("the region is opened outside this function; call backward where it has ended")
    return around


def _holds(tree: Tree, statement: cst.CSTNode, node: cst.CSTNode) -> bool:
    return any(ancestor is statement for ancestor in tree.ancestors(node))


def _is_light(tree: Tree, statement: cst.CSTNode) -> bool:
    if isinstance(statement, (cst.For, cst.While, cst.With, cst.FunctionDef, cst.ClassDef)):
        return False
    arithmetic = (cst.MatrixMultiply, cst.MatrixMultiplyAssign)
    return not any(isinstance(node, arithmetic) for node in tree.walk(statement)) and all(
        _LIGHT.search("".join(tree.code(call.func).split())) for call in tree.find(statement, cst.Call)
    )


def _split(region: cst.With, index: int, end: int) -> cst.FlattenSentinel[cst.BaseStatement]:
    """The region up to backward, the steps behind it, and the region again for what is left."""
    lines = list(cst.ensure_type(region.body, cst.IndentedBlock).body)
    made: list[cst.BaseStatement] = []
    if index:
        made.append(_with_body(region, lines[:index]))
    made += lines[index:end]
    if end < len(lines):
        made.append(_with_body(region.with_changes(leading_lines=()), lines[end:]))
    if not index:
        leading = (*region.leading_lines, *getattr(made[0], "leading_lines", ()))
        made[0] = made[0].with_changes(leading_lines=leading)
    return cst.FlattenSentinel(made)


def _with_body(region: cst.With, lines: Sequence[cst.BaseStatement]) -> cst.With:
    block = cst.ensure_type(region.body, cst.IndentedBlock)
    return region.with_changes(body=block.with_changes(body=tuple(lines), footer=()))
