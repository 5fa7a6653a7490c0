"""Lets a bfloat16 loop run on older GPUs: float16 with a scaler where the hardware has no bfloat16.

Span: the autocast call. Arguments: `optimizer`: source text; optional `floor`: the oldest torch release the project
supports. The dtype is chosen in front of the loop; the scaler is enabled for float16 alone, so that nothing changes
where bfloat16 is native.
"""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from ampfix.codemods._imports import dotted, global_name
from ampfix.codemods.changes import Before, Change, replace_by
from ampfix.codemods.errors import CannotRepair
from ampfix.codemods.plans import add_scaler
from ampfix.codemods.plans.portable_dtype import choice
from ampfix.codemods.tree import LOOPS, Tree
from ampfix.findings import Repair
from ampfix.records import replace


def plan(tree: Tree, repair: Repair) -> list[Change]:
    torch = global_name(tree, "torch")
    if torch is None:
        raise CannotRepair("torch is not imported at module level; import it, so that the hardware can be asked")
    region = tree.at(repair.span)
    loop = next(reversed(list(tree.enclosing(region, LOOPS))), None)
    if loop is None:
        raise CannotRepair("no loop stands around the region; choose the dtype where the scaler can see it")
    backwards = [call for call in tree.find(loop, cst.Call) if _is_backward(call)]
    if len(backwards) != 1:
        raise CannotRepair("not exactly one backward stands in the loop of the region; choose the dtype by hand")
    name = tree.fresh_name("amp_dtype")
    picked = choice(torch, repair.arguments.get("floor", ""))
    changes: list[Change] = [Before(loop, f"{name} = {picked}")]
    protocol = add_scaler.plan(tree, replace(repair, span=tree.span(backwards[0])))
    changes += [_for_float16(change, loop, f"{name} == {torch}.float16") for change in protocol]
    return [*changes, *(replace_by(dtype, name) for dtype in _bfloat16(tree, loop))]


def _is_backward(call: cst.Call) -> bool:
    return isinstance(call.func, cst.Attribute) and call.func.attr.value == "backward"


def _for_float16(change: Change, loop: cst.CSTNode, condition: str) -> Change:
    """The change, with the scaler it builds enabled under the condition."""
    source = getattr(change, "source", "")
    if "GradScaler(" not in source:
        return change
    if not isinstance(change, Before) or change.anchor is not loop or "enabled=" in source:
        raise CannotRepair("the scaler belongs in another place than the dtype; choose both by hand")
    separator = "" if source.endswith("()") else ", "
    return Before(change.anchor, f"{source[:-1]}{separator}enabled={condition})")


def _bfloat16(tree: Tree, loop: cst.CSTNode) -> Iterator[cst.Attribute]:
    """Every bfloat16 that the regions of the loop name. Raises CannotRepair for one that stands elsewhere in it."""
    for node in tree.walk(loop):
        if isinstance(node, cst.Attribute) and node.attr.value == "bfloat16":
            argument = tree.parent(node)
            call = tree.parent(argument) if isinstance(argument, cst.Arg) else None
            if not isinstance(call, cst.Call) or dotted(call.func)[-1:] != ["autocast"]:
                raise CannotRepair(f"line {tree.line(node)} names bfloat16 outside a region; choose the dtype by hand")
            yield node
