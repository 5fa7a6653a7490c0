"""Walks over parts of a syntax tree that was indexed once."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Sequence
from functools import cached_property
from operator import attrgetter

_SCOPES = frozenset({ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef})
_LEAVES = frozenset(
    {ast.Name, ast.Constant, ast.Pass, ast.Break, ast.Continue, ast.alias, ast.Global, ast.Nonlocal, ast.MatchSingleton}
)
_GAPPY = frozenset({ast.Dict, ast.arguments})  # None stands in their lists where a node is missing
# Fields that hold no node, or one that is shared between nodes: contexts and operators.
_SCALARS = frozenset({"ctx", "op", "ops", "id", "attr", "module", "level", "kind", "type_comment", "is_async", "name"})
_SCALARS |= {"arg", "asname", "rest", "kwd_attrs", "conversion", "simple", "str", "type_ignores"}
_FIELDS: dict[type[ast.AST], tuple[str, ...]] = {}


def _fields(kind: type[ast.AST]) -> tuple[str, ...]:
    """The fields of a node class that hold nodes worth visiting."""
    known = _FIELDS.get(kind)
    if known is None:
        left_out = _SCALARS - {"name"} if kind.__name__ == "TypeAlias" else _SCALARS
        fields = () if kind in _LEAVES - {ast.alias} else kind._fields
        known = _FIELDS[kind] = tuple(name for name in fields if name not in left_out)
    return known


def children(node: ast.AST) -> list[ast.AST]:
    """The nodes right below one, in source order; contexts and operators left out."""
    kind = node.__class__
    held = node.__dict__
    found: list[ast.AST] = []
    for name in _FIELDS.get(kind) or _fields(kind):
        value = held.get(name)
        if value.__class__ is list:
            found += value if kind not in _GAPPY else [item for item in value if item is not None]
        elif value is not None:
            found.append(value)
    return found


def walk(node: ast.AST) -> Sequence[ast.AST]:
    """The node and all nodes below it, outer before inner, in source order; contexts and operators left out."""
    tree: TreeIndex | None = getattr(node, "ampfix_tree", None)
    if tree is not None and (tree.is_closed or not isinstance(node, ast.expr)):
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


# Of the commonest kinds that hold others, how what is right below them is told.
_ONE = {
    **dict.fromkeys((ast.Attribute, ast.Expr, ast.keyword, ast.Starred, ast.Await), "value"),
    ast.UnaryOp: "operand",
}
_TWO = {
    ast.BinOp: attrgetter("left", "right"),
    ast.Subscript: attrgetter("value", "slice"),
    ast.NamedExpr: attrgetter("target", "value"),
    ast.AugAssign: attrgetter("target", "value"),
}
_LIST = {ast.Tuple: "elts", ast.List: "elts", ast.BoolOp: "values", ast.JoinedStr: "values"}


class _Body(ast.AST):
    """Stands for the code of a scope among the nodes to visit."""

    def __init__(self, scope: ast.AST, code: Sequence[ast.AST]) -> None:
        self.scope, self.code = scope, code


def around_body(scope: ast.AST) -> tuple[list[ast.AST], list[ast.AST], list[ast.AST]]:
    """What stands before the body of a scope, the body, and what stands behind it: decorators, for one."""
    inside = scope.body  # type: ignore[attr-defined]
    code = inside if isinstance(inside, list) else [inside]
    below = children(scope)
    at = below.index(code[0])
    return below[:at], code, below[at + len(code) :]


class TreeIndex:
    """One pass over a module: every node in order, its parent, its scope.

    owners: node -> the module, class or function whose code it is evaluated in; decorators, defaults and bases belong
    to the scope around. owned: the other way round. Marks the nodes that may hold others, so that `walk` finds its way
    from any of them.
    """

    def __init__(self, tree: ast.Module) -> None:
        self.order: list[ast.AST] = []
        self.parents: dict[ast.AST, ast.AST] = {}
        self.owned: dict[ast.AST, list[ast.AST]] = {}
        self._ends: list[int] = []
        tree.ampfix_tree, tree.ampfix_at = self, 0  # type: ignore[attr-defined]
        self.order.append(tree)
        self._scope(tree, tree.body)

    def _scope(self, owner: ast.AST, body: Sequence[ast.AST]) -> None:
        """Index the code of one scope; that of scopes inside it as they come, so that the order is the source's."""
        order, parents, leaves, scopes, one, two = self.order, self.parents, _LEAVES, _SCOPES, _ONE, _TWO
        own: list[ast.AST] = []
        self.owned[owner] = own
        for child in body:
            parents[child] = owner
        at = len(order)
        pending: list[ast.AST] = [*reversed(body)]
        while pending:  # once for each node: the commonest kinds are spelt out
            node = pending.pop()
            kind = node.__class__
            if kind is _Body:
                assert isinstance(node, _Body)
                self._scope(node.scope, node.code)
                at = len(order)
                continue
            order.append(node)
            own.append(node)
            if kind in leaves:
                at += 1
                continue
            node.ampfix_tree = self  # type: ignore[attr-defined]
            node.ampfix_at = at  # type: ignore[attr-defined]
            at += 1
            if kind in one:
                inner: ast.AST = getattr(node, one[kind])
                parents[inner] = node
                pending.append(inner)
                continue
            if kind in two:
                first, second = two[kind](node)
                parents[first] = parents[second] = node
                pending += (second, first)
                continue
            if kind in scopes:
                before, code, behind = around_body(node)
                for child in (*before, *behind):
                    parents[child] = node
                pending += [*reversed(behind), _Body(node, code), *reversed(before)]
                continue
            if kind is ast.Call:
                below: list[ast.AST] = [node.func, *node.args, *node.keywords]  # type: ignore[attr-defined]
            elif kind is ast.Assign:
                below = [*node.targets, node.value]  # type: ignore[attr-defined]
            elif kind in _LIST:
                below = [*getattr(node, _LIST[kind])]
            else:
                below = children(node)
            for child in below:
                parents[child] = node
            below.reverse()
            pending += below

    @cached_property
    def owners(self) -> dict[ast.AST, ast.AST]:
        found: dict[ast.AST, ast.AST] = {self.order[0]: self.order[0]}
        for owner, own in self.owned.items():
            found.update(dict.fromkeys(own, owner))
        return found

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

    @property
    def is_closed(self) -> bool:
        """Whether it is known where nodes end: to find that out takes more than to walk an expression or two."""
        return bool(self._ends)

    def clear(self) -> None:
        """Let go of the tree."""
        for held in (self.order, self._ends, self.parents, self.owned):
            held.clear()
        self.__dict__.pop("owners", None)

    def inside(self, node: ast.AST) -> list[ast.AST]:
        """A node that may hold others, and all below it."""
        at: int = node.ampfix_at  # type: ignore[attr-defined]
        return self.order[at : (self._ends or self._close())[at]]

    def by_type(self) -> dict[type[ast.AST], list[ast.AST]]:
        """Every node by its class, in source order."""
        found: defaultdict[type[ast.AST], list[ast.AST]] = defaultdict(list)
        for node in self.order:
            found[node.__class__].append(node)
        return found
