"""Leaves out batches whose loss is not finite: a check in front of the backward pass that continues the loop.

Span: the backward call. Argument: `loss`, the name that holds the loss.
"""

from __future__ import annotations

from ampfix.codemods.changes import Before, Change
from ampfix.codemods.errors import CannotRepair
from ampfix.codemods.plans.insert_unscale import insertion_point
from ampfix.codemods.plans.rewrite_expression import spelled
from ampfix.codemods.tree import LOOPS, Tree
from ampfix.findings import Repair


def plan(tree: Tree, repair: Repair) -> list[Change]:
    backward = insertion_point(tree, tree.at(repair.span))
    if next(tree.enclosing(backward, LOOPS), None) is None:
        raise CannotRepair("the backward pass stands in no loop of its function, so that nothing can be continued")
    condition = f"not {spelled(tree, 'torch')}.isfinite({repair.arguments['loss']})"
    return [Before(backward, f"if {condition}:\n{tree.module.default_indent}continue")]
