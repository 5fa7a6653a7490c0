"""Divides a loss by the number of micro-batches in a window.

Span: the loss, as an expression. Argument `count`: source text.
"""

from __future__ import annotations

import libcst as cst

from ampfix.codemods.changes import Change, Replace
from ampfix.codemods.errors import CannotRepair
from ampfix.codemods.tree import Tree
from ampfix.findings import Repair

_ATOMS = (cst.Name, cst.Attribute, cst.Call, cst.Subscript)


def plan(tree: Tree, repair: Repair) -> list[Change]:
    loss, count = tree.at(repair.span), repair.arguments["count"]
    if not isinstance(loss, cst.BaseExpression):
        raise CannotRepair("the loss is no longer where it was")
    parent = tree.parent(loss)
    is_receiver = isinstance(parent, cst.Attribute) and parent.value is loss

    def build(node: cst.CSTNode) -> cst.CSTNode:
        old = cst.ensure_type(node, cst.BaseExpression)  # type: ignore[type-abstract]
        if not isinstance(old, _ATOMS) and not old.lpar:
            old = old.with_changes(lpar=[cst.LeftParen()], rpar=[cst.RightParen()])
        quotient = cst.BinaryOperation(old, cst.Divide(), cst.parse_expression(count))
        if is_receiver:
            return quotient.with_changes(lpar=[cst.LeftParen()], rpar=[cst.RightParen()])
        return quotient

    return [Replace(loss, build, count)]
