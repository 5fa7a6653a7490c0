"""Takes casts to half out of the source."""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from ampfix.codemods._imports import dotted
from ampfix.codemods.changes import Change, Remove, Replace
from ampfix.codemods.errors import CannotRepair
from ampfix.codemods.tree import Tree

_METHODS = ("half", "bfloat16")
_DTYPES = ("half", "float16", "bfloat16")


def is_half(value: cst.BaseExpression) -> bool:
    """Whether an expression is spelled `torch.float16` or like it."""
    parts = dotted(value)
    return len(parts) > 1 and parts[-1] in _DTYPES


def is_cast(node: cst.CSTNode) -> bool:
    """Whether a node is `x.half()` or `x.to(..., torch.float16)`."""
    if not isinstance(node, cst.Call) or not isinstance(node.func, cst.Attribute):
        return False
    method = node.func.attr.value
    if method in _METHODS:
        return not node.args
    return method in ("to", "type") and any(is_half(argument.value) for argument in node.args)


def bare(node: cst.Call) -> cst.BaseExpression:
    """The call without its cast: what it was called on, or a `to` that only moves."""
    function = cst.ensure_type(node.func, cst.Attribute)
    kept = [argument for argument in node.args if not is_half(argument.value)]
    if function.attr.value != "to" or not kept:
        return function.value
    kept[-1] = kept[-1].with_changes(comma=node.args[-1].comma, whitespace_after_arg=node.args[-1].whitespace_after_arg)
    return node.with_changes(args=kept)


def without_cast(tree: Tree, call: cst.Call) -> Change:
    """The change that takes one cast away, and the statement with it where nothing else is left of that."""
    statement = tree.statement(call)
    if leaves_nothing(tree, statement, call):
        if tree.block(statement) != (statement,):
            return Remove(statement)
        return Replace(statement, lambda _: cst.Pass(), "pass")
    if any("#" in tree.code(argument) for argument in call.args):
        raise CannotRepair("a comment beside an argument would be lost; take the cast out by hand")
    return Replace(call, lambda node: bare(cst.ensure_type(node, cst.Call)), "cast")


def as_clone(call: cst.Call) -> Change:
    """The change that copies where the cast did, so that what is kept does not alias what it was taken from."""
    return Replace(call, lambda node: _clone(cst.ensure_type(node, cst.Call)), "clone")


def _clone(call: cst.Call) -> cst.Call:
    return cst.Call(cst.Attribute(bare(call), cst.Name("clone")))


def leaves_nothing(tree: Tree, statement: cst.CSTNode, call: cst.Call) -> bool:
    """Whether a statement without its cast would be `x` or `x = x`."""
    left = tree.code(bare(call))
    if isinstance(statement, cst.Expr):
        return statement.value is call and bool(dotted(bare(call)))
    if not isinstance(statement, cst.Assign) or statement.value is not call or len(statement.targets) != 1:
        return False
    return tree.code(statement.targets[0].target) == left


def casts_in(tree: Tree, root: cst.CSTNode) -> Iterator[cst.Call]:
    """Casts to half that run with `root`."""
    for call in tree.find(root, cst.Call):
        if is_cast(call):
            yield call


class _Bare(cst.CSTTransformer):
    def leave_Call(self, original_node: cst.Call, updated_node: cst.Call) -> cst.BaseExpression:
        return bare(updated_node) if is_cast(original_node) else updated_node


def without_casts(node: cst.BaseStatement) -> cst.BaseStatement:
    """A statement with every cast to half inside it taken away."""
    return cst.ensure_type(node.visit(_Bare()), cst.BaseStatement)  # type: ignore[type-abstract]
