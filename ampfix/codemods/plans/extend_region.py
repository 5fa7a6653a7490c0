"""Puts statements under an autocast region like one that the file has elsewhere.

Span: the first statement. Arguments: `opening`: source text of the region; `last`: the line on which the last statement
begins.
"""

from __future__ import annotations

import libcst as cst

from ampfix.codemods._wrap import under_with
from ampfix.codemods.changes import Change
from ampfix.codemods.errors import CannotRepair
from ampfix.codemods.tree import Tree
from ampfix.findings import Repair


def plan(tree: Tree, repair: Repair) -> list[Change]:
    first = tree.statement(tree.at(repair.span))
    block = tree.block(first)
    if first not in block or isinstance(first, cst.BaseCompoundStatement):
        raise CannotRepair("the forward stands in the head of another statement; give it a statement of its own")
    start, last = block.index(first), int(repair.arguments["last"])
    covered = [statement for statement in block[start:] if tree.line(statement) <= last]
    return under_with(tree, covered, repair.arguments["opening"])
