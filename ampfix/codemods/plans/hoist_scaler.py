"""Moves the construction of a scaler out of what repeats it.

Span: the construction. Optional argument `loop_line`: the line of the loop that it goes in front of. Without one, or
where the function itself runs in a loop, its callers build the scaler and hand it in.
"""

from __future__ import annotations

import libcst as cst

from ampfix.codemods._imports import dotted
from ampfix.codemods.changes import Before, Change, Remove
from ampfix.codemods.errors import CannotRepair
from ampfix.codemods.plans._handover import calls_in_loops, hand_over
from ampfix.codemods.tree import LOOPS, Statement, Tree
from ampfix.findings import Repair


def plan(tree: Tree, repair: Repair) -> list[Change]:
    assign = tree.statement(tree.at(repair.span))
    if not isinstance(assign, cst.Assign) or len(assign.targets) != 1:
        raise CannotRepair("the scaler's construction is part of a larger statement; put it in an assignment")
    target = tree.code(assign.targets[0].target)
    function = tree.function(assign)
    if isinstance(function, cst.FunctionDef) and calls_in_loops(tree, function) and "." not in target:
        _refuse_dependence(tree, assign, function)
        return [Remove(assign), *hand_over(tree, function, target, tree.code(assign.value))]
    if "loop_line" not in repair.arguments:
        raise CannotRepair(f"{target} outlives the function that builds it; build it where its object is set up")
    line = int(repair.arguments["loop_line"])
    loop = next((loop for loop in tree.enclosing(assign, LOOPS) if tree.line(loop) == line), None)
    if loop is None:
        raise CannotRepair("the loop is no longer where it was")
    moved = _moved(tree, assign, loop)
    _refuse_dependence(tree, moved, loop)
    return [Remove(moved), Before(loop, _source(tree, moved))]


def _moved(tree: Tree, assign: cst.Assign, loop: cst.BaseCompoundStatement) -> Statement:
    """The assignment, or the `if` around it that holds nothing else. Loops in between are left as well."""
    statement: Statement = assign
    for holder in tree.enclosing(assign, cst.BaseCompoundStatement):
        if holder is loop:
            break
        if isinstance(holder, LOOPS):
            continue
        if not isinstance(holder, cst.If) or holder.orelse is not None or tree.block(statement) != (statement,):
            raise CannotRepair("the scaler is built on a branch; build it in front of the loop by hand")
        statement = holder
    return statement


def _source(tree: Tree, moved: Statement) -> str:
    """The statement with the comments above it."""
    if not isinstance(moved, cst.If):
        return tree.with_comments(moved)
    above = [line.comment.value for line in moved.leading_lines if line.comment]
    return "\n".join((*above, tree.code(moved.with_changes(leading_lines=())).rstrip("\n")))


def _refuse_dependence(tree: Tree, moved: cst.CSTNode, scope: cst.CSTNode) -> None:
    """What moves may read no name that belongs to the place it leaves."""
    own = set(tree.walk(moved))
    local = {tree.code(node) for root in tree.walk(scope) if root not in own for node in _bound(root)}
    for node in tree.walk(moved.value if isinstance(moved, cst.Assign) else moved):
        if isinstance(node, (cst.Name, cst.Attribute)) and dotted(node) and tree.code(node) in local:
            raise CannotRepair(f"the scaler's construction reads {tree.code(node)}, which is not known in front of it")


def _bound(node: cst.CSTNode) -> list[cst.CSTNode]:
    if isinstance(node, cst.AssignTarget):
        return _names(node.target)
    if isinstance(node, (cst.AnnAssign, cst.AugAssign, cst.NamedExpr)):
        return [node.target]
    if isinstance(node, (cst.For, cst.CompFor)):
        return _names(node.target)
    if isinstance(node, cst.Param):
        return [node.name]
    return [node.name] if isinstance(node, cst.AsName) else []


def _names(target: cst.BaseExpression) -> list[cst.CSTNode]:
    if isinstance(target, (cst.Tuple, cst.List)):
        return [name for element in target.elements for name in _names(element.value)]
    return [target]
