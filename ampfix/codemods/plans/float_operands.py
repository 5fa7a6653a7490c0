"""Casts tensors to float32 where they enter an expression: `x.var()` becomes `x.float().var()`.

Arguments: `places`, the expressions to cast ("line:column-line:column", separated by semicolons).
"""

from __future__ import annotations

from ampfix.codemods._places import as_float, expressions_at
from ampfix.codemods.changes import Change, Replace
from ampfix.codemods.tree import Tree
from ampfix.findings import Repair


def plan(tree: Tree, repair: Repair) -> list[Change]:
    return [Replace(node, as_float, "float") for node in expressions_at(tree, repair.arguments["places"])]
