"""Exchanges an expression for one that computes the same more safely.

Span: the expression. Arguments: `source`, the new expression, in which `<torch.f>` stands for torch's function f, to be
spelled as the file's imports allow; `unused`, names (comma-separated) whose assignment goes too where nothing else
reads them; `target`, a name to assign to where the expression is a statement by itself.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import libcst as cst

from ampfix.codemods._imports import global_name
from ampfix.codemods.changes import Change, Remove, Replace
from ampfix.codemods.errors import CannotRepair
from ampfix.codemods.tree import Tree
from ampfix.findings import Repair

_TORCH_NAME = re.compile(r"<(torch[\w.]*)>")


def plan(tree: Tree, repair: Repair) -> list[Change]:
    node = tree.at(repair.span)
    source = _TORCH_NAME.sub(lambda match: spelled(tree, match[1]), repair.arguments["source"])
    statement = tree.statement(node)
    target = repair.arguments.get("target", "")
    if isinstance(statement, cst.Expr) and statement.value is node:
        if not target:
            raise CannotRepair("the result of the call is not used; its effect on the tensor in place is")
        assign = cst.Assign([cst.AssignTarget(cst.parse_expression(target))], cst.parse_expression(source))  # type: ignore[arg-type]
        return [Replace(statement, lambda _: assign, f"{target} = {source}")]
    changes: list[Change] = [Replace(node, lambda old: _like(old, source, _is_receiver(tree, node)), source)]
    return [*changes, *_unused(tree, node, source, repair.arguments.get("unused", ""))]


def spelled(tree: Tree, qualified: str) -> str:
    """How the file may write one of torch's names."""
    name = global_name(tree, qualified)
    if name is None:
        raise CannotRepair("torch is not imported at module level; import it, so that its functions can be named")
    return name


def _is_receiver(tree: Tree, node: cst.CSTNode) -> bool:
    parent = tree.parent(node)
    return isinstance(parent, cst.Attribute) and parent.value is node


def _like(old: cst.CSTNode, source: str, is_receiver: bool) -> cst.BaseExpression:
    """The new expression, in the parentheses of the old one, unless they are there for the attribute behind it."""
    new = cst.parse_expression(source)
    before = cst.ensure_type(old, cst.BaseExpression)  # type: ignore[type-abstract]
    is_atom = isinstance(new, (cst.Name, cst.Attribute, cst.Call, cst.Subscript))
    is_plain = all(isinstance(p.whitespace_after, cst.SimpleWhitespace) for p in before.lpar)
    if is_receiver and is_atom and is_plain:
        return new
    return new.with_changes(lpar=[*before.lpar, *new.lpar], rpar=[*new.rpar, *before.rpar])


def _unused(tree: Tree, replaced: cst.CSTNode, source: str, names: str) -> Iterator[Change]:
    """Remove assignments whose name only the replaced expression read, or an assignment that goes with it."""
    function = tree.function(replaced)
    gone = set(tree.walk(replaced))
    kept = {node.value for node in tree.walk(cst.parse_expression(source)) if isinstance(node, cst.Name)}
    waiting = [name for name in names.split(",") if name and name not in kept]
    for name in waiting * len(waiting):
        uses = [n for n in tree.walk(function) if isinstance(n, cst.Name) and n.value == name and n not in gone]
        holder = tree.parent(tree.parent(uses[0]) or uses[0]) if len(uses) == 1 else None
        if isinstance(holder, cst.Assign) and len(holder.targets) == 1 and len(tree.block(holder)) > 1:
            yield Remove(holder)
            gone.update(tree.walk(holder))
