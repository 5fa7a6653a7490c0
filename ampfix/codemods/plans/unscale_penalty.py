"""Divides the gradients that `torch.autograd.grad` returns by the loss scale.

Span: the call. Argument `scaler`: source text.
"""

from __future__ import annotations

import libcst as cst

from ampfix.codemods.changes import After, Change
from ampfix.codemods.errors import CannotRepair
from ampfix.codemods.tree import Tree
from ampfix.findings import Repair


def plan(tree: Tree, repair: Repair) -> list[Change]:
    call, scaler = tree.at(repair.span), repair.arguments["scaler"]
    assign = tree.statement(call)
    if not isinstance(assign, cst.Assign) or len(assign.targets) != 1:
        raise CannotRepair("the gradients have no name; assign them before they are used")
    target: cst.BaseExpression = assign.targets[0].target
    inverse = tree.fresh_name("inv_scale")
    single = _is_first(assign.value, call)
    if isinstance(target, cst.Tuple) and len(target.elements) == 1 and assign.value is call:
        target, single = target.elements[0].value, True
    if not isinstance(target, (cst.Name, cst.Attribute)) or (assign.value is not call and not single):
        raise CannotRepair("the gradients are taken apart where they are computed; give them a name first")
    name = tree.code(target)
    grad = "grad" if name != "grad" else "one"
    value = f"{name} * {inverse}" if single else f"[{grad} * {inverse} for {grad} in {name}]"
    return [After(assign, f"{inverse} = 1.0 / {scaler}.get_scale()"), After(assign, f"{name} = {value}")]


def _is_first(value: cst.BaseExpression, call: cst.CSTNode) -> bool:
    """Whether it is `call[0]`."""
    if not isinstance(value, cst.Subscript) or value.value is not call or len(value.slice) != 1:
        return False
    index = value.slice[0].slice
    return isinstance(index, cst.Index) and isinstance(index.value, cst.Integer)
