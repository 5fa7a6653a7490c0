"""Sums on the device and reads the sum once, behind the loop.

Span: the first `total += loss.item()`. Argument `places`: "line:column" of every such `item()` call of the loop, joined
by spaces. The sum is float32, whatever the loss is, and becomes a number again behind the loop.
"""

from __future__ import annotations

import libcst as cst

from ampfix.codemods.changes import After, Change, replace_by
from ampfix.codemods.errors import CannotRepair
from ampfix.codemods.tree import LOOPS, Tree
from ampfix.findings import Position, Repair, Span


def plan(tree: Tree, repair: Repair) -> list[Change]:
    changes: list[Change] = []
    for text in repair.arguments["places"].split():
        changes += _deferred(tree, text)
    return changes


def _deferred(tree: Tree, text: str) -> list[Change]:
    place = Position(*map(int, text.split(":")))
    node: cst.CSTNode | None = tree.at(Span(place, place))
    while node is not None and not _is_item(node):
        node = tree.parent(node)
    if not isinstance(node, cst.Call) or not isinstance(node.func, cst.Attribute):
        raise CannotRepair("the value is not read by item() here; read it every N steps by hand")
    statement = tree.statement(node)
    loop = next(tree.enclosing(statement, LOOPS), None)
    if loop is None or not isinstance(statement, cst.AugAssign) or not isinstance(statement.target, cst.Name):
        raise CannotRepair("the value is not summed in a variable here; read it every N steps by hand")
    total = statement.target.value
    uses = [name for name in tree.walk(loop) if isinstance(name, cst.Name) and name.value == total]
    sums = [
        s for s in tree.find(loop.body, cst.AugAssign) if isinstance(s.target, cst.Name) and s.target.value == total
    ]
    if len(uses) != len(sums):
        raise CannotRepair(f"{total} is read inside the loop as well; read it every N steps by hand")
    return [
        replace_by(node, f"{tree.code(node.func.value)}.detach().float()"),
        After(loop, f"{total} = float({total})"),
    ]


def _is_item(node: cst.CSTNode) -> bool:
    return isinstance(node, cst.Call) and isinstance(node.func, cst.Attribute) and node.func.attr.value == "item"
