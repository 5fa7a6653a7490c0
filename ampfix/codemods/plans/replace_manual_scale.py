"""Exchanges a constant loss scale, multiplied in and divided out by hand, for a GradScaler.

Span: the `backward()` statement. Arguments: `optimizer`, `loss`, `scale`: source text; optional `unscale_line`: the
line of the loop that divides the gradients; optional `floor`: the oldest torch release the project supports.
"""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from ampfix.codemods.changes import Change, Remove, Replace, replace_by
from ampfix.codemods.errors import CannotRepair
from ampfix.codemods.plans._scaling import (
    construction,
    construction_call,
    region_of,
    stepped,
    steps_of,
    unscaled_clips,
)
from ampfix.codemods.tree import LOOPS, Statement, Tree
from ampfix.findings import Repair


def plan(tree: Tree, repair: Repair) -> list[Change]:
    optimizer, loss = repair.arguments["optimizer"], repair.arguments["loss"]
    backward = tree.statement(tree.at(repair.span))
    region = region_of(tree, backward)
    receiver = _receiver(tree, region, backward)
    call = construction_call(tree, region, repair.arguments.get("floor", ""))
    scaler, built = construction(tree, backward, optimizer, call)
    changes: list[Change] = [*built, replace_by(receiver, f"{scaler}.scale({loss})")]
    changes += _without_product(tree, region, receiver, loss)
    unscale = f"{scaler}.unscale_({optimizer})"
    if "unscale_line" in repair.arguments:
        division = _division(tree, region, int(repair.arguments["unscale_line"]))
        changes.append(Replace(division, lambda node: _instead(node, unscale), unscale))
    else:
        changes += unscaled_clips(tree, region, steps_of(tree, region, optimizer), unscale)
    return [*changes, *stepped(tree, region, optimizer, scaler)]


def _instead(node: cst.CSTNode, source: str) -> cst.BaseStatement:
    """A statement in the place of a compound one, under the same comments."""
    made = cst.ensure_type(cst.parse_statement(source), cst.SimpleStatementLine)
    return made.with_changes(leading_lines=cst.ensure_type(node, cst.For).leading_lines)


def _receiver(tree: Tree, region: cst.CSTNode, backward: Statement) -> cst.BaseExpression:
    calls = [
        call
        for call in tree.find(region, cst.Call)
        if isinstance(call.func, cst.Attribute) and call.func.attr.value == "backward"
    ]
    if len(calls) != 1 or tree.statement(calls[0]) is not backward:
        raise CannotRepair("several losses run backward in this loop; scale each of them through the scaler by hand")
    assert isinstance(calls[0].func, cst.Attribute)
    return calls[0].func.value


def _without_product(tree: Tree, region: cst.CSTNode, receiver: cst.BaseExpression, loss: str) -> Iterator[Change]:
    """Take out the statement that multiplied the loss, where nothing but the backward pass reads its result."""
    if not isinstance(receiver, cst.Name):
        return
    name = receiver.value
    statements: list[cst.Assign | cst.AugAssign] = [*tree.find(region, cst.Assign), *tree.find(region, cst.AugAssign)]
    for statement in statements:
        target = statement.target if isinstance(statement, cst.AugAssign) else statement.targets[0].target
        is_product = isinstance(statement, cst.AugAssign) == (name == loss)
        if tree.code(target) != name or not is_product:
            continue
        if isinstance(statement, cst.AugAssign) and not isinstance(statement.operator, cst.MultiplyAssign):
            continue
        read = [node for node in tree.find(region, cst.Name) if node.value == name and node not in (target, receiver)]
        if read and isinstance(statement, cst.Assign):
            return
        yield Remove(statement)


def _division(tree: Tree, region: cst.CSTNode, line: int) -> cst.For:
    """The loop over the parameters that does nothing but divide their gradients."""
    loop = next((loop for loop in tree.find(region, cst.For) if tree.line(loop) == line and loop is not region), None)
    if loop is None:
        raise CannotRepair("the gradients are divided in another function; let the scaler unscale them there")
    body = loop.body
    while isinstance(body, cst.IndentedBlock) and len(body.body) == 1 and isinstance(body.body[0], cst.If):
        if body.body[0].orelse is not None:
            break
        body = body.body[0].body
    small = [one for line_ in body.body for one in getattr(line_, "body", [None, None])] if body.body else []
    if len(small) != 1 or any(isinstance(node, LOOPS) for node in body.body):
        raise CannotRepair("the loop that divides the gradients does more than that; take it apart by hand")
    return loop
