"""Takes an argument out of a call, so that the default holds.

Span: the call. Arguments: `keyword`, `value`: the argument's source text, which finds it where it is positional.
"""

from __future__ import annotations

import libcst as cst

from ampfix.codemods.changes import Change, Replace
from ampfix.codemods.errors import CannotRepair
from ampfix.codemods.tree import Tree
from ampfix.findings import Repair


def plan(tree: Tree, repair: Repair) -> list[Change]:
    call, keyword = tree.at(repair.span), repair.arguments["keyword"]
    if not isinstance(call, cst.Call):
        raise CannotRepair("the call is no longer where it was")
    index = next((i for i, a in enumerate(call.args) if a.keyword is not None and a.keyword.value == keyword), None)
    if index is None:
        index = _positional(tree, call, repair.arguments["value"])

    def build(node: cst.CSTNode) -> cst.CSTNode:
        updated = cst.ensure_type(node, cst.Call)
        kept = [argument for position, argument in enumerate(updated.args) if position != index]
        if kept and index == len(kept):  # the last one: its comma, or none, ends the list now
            last = updated.args[index]
            kept[-1] = kept[-1].with_changes(comma=last.comma, whitespace_after_arg=last.whitespace_after_arg)
        return updated.with_changes(args=kept)

    return [Replace(call, build, f"without {keyword}")]


def _positional(tree: Tree, call: cst.Call, value: str) -> int:
    """The argument with this source, if it is the last one that goes by position."""
    positional = [i for i, argument in enumerate(call.args) if argument.keyword is None and not argument.star]
    if not positional or tree.code(call.args[positional[-1]].value) != value:
        raise CannotRepair("arguments that follow it go by position; name them, so that it can be left out")
    return positional[-1]
