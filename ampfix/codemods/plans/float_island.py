"""Takes a call out of autocast, and casts to float32 what enters: a bare `enabled=False` would leave it half.

Span: the call. Arguments: `places`, the arguments to cast; `device`, the region's device. Arguments that are computed
in the call are computed in front of it, so that autocast still acts on them.
"""

from __future__ import annotations

from collections.abc import Mapping

import libcst as cst

from ampfix.codemods._imports import dotted
from ampfix.codemods._places import as_float, expressions_at
from ampfix.codemods.changes import Before, Change, Remove, Replace, replace_by
from ampfix.codemods.errors import CannotRepair
from ampfix.codemods.plans.insert_unscale import insertion_point
from ampfix.codemods.plans.rewrite_expression import spelled
from ampfix.codemods.tree import Statement, Tree
from ampfix.findings import Repair


def plan(tree: Tree, repair: Repair) -> list[Change]:
    call = tree.at(repair.span)
    statement = insertion_point(tree, call)
    opening = (
        f"with {spelled(tree, 'torch')}.autocast({tree.quote}{repair.arguments['device']}{tree.quote}, enabled=False):"
    )
    changes: list[Change] = []
    casts: dict[cst.CSTNode, cst.BaseExpression] = {}
    for node in expressions_at(tree, repair.arguments["places"]):
        entering: cst.BaseExpression = node
        if not any(holder is call for holder in tree.ancestors(node)):
            changes.append(Replace(node, as_float, "float"))
            continue
        if not dotted(node):
            name = _fresh(tree, "loss_input", len(casts))
            changes.append(Before(statement, f"{name} = {tree.code(node)}"))
            entering = cst.Name(name)
        casts[node] = as_float(entering)
    if _is_whole(statement, call):
        body = tree.code(_with(statement, casts).with_changes(semicolon=cst.MaybeSentinel.DEFAULT))
        comment = _comment_beside(tree, statement)
        return [*changes, Before(statement, _block(tree, opening, body + comment)), Remove(statement)]
    name = _fresh(tree, "loss_term", 0)
    block = _block(tree, opening, f"{name} = {tree.code(_with(call, casts))}")
    return [*changes, Before(statement, block), replace_by(call, name)]


def _fresh(tree: Tree, wish: str, taken: int) -> str:
    return tree.fresh_name(wish if not taken else f"{wish}_{taken + 1}")


def _is_whole(statement: Statement, call: cst.CSTNode) -> bool:
    """Whether the statement does nothing but bind or return the call's result."""
    return isinstance(statement, (cst.Assign, cst.Return)) and statement.value is call


def _block(tree: Tree, opening: str, body: str) -> str:
    return f"{opening}\n{tree.module.default_indent}{body}"


def _comment_beside(tree: Tree, statement: Statement) -> str:
    line = tree.parent(statement)
    if not isinstance(line, cst.SimpleStatementLine) or len(line.body) > 1:
        raise CannotRepair("the call shares its line with another statement; give it a line of its own")
    comment = line.trailing_whitespace.comment
    return f"  {comment.value}" if comment is not None else ""


def _with(node: cst.CSTNode, casts: Mapping[cst.CSTNode, cst.BaseExpression]) -> cst.CSTNode:
    """The node with some of the expressions in it exchanged."""

    class Exchange(cst.CSTTransformer):
        def on_leave(self, original_node, updated_node):  # type: ignore[no-untyped-def]
            return casts.get(original_node, updated_node)

    made = node.visit(Exchange())
    assert isinstance(made, cst.CSTNode)
    return made
