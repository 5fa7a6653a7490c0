"""Takes out a statement that overwrites gradients, with the loop and the tests around it that hold nothing else.

Span: the statement.
"""

from __future__ import annotations

import libcst as cst

from ampfix.codemods.changes import Change, Remove
from ampfix.codemods.errors import CannotRepair
from ampfix.codemods.tree import Statement, Tree
from ampfix.findings import Repair


def plan(tree: Tree, repair: Repair) -> list[Change]:
    statement: Statement = tree.statement(tree.at(repair.span))
    while tree.block(statement) == (statement,):
        holder = next(tree.enclosing(statement, cst.BaseCompoundStatement), None)
        if not isinstance(holder, (cst.For, cst.If)) or holder.orelse is not None:
            raise CannotRepair("nothing else stands in this function or branch; take it out with what calls it")
        statement = holder
    return [Remove(statement)]
