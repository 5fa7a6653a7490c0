"""Walks over parts of a syntax tree that was indexed once."""

from __future__ import annotations

import ast
from collections.abc import Sequence

_SCOPES = frozenset({ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef})
_LEAVES = frozenset({ast.Name, ast.Constant, ast.Pass, ast.Break, ast.Continue, ast.alias, ast.Global, ast.Nonlocal})
# What a tree consists of; contexts and operators are shared between nodes.
_SHARED = (ast.expr_context, ast.operator, ast.boolop, ast.unaryop, ast.cmpop)
_NODES = frozenset(
    kind
    for kind in vars(ast).values()
    if isinstance(kind, type) and issubclass(kind, ast.AST) and not issubclass(kind, _SHARED)
)
_SCALARS = frozenset({"ctx", "op", "ops", "id", "attr", "module", "level", "kind", "type_comment", "is_async"})
# Fields of each node class that hold nodes worth visiting: contexts and operators are shared between nodes.
_FIELDS: dict[type[ast.AST], tuple[str, ...]] = {}


def children(node: ast.AST) -> list[ast.AST]:
    """The nodes right below one, in source order; contexts and operators left out."""
    kind = node.__class__
    fields = _FIELDS.get(kind)
    if fields is None:
        fields = _FIELDS[kind] = tuple(name for name in kind._fields if name not in _SCALARS)
    found: list[ast.AST] = []
    for name in fields:
        value = getattr(node, name, None)
        if value.__class__ is list:
            found.extend([item for item in value if isinstance(item, ast.AST)])
        elif isinstance(value, ast.AST):
            found.append(value)
    return found


def walk(node: ast.AST) -> Sequence[ast.AST]:
    """The node and all nodes below it, outer before inner, in source order; contexts and operators left out."""
    tree: TreeIndex | None = getattr(node, "ampfix_tree", None)
    if tree is not None:
        return tree.inside(node)
    found: list[ast.AST] = []
    pending = [node]
    while pending:
        found.append(pending.pop())
        pending.extend(reversed(children(found[-1])))
    return found


def unparsed(node: ast.AST) -> str:
    """The node's source in canonical form, worked out once."""
    known: str | None = getattr(node, "ampfix_text", None)
    if known is None:
        known = node.ampfix_text = ast.unparse(node)  # type: ignore[attr-defined]
    return known


class TreeIndex:
    """One pass over a module: every node in order, its parent, its scope.

    owners: node -> the module, class or function whose code it is evaluated in; decorators, defaults and bases belong
    to the scope around. owned: the other way round. Marks the nodes, so that `walk` finds its way from any of them.
    """

    def __init__(self, tree: ast.Module) -> None:
        self.order: list[ast.AST] = []
        self.parents: dict[ast.AST, ast.AST] = {}
        self.owners: dict[ast.AST, ast.AST] = {tree: tree}
        self.owned: dict[ast.AST, list[ast.AST]] = {tree: []}
        self._ends: list[int] = []
        self._visit(tree)

    def _visit(self, tree: ast.Module) -> None:
        order, parents, owners, owned = self.order, self.parents, self.owners, self.owned
        pending: list[ast.AST] = [tree]
        while pending:
            node = pending.pop()
            owner, kind = owners[node], node.__class__
            node.ampfix_tree, node.ampfix_at = self, len(order)  # type: ignore[attr-defined]
            order.append(node)
            owned[owner].append(node)
            if kind in _LEAVES:
                continue
            below: list[ast.AST] = []
            for value in node.__dict__.values():  # its fields in order, then what is no node
                what = value.__class__
                if what is list:
                    below.extend([item for item in value if item.__class__ in _NODES])
                elif what in _NODES:
                    below.append(value)
            if kind in _SCOPES:
                owned[node] = []
                inside = node.body  # type: ignore[attr-defined]
                body = set(map(id, inside)) if isinstance(inside, list) else {id(inside)}
                for child in below:
                    parents[child] = node
                    owners[child] = node if id(child) in body else owner
            else:
                for child in below:
                    parents[child] = node
                    owners[child] = owner
            below.reverse()
            pending.extend(below)
        del owned[tree][0]

    def _close(self) -> list[int]:
        """Where each node's own nodes end: a node's last child ends where the node does."""
        order, parents = self.order, self.parents
        ends = self._ends = [0] * len(order)
        for at in range(len(order) - 1, -1, -1):
            end = ends[at]
            if not end:
                end = ends[at] = at + 1
            parent = parents.get(order[at])
            if parent is not None:
                above: int = parent.ampfix_at  # type: ignore[attr-defined]
                if not ends[above]:
                    ends[above] = end
        return ends

    def clear(self) -> None:
        """Let go of the tree."""
        for held in (self.order, self._ends, self.parents, self.owners, self.owned):
            held.clear()

    def inside(self, node: ast.AST) -> list[ast.AST]:
        """The node and all below it."""
        at: int = node.ampfix_at  # type: ignore[attr-defined]
        return self.order[at : (self._ends or self._close())[at]]

    def by_type(self) -> dict[type[ast.AST], list[ast.AST]]:
        """Every node by its class, in source order."""
        found: dict[type[ast.AST], list[ast.AST]] = {}
        for node in self.order:
            found.setdefault(type(node), []).append(node)
        return found
