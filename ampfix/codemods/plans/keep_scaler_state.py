"""Puts a scaler's state into a checkpoint beside the optimizer's, or reads it back where the checkpoint has it.

Span: `optimizer.state_dict()` or `optimizer.load_state_dict(...)`. Arguments: `scaler`: source text; `key`; for a load
`checkpoint`: source text of the dictionary; `optional`: present where the scaler may be None; `handed`: source text of
the scaler at the callers, where the function has to be given it. It takes None then, for callers in other files.
A disabled scaler's state is empty, and torch refuses to load that into an enabled one: hence `get`, not `in`.
"""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from ampfix.codemods.changes import After, Change, Replace
from ampfix.codemods.errors import CannotRepair
from ampfix.codemods.plans._handover import appended, calls_of, with_argument
from ampfix.codemods.tree import Tree
from ampfix.findings import Repair

_PLAIN = cst.AssignEqual(cst.SimpleWhitespace(""), cst.SimpleWhitespace(""))


def plan(tree: Tree, repair: Repair) -> list[Change]:
    call = tree.at(repair.span)
    scaler, handed = repair.arguments["scaler"], repair.arguments.get("handed", "")
    optional = "optional" in repair.arguments or handed != ""
    return [*_kept(tree, call, repair, scaler, optional), *(_handed_in(tree, call, scaler, handed) if handed else ())]


def _kept(tree: Tree, call: cst.CSTNode, repair: Repair, scaler: str, optional: bool) -> list[Change]:
    key = f"{tree.quote}{repair.arguments['key']}{tree.quote}"
    if "checkpoint" in repair.arguments:
        return _restore(tree, call, repair.arguments["checkpoint"], scaler, key, optional)
    state = f"{scaler}.state_dict()" + (f" if {scaler} is not None else None" if optional else "")
    for holder in tree.ancestors(call):
        if isinstance(holder, cst.Dict):
            return [_with_entry(holder, call, tree, key, state)]
        if isinstance(holder, cst.Call) and holder is not call:
            return [_with_argument(holder, call, tree, repair.arguments["key"], state)]
        if isinstance(holder, cst.Assign) and isinstance(holder.targets[0].target, cst.Subscript):
            base = tree.code(holder.targets[0].target.value)
            return [After(holder, f"{base}[{key}] = {state}")]
    raise CannotRepair("the checkpoint is not put together here")


def _handed_in(tree: Tree, call: cst.CSTNode, name: str, value: str) -> Iterator[Change]:
    function = tree.function(call)
    if not isinstance(function, cst.FunctionDef):
        raise CannotRepair("the checkpoint is not handled in a function")
    parameters, new = function.params, cst.Param(cst.Name(name), default=cst.Name("None"), equal=_PLAIN)
    if isinstance(parameters.star_arg, cst.MaybeSentinel) and not parameters.kwonly_params:
        changed = parameters.with_changes(params=appended(parameters.params, new))
    else:
        changed = parameters.with_changes(kwonly_params=appended(parameters.kwonly_params, new))
    yield Replace(parameters, lambda _: changed, name)
    for one in calls_of(tree, function):
        yield with_argument(one, name, value)


def _restore(tree: Tree, call: cst.CSTNode, checkpoint: str, scaler: str, key: str, optional: bool) -> list[Change]:
    statement = tree.statement(call)
    if not isinstance(statement, cst.Expr):
        raise CannotRepair("the optimizer is restored inside a larger statement; put that in a statement of its own")
    condition = f"{f'{scaler} is not None and ' if optional else ''}{checkpoint}.get({key})"
    load = f"{scaler}.load_state_dict({checkpoint}[{key}])"
    return [After(statement, f"if {condition}:\n{tree.module.default_indent}{load}")]


def _with_entry(holder: cst.Dict, call: cst.CSTNode, tree: Tree, key: str, state: str) -> Replace:
    index = next(i for i, element in enumerate(holder.elements) if _holds(tree, element, call))

    def build(node: cst.CSTNode) -> cst.CSTNode:
        updated = cst.ensure_type(node, cst.Dict)
        new = cst.DictElement(cst.parse_expression(key), cst.parse_expression(state))
        opening = updated.lbrace.whitespace_after
        return updated.with_changes(elements=_inserted(list(updated.elements), index, new, opening))

    return Replace(holder, build, f"{key}: {state}")


def _with_argument(holder: cst.Call, call: cst.CSTNode, tree: Tree, key: str, state: str) -> Replace:
    index = next((i for i, argument in enumerate(holder.args) if _holds(tree, argument, call)), None)
    if index is None or holder.args[index].keyword is None or not key.isidentifier():
        raise CannotRepair("the optimizer's state is handed to a function by position; hand it the scaler's too")
    if not isinstance(holder.func, cst.Name) or holder.func.value != "dict":
        raise CannotRepair(f"{tree.code(holder.func)} may not take another argument; hand it the scaler's state too")

    def build(node: cst.CSTNode) -> cst.CSTNode:
        updated = cst.ensure_type(node, cst.Call)
        new = cst.Arg(cst.parse_expression(state), keyword=cst.Name(key), equal=_PLAIN)
        return updated.with_changes(args=_inserted(list(updated.args), index, new, updated.whitespace_before_args))

    return Replace(holder, build, f"{key}={state}")


def _holds(tree: Tree, element: cst.CSTNode, call: cst.CSTNode) -> bool:
    return any(ancestor is element for ancestor in tree.ancestors(call))


def _inserted(
    elements: list,  # type: ignore[type-arg]
    index: int,
    new: cst.Arg | cst.DictElement,
    opening: cst.BaseParenthesizableWhitespace,
) -> list:  # type: ignore[type-arg]
    """`new` behind element `index`, laid out as its neighbours are; `opening` is the space in front of the first."""
    last = index == len(elements) - 1
    between = elements[index - 1].comma if last and index else None if last else elements[index].comma
    if not isinstance(between, cst.Comma):
        lines = isinstance(opening, cst.ParenthesizedWhitespace)
        between = cst.Comma(whitespace_after=opening if lines else cst.SimpleWhitespace(" "))
    old = elements[index]
    changes: dict[str, object] = {"comma": old.comma}
    if isinstance(new, cst.Arg):
        changes["whitespace_after_arg"] = old.whitespace_after_arg
        old = old.with_changes(whitespace_after_arg=cst.SimpleWhitespace(""))
    return [*elements[:index], old.with_changes(comma=between), new.with_changes(**changes), *elements[index + 1 :]]
