"""Gives an autocast region another dtype.

Span: the autocast call. Argument `dtype`: source text of the dtype, as another region of the function has it.
"""

from __future__ import annotations

import libcst as cst

from ampfix.codemods.changes import Change, Replace
from ampfix.codemods.errors import CannotRepair
from ampfix.codemods.tree import Tree
from ampfix.findings import Repair

_PLACE = 1  # of dtype, in torch.autocast(device_type, dtype, ...) and in torch.cuda.amp.autocast(enabled, dtype, ...)


def plan(tree: Tree, repair: Repair) -> list[Change]:
    call = tree.at(repair.span)
    if not isinstance(call, cst.Call):
        raise CannotRepair("the region is not opened by a call here; set its dtype where it is made")
    return [with_dtype(call, repair.arguments["dtype"])]


def with_dtype(call: cst.Call, dtype: str) -> Replace:
    """The call with this dtype, whether it had one or not. Raises CannotRepair for unpacked arguments."""
    if any(argument.star for argument in call.args):
        raise CannotRepair("arguments are unpacked into autocast(...), so its dtype is not known here")
    place = _place(call)

    def build(node: cst.CSTNode) -> cst.CSTNode:
        updated = cst.ensure_type(node, cst.Call)
        value = cst.parse_expression(dtype)
        if place is not None:
            arguments = list(updated.args)
            arguments[place] = arguments[place].with_changes(value=value)
            return updated.with_changes(args=arguments)
        plain = cst.AssignEqual(cst.SimpleWhitespace(""), cst.SimpleWhitespace(""))
        return updated.with_changes(args=[*updated.args, cst.Arg(value, keyword=cst.Name("dtype"), equal=plain)])

    return Replace(call, build, f"dtype={dtype}")


def _place(call: cst.Call) -> int | None:
    for place, argument in enumerate(call.args):
        if argument.keyword is not None and argument.keyword.value == "dtype":
            return place
    return _PLACE if len(call.args) > _PLACE and call.args[_PLACE].keyword is None else None
