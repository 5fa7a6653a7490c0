"""Walks over parts of a syntax tree that was indexed once."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

_Functions = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda)
_SCALARS = frozenset({"ctx", "op", "ops", "id", "attr", "module", "level", "kind", "type_comment", "is_async"})
# Fields of each node class that hold nodes worth visiting: contexts and operators are shared between nodes.
_FIELDS: dict[type[ast.AST], tuple[str, ...]] = {}


def children(node: ast.AST) -> Iterator[ast.AST]:
    """The nodes right below one, in source order; contexts and operators left out."""
    kind = type(node)
    fields = _FIELDS.get(kind)
    if fields is None:
        fields = _FIELDS[kind] = tuple(name for name in kind._fields if name not in _SCALARS)
    for name in fields:
        value = getattr(node, name, None)
        if value.__class__ is list:
            for item in value:
                if isinstance(item, ast.AST):
                    yield item
        elif isinstance(value, ast.AST):
            yield value


def walk(node: ast.AST) -> Sequence[ast.AST]:
    """The node and all nodes below it, outer before inner, in source order; contexts and operators left out."""
    tree: TreeIndex | None = getattr(node, "ampfix_tree", None)
    if tree is not None:
        return tree.inside(node)
    found: list[ast.AST] = []
    pending = [node]
    while pending:
        found.append(pending.pop())
        pending.extend(reversed(list(children(found[-1]))))
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
        self.owners: dict[ast.AST, ast.AST] = {}
        self.owned: dict[ast.AST, list[ast.AST]] = {tree: []}
        self._visit(tree)
        self._ends = [0] * len(self.order)
        self._close()

    def _visit(self, tree: ast.Module) -> None:
        order, parents, owners, owned = self.order, self.parents, self.owners, self.owned
        pending: list[tuple[ast.AST, ast.AST]] = [(tree, tree)]
        while pending:
            node, owner = pending.pop()
            node.ampfix_tree, node.ampfix_at = self, len(order)  # type: ignore[attr-defined]
            order.append(node)
            owners[node] = owner
            if node is not owner:
                owned[owner].append(node)
            below = list(children(node))
            for child in below:
                parents[child] = node
            if isinstance(node, (*_Functions, ast.ClassDef)):
                owned[node] = []
                body = set(map(id, node.body)) if isinstance(node.body, list) else {id(node.body)}
                pending.extend((child, node if id(child) in body else owner) for child in reversed(below))
            else:
                below.reverse()
                pending.extend([(child, owner) for child in below])

    def _close(self) -> None:
        ends, parents = self._ends, self.parents
        for at in range(len(self.order) - 1, -1, -1):
            ends[at] = ends[at] or at + 1
            parent = parents.get(self.order[at])
            if parent is not None and not ends[parent.ampfix_at]:  # type: ignore[attr-defined]
                ends[parent.ampfix_at] = ends[at]  # type: ignore[attr-defined]

    def clear(self) -> None:
        """Let go of the tree."""
        for held in (self.order, self._ends, self.parents, self.owners, self.owned):
            held.clear()

    def inside(self, node: ast.AST) -> list[ast.AST]:
        """The node and all below it."""
        at: int = node.ampfix_at  # type: ignore[attr-defined]
        return self.order[at : self._ends[at]]

    def by_type(self) -> dict[type[ast.AST], list[ast.AST]]:
        """Every node by its class, in source order."""
        found: dict[type[ast.AST], list[ast.AST]] = {}
        for node in self.order:
            found.setdefault(type(node), []).append(node)
        return found
