"""Scales a loss before it runs backward: `loss.backward()` becomes `SCALER.scale(loss).backward()`.

Span: the call. Arguments: `scaler`: source text; optional `condition`: the test under which the scaler is in use.
"""

from __future__ import annotations

import libcst as cst

from ampfix.codemods.changes import Before, Change, Remove, replace_by
from ampfix.codemods.errors import CannotRepair
from ampfix.codemods.plans._moving import call_alone, under
from ampfix.codemods.tree import Tree
from ampfix.findings import Repair


def plan(tree: Tree, repair: Repair) -> list[Change]:
    call = tree.at(repair.span)
    if not isinstance(call, cst.Call):
        raise CannotRepair("backward is not a plain call")
    loss = _loss(tree, call)
    bare = loss if tree.code(loss).count("\n") else loss.with_changes(lpar=(), rpar=())
    scaled = f"{repair.arguments['scaler']}.scale({tree.code(bare)})"
    condition = repair.arguments.get("condition", "")
    if not condition:
        return [replace_by(loss, scaled)]
    statement = tree.statement(call)
    call_alone(tree, statement)
    plain = tree.with_comments(statement)
    backward = tree.code(call.deep_replace(loss, cst.parse_expression(scaled)))
    indented = plain.replace("\n", f"\n{tree.module.default_indent}")
    otherwise = f"else:\n{tree.module.default_indent}{indented}"
    return [Before(statement, f"{under(tree, condition, backward)}\n{otherwise}"), Remove(statement)]


def _loss(tree: Tree, call: cst.Call) -> cst.BaseExpression:
    """What runs backward: of `loss.backward()` the loss, of `torch.autograd.backward(loss)` the argument."""
    receiver = call.func.value if isinstance(call.func, cst.Attribute) else None
    if receiver is None or tree.code(receiver).endswith("autograd"):
        if not call.args:
            raise CannotRepair("which loss runs backward is not told here")
        receiver = call.args[0].value
    if isinstance(receiver, (cst.List, cst.Tuple)):
        raise CannotRepair("several losses run backward in one call; scale each of them")
    return receiver
