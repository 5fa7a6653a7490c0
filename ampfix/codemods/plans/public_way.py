"""Exchanges a private access for a public call.

Span: the expression, or the assignment. Argument `text`: the call.
"""

from __future__ import annotations

import libcst as cst

from ampfix.codemods.changes import Change, Replace, replace_by
from ampfix.codemods.tree import Tree
from ampfix.findings import Repair


def plan(tree: Tree, repair: Repair) -> list[Change]:
    node, text = tree.at(repair.span), repair.arguments["text"]
    if isinstance(node, cst.Assign):
        return [Replace(node, lambda _: cst.Expr(cst.parse_expression(text)), text)]
    return [replace_by(node, text)]
