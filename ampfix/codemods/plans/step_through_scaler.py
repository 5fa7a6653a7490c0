"""Steps an optimizer through the scaler that scaled its gradients.

Span: the call `optimizer.step()`.
Arguments: `scaler`, `optimizer`: source text; optional `condition`: the test under which the loss was scaled, which the
plain step stays for otherwise; optional `update`: not empty where `SCALER.update()` has to follow.
"""

from __future__ import annotations

import libcst as cst

from ampfix.codemods.changes import After, Before, Change, Remove, replace_by
from ampfix.codemods.errors import CannotRepair
from ampfix.codemods.plans._moving import call_alone, under
from ampfix.codemods.tree import Tree
from ampfix.findings import Repair


def plan(tree: Tree, repair: Repair) -> list[Change]:
    scaler, optimizer = repair.arguments["scaler"], repair.arguments["optimizer"]
    call = tree.at(repair.span)
    if not isinstance(call, cst.Call):
        raise CannotRepair("the optimizer's step is not a plain call")
    if call.args:
        raise CannotRepair("the optimizer steps with a closure, which an enabled scaler refuses")
    statement = tree.statement(call)
    step = f"{scaler}.step({optimizer})"
    updates = (f"{scaler}.update()",) if repair.arguments.get("update") else ()
    condition = repair.arguments.get("condition", "")
    if condition:
        call_alone(tree, statement)
        plain = tree.with_comments(statement).replace("\n", f"\n{tree.module.default_indent}")
        otherwise = f"else:\n{tree.module.default_indent}{plain}"
        return [Before(statement, f"{under(tree, condition, step, *updates)}\n{otherwise}"), Remove(statement)]
    return [replace_by(call, step), *(After(statement, update) for update in updates)]
