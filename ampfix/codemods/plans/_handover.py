"""Hands an object that must outlive a function to it: a parameter more, and an argument more in each call.

For `train_one_epoch(model, loader, optimizer)`: a scaler built inside would start anew each epoch.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import libcst as cst

from ampfix.codemods._imports import dotted
from ampfix.codemods.changes import Before, Change, Replace
from ampfix.codemods.errors import CannotRepair
from ampfix.codemods.tree import LOOPS, Tree


def calls_in_loops(tree: Tree, function: cst.FunctionDef) -> bool:
    """Whether this file calls `function` in a loop."""
    return any(next(tree.enclosing(call, LOOPS), None) is not None for call in calls_of(tree, function))


def hand_over(tree: Tree, function: cst.FunctionDef, name: str, construction: str) -> list[Change]:
    """Build `name` in front of the loops that call `function`, and pass it on. Raises CannotRepair for other uses."""
    title = function.name.value
    calls = list(calls_of(tree, function))
    known = {id(function.name), *(id(call.func) for call in calls)}
    if tree.function(function) is not tree.module or any(
        isinstance(node, cst.Name) and node.value == title and id(node) not in known and not _is_a_member(tree, node)
        for node in tree.walk(tree.module)
    ):
        raise CannotRepair(f"{title} runs once an epoch or step; build the scaler beside the optimizer and hand it in")
    changes: list[Change] = [_with_parameter(function, name)]
    for call in calls:
        loops = list(tree.enclosing(call, LOOPS))
        caller = tree.function(call)
        if not loops or (isinstance(caller, cst.FunctionDef) and calls_in_loops(tree, caller)):
            raise CannotRepair(f"not every call of {title} stands in the loop over the epochs; hand the scaler in")
        build = Before(loops[-1], f"{name} = {construction}")
        changes += [with_argument(call, name, name), *(() if build in changes else (build,))]
    return changes


def calls_of(tree: Tree, function: cst.FunctionDef) -> Iterator[cst.Call]:
    """Calls of a function in its file, by its name."""
    title = function.name.value
    own = tree.function(function) is tree.module and not isinstance(_holder(tree, function), cst.ClassDef)
    for node in tree.walk(tree.module):
        # `model.train()` is no call of a function `train` of this file
        if isinstance(node, cst.Call) and (dotted(node.func) if own else dotted(node.func)[-1:]) == [title]:
            yield node


def _is_a_member(tree: Tree, node: cst.Name) -> bool:
    """Whether the name is what something else calls a part of itself: an attribute, a keyword."""
    parent = tree.parent(node)
    return (isinstance(parent, cst.Attribute) and parent.attr is node) or (
        isinstance(parent, cst.Arg) and parent.keyword is node
    )


def _holder(tree: Tree, function: cst.FunctionDef) -> cst.CSTNode | None:
    return next((a for a in tree.ancestors(function) if isinstance(a, (cst.ClassDef, cst.Module))), None)


def _with_parameter(function: cst.FunctionDef, name: str) -> Replace:
    """A last positional parameter; keyword-only where defaults or a star leave no such place."""
    parameters, new = function.params, cst.Param(cst.Name(name))
    simple = isinstance(parameters.star_arg, cst.MaybeSentinel) and parameters.star_kwarg is None
    if simple and not parameters.kwonly_params and all(parameter.default is None for parameter in parameters.params):
        changed = parameters.with_changes(params=appended(parameters.params, new))
    else:
        star = cst.ParamStar() if isinstance(parameters.star_arg, cst.MaybeSentinel) else parameters.star_arg
        changed = parameters.with_changes(star_arg=star, kwonly_params=appended(parameters.kwonly_params, new))
    return Replace(parameters, lambda _: changed, name)


def appended(parameters: Sequence[cst.Param], new: cst.Param) -> list[cst.Param]:
    """`new` behind the others, on a line of its own where they have one each."""
    if not parameters:
        return [new]
    *front, last = parameters
    closed = new.with_changes(comma=last.comma, whitespace_after_param=last.whitespace_after_param)
    open_ = last.with_changes(comma=_between(front), whitespace_after_param=cst.SimpleWhitespace(""))
    return [*front, open_, closed]


def with_argument(call: cst.Call, name: str, value: str) -> Replace:
    """The call with a last argument `name=value`."""
    plain = cst.AssignEqual(cst.SimpleWhitespace(""), cst.SimpleWhitespace(""))
    new = cst.Arg(cst.parse_expression(value), keyword=cst.Name(name), equal=plain)

    def build(node: cst.CSTNode) -> cst.CSTNode:
        updated = cst.ensure_type(node, cst.Call)
        if not updated.args:
            return updated.with_changes(args=[new])
        *front, last = updated.args
        closed = new.with_changes(comma=last.comma, whitespace_after_arg=last.whitespace_after_arg)
        open_ = last.with_changes(comma=_between(front), whitespace_after_arg=cst.SimpleWhitespace(""))
        return updated.with_changes(args=[*front, open_, closed])

    return Replace(call, build, name)


def _between(front: Sequence[cst.Param | cst.Arg]) -> cst.Comma | cst.MaybeSentinel:
    """The comma that separates two items here."""
    return front[-1].comma if front else cst.Comma(whitespace_after=cst.SimpleWhitespace(" "))
