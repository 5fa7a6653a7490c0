"""Keeps an accumulator in float32: its constructor's dtype changes, or its cast to half goes.

Span: the dtype expression of the constructor, or the cast. With an argument `copy` the cast becomes `clone()`, where
it is the cast that makes a copy.
"""

from __future__ import annotations

import libcst as cst

from ampfix.codemods._casts import as_clone, is_cast, is_half, without_cast
from ampfix.codemods.changes import Change, Replace
from ampfix.codemods.errors import CannotRepair
from ampfix.codemods.tree import Tree
from ampfix.findings import Repair


def plan(tree: Tree, repair: Repair) -> list[Change]:
    node = tree.at(repair.span)
    if isinstance(node, cst.Call) and is_cast(node):
        return [as_clone(node) if "copy" in repair.arguments else without_cast(tree, node)]
    if isinstance(node, cst.Attribute) and is_half(node):
        return [Replace(node, lambda _: node.with_changes(attr=cst.Name("float32")), "float32")]
    raise CannotRepair(f"the dtype {tree.code(node)} is chosen elsewhere; give the accumulator torch.float32 there")
