"""Sets the `enabled` argument of a scaler's or a region's construction.

Span: the call. Arguments: `value`: source text; `old`: the source text of the argument it replaces, if there is one.
"""

from __future__ import annotations

import libcst as cst

from ampfix.codemods.changes import Change, Replace
from ampfix.codemods.errors import CannotRepair
from ampfix.codemods.tree import Tree
from ampfix.findings import Repair

_PLAIN = cst.AssignEqual(cst.SimpleWhitespace(""), cst.SimpleWhitespace(""))


def plan(tree: Tree, repair: Repair) -> list[Change]:
    call, value = tree.at(repair.span), repair.arguments["value"]
    if not isinstance(call, cst.Call):
        raise CannotRepair("the call is no longer where it was")
    index = _index(tree, call, repair.arguments.get("old", ""))

    def build(node: cst.CSTNode) -> cst.CSTNode:
        updated = cst.ensure_type(node, cst.Call)
        arguments = list(updated.args)
        if index is not None:
            arguments[index] = arguments[index].with_changes(value=cst.parse_expression(value))
            return updated.with_changes(args=arguments)
        new = cst.Arg(cst.parse_expression(value), keyword=cst.Name("enabled"), equal=_PLAIN)
        if arguments:
            last = arguments[-1]
            new = new.with_changes(comma=last.comma, whitespace_after_arg=last.whitespace_after_arg)
            between = arguments[-2].comma if len(arguments) > 1 else _separator(updated)
            arguments[-1] = last.with_changes(comma=between, whitespace_after_arg=cst.SimpleWhitespace(""))
        return updated.with_changes(args=[*arguments, new])

    return [Replace(call, build, value)]


def _separator(call: cst.Call) -> cst.Comma:
    """A line of its own where the only argument has one."""
    before = call.whitespace_before_args
    space = before if isinstance(before, cst.ParenthesizedWhitespace) else cst.SimpleWhitespace(" ")
    return cst.Comma(whitespace_after=space)


def _index(tree: Tree, call: cst.Call, old: str) -> int | None:
    for index, argument in enumerate(call.args):
        if argument.keyword is not None and argument.keyword.value == "enabled":
            return index
    if not old:
        return None
    positional = [i for i, a in enumerate(call.args) if a.keyword is None and not a.star and tree.code(a.value) == old]
    if len(positional) != 1:
        raise CannotRepair("which positional argument is `enabled` is not clear; name it")
    return positional[0]
