"""Casts tensors to float32 at the start of a block that runs without autocast: `x = x.float()`.

Span: the opening of an `autocast(enabled=False)` region, or a function decorated with it. Argument: `names`, the
tensors that enter, comma-separated.
"""

from __future__ import annotations

from collections.abc import Sequence

import libcst as cst

from ampfix.codemods.changes import Before, Change
from ampfix.codemods.errors import CannotRepair
from ampfix.codemods.tree import STATEMENTS, Statement, Tree
from ampfix.findings import Repair


def plan(tree: Tree, repair: Repair) -> list[Change]:
    names = repair.arguments["names"].split(",")
    first = _first(tree, _block(tree, tree.at(repair.span)))
    return [Before(first, f"{name} = {name}.float()") for name in names]


def _block(tree: Tree, node: cst.CSTNode) -> cst.BaseSuite:
    for holder in (node, *tree.ancestors(node)):
        if isinstance(holder, (cst.With, cst.FunctionDef)):
            return holder.body
    raise CannotRepair("the region that switches autocast off is not opened here")


def _first(tree: Tree, block: cst.BaseSuite) -> Statement:
    """The first statement that is no docstring."""
    statements: Sequence[cst.CSTNode] = [
        statement
        for line in block.body
        for statement in (line.body if isinstance(line, cst.SimpleStatementLine) else [line])
    ]
    for statement in statements:
        is_text = isinstance(statement, cst.Expr) and isinstance(
            statement.value, (cst.SimpleString, cst.ConcatenatedString)
        )
        if isinstance(statement, STATEMENTS) and not is_text:
            return statement
    raise CannotRepair(f"the block at line {tree.line(block)} holds no statement")
