"""Asks for bfloat16 in hardware: `is_bf16_supported()` counts emulation unless told otherwise.

Span: the call. Optional argument `floor`: the oldest torch release the project supports.
"""

from __future__ import annotations

import libcst as cst

from ampfix.codemods._imports import global_name
from ampfix.codemods.changes import Change, Replace, replace_by
from ampfix.codemods.errors import CannotRepair
from ampfix.codemods.tree import Tree
from ampfix.findings import Repair

_SINCE = (2, 5)  # torch release in which is_bf16_supported learnt including_emulation


def plan(tree: Tree, repair: Repair) -> list[Change]:
    call = tree.at(repair.span)
    if not isinstance(call, cst.Call):
        raise CannotRepair("is_bf16_supported is not called here; ask for the compute capability where it is")
    floor = repair.arguments.get("floor", "")
    if floor and tuple(map(int, floor.split(".")[:2])) < _SINCE:
        return [_capability(tree, call)]
    plain = cst.AssignEqual(cst.SimpleWhitespace(""), cst.SimpleWhitespace(""))
    argument = cst.Arg(cst.Name("False"), keyword=cst.Name("including_emulation"), equal=plain)
    return [Replace(call, lambda node: cst.ensure_type(node, cst.Call).with_changes(args=[argument]), "native")]


def _capability(tree: Tree, call: cst.Call) -> Change:
    torch = global_name(tree, "torch")
    if torch is None:
        raise CannotRepair("torch is not imported at module level; import it, so that the hardware can be asked")
    if call.args:
        raise CannotRepair("the call has arguments; compare get_device_capability() with (8, 0) by hand")
    return replace_by(call, f"({torch}.cuda.get_device_capability() >= (8, 0))")
