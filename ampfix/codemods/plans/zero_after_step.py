"""Moves `zero_grad()` out of an accumulation window: in front of the loop, and behind the optimizer's step.

Span: the `zero_grad` statement. Argument `step_line`: the line of the step.
"""

from __future__ import annotations

import libcst as cst

from ampfix.codemods._imports import dotted
from ampfix.codemods.changes import After, Before, Change, Remove
from ampfix.codemods.errors import CannotRepair
from ampfix.codemods.tree import LOOPS, Statement, Tree
from ampfix.findings import Repair


def plan(tree: Tree, repair: Repair) -> list[Change]:
    zero = tree.statement(tree.at(repair.span))
    loop = next(tree.enclosing(zero, LOOPS), None)
    if not isinstance(zero, cst.Expr) or loop is None:
        raise CannotRepair("gradients are zeroed inside a larger statement; put that in a statement of its own")
    if len(tree.block(zero)) == 1:
        raise CannotRepair("nothing else stands beside zero_grad() there; move it behind the step by hand")
    last = _last(tree, loop, zero, int(repair.arguments["step_line"]))
    call = tree.code(zero.value)
    changes: list[Change] = [Remove(zero), Before(loop, tree.with_comments(zero))]
    if not any(isinstance(one, cst.Expr) and tree.code(one.value) == call for one in tree.block(last)):
        changes.append(After(last, call))
    return changes


def _last(tree: Tree, loop: cst.CSTNode, zero: Statement, line: int) -> Statement:
    """The last statement, of those that run once per window, that steps or updates."""
    calls = (call for call in tree.find(loop, cst.Call) if tree.line(call) == line and _ends(call))
    step = next((tree.statement(call) for call in calls), None)
    if step is None:
        raise CannotRepair("the optimizer's step is no longer where it was")
    around_zero = set(tree.ancestors(zero))
    inside = [one for one in tree.enclosing(step, cst.BaseCompoundStatement) if one not in around_zero]
    window = next((one for one in reversed(inside) if isinstance(one, cst.If)), None)
    if window is not None and window.orelse is not None:
        raise CannotRepair("the optimizer steps on several branches; zero its gradients behind each by hand")
    outer = inside[inside.index(window) - 1] if window is not None and inside[0] is not window else step
    block = tree.block(outer)
    ending = [one for one in block if isinstance(one, cst.Expr) and _ends(one.value)]
    return max([outer, *ending], key=tree.start)


def _ends(node: cst.CSTNode) -> bool:
    return isinstance(node, cst.Call) and dotted(node.func)[-1:] in (["step"], ["update"])
