"""Lets a framework's object clip, which knows whether the gradients are scaled.

Span: the call of torch's clip. Arguments: `function`: what to call instead, with the same arguments; optional
`condition`: the test under which it may run.
"""

from __future__ import annotations

import libcst as cst

from ampfix.codemods._imports import binding_of, root_of, unimported
from ampfix.codemods.changes import Change, Guard, replace_by
from ampfix.codemods.errors import CannotRepair
from ampfix.codemods.tree import Tree
from ampfix.findings import Repair


def plan(tree: Tree, repair: Repair) -> list[Change]:
    call = tree.at(repair.span)
    if not isinstance(call, cst.Call):
        raise CannotRepair("the clip is not a plain call here")
    changes: list[Change] = [replace_by(call.func, repair.arguments["function"])]
    condition = repair.arguments.get("condition", "")
    if condition:
        statement = tree.statement(call)
        if not isinstance(statement, cst.Expr):
            raise CannotRepair(f"the norm that the clip returns is used; clip under `if {condition}:` by hand")
        changes.append(Guard(statement, condition))
    if isinstance(call.func, cst.Name):
        changes += unimported(tree, binding_of(tree, root_of(call.func)))
    return changes
