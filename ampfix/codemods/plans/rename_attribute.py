"""Gives a method or function that is reached by a dotted name its new name.

Span: the dotted expression. Argument `name`: the new last part.
"""

from __future__ import annotations

import libcst as cst

from ampfix.codemods.changes import Change, Replace
from ampfix.codemods.errors import CannotRepair
from ampfix.codemods.tree import Tree
from ampfix.findings import Repair


def plan(tree: Tree, repair: Repair) -> list[Change]:
    node = tree.at(repair.span)
    if not isinstance(node, cst.Attribute):
        raise CannotRepair("the name is not written behind a dot here")
    return [Replace(node.attr, lambda _: cst.Name(repair.arguments["name"]), repair.arguments["name"])]
