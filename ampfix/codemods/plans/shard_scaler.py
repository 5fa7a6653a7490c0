"""Builds FSDP's ShardedGradScaler where a GradScaler was built.

Span: the call. Argument `order`: the names of its positional parameters, separated by commas. All arguments become
keywords: the sharded class takes backoff_factor before growth_factor, and older torch no device.
"""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from ampfix.codemods._imports import binding_of, global_name, root_of, unimported
from ampfix.codemods.changes import Before, Change, Replace
from ampfix.codemods.errors import CannotRepair
from ampfix.codemods.tree import Tree
from ampfix.findings import Repair

_MODULE, _CLASS = "torch.distributed.fsdp.sharded_grad_scaler", "ShardedGradScaler"
_PLAIN = cst.AssignEqual(cst.SimpleWhitespace(""), cst.SimpleWhitespace(""))


def plan(tree: Tree, repair: Repair) -> list[Change]:
    call = tree.at(repair.span)
    if not isinstance(call, cst.Call) or not isinstance(call.func, (cst.Name, cst.Attribute)):
        raise CannotRepair("the scaler is not built by a plain call here")
    arguments = list(_by_name(call, repair.arguments["order"].split(",")))
    name = global_name(tree, f"{_MODULE}.{_CLASS}")
    changes: list[Change] = []
    if name is None or "." in name:  # `torch` alone does not import the module
        if _CLASS in tree.names():
            raise CannotRepair(f"the name {_CLASS} is used for something else here")
        name = _CLASS
        changes.append(Before(tree.first_import(), f"from {_MODULE} import {_CLASS}"))
    made = call.with_changes(func=cst.parse_expression(name), args=arguments)
    changes.append(Replace(call, lambda _: made, name))
    if isinstance(call.func, cst.Name):
        changes += unimported(tree, binding_of(tree, root_of(call.func)))
    return changes


def _by_name(call: cst.Call, order: list[str]) -> Iterator[cst.Arg]:
    kept: list[cst.Arg] = []
    for place, argument in enumerate(call.args):
        if argument.star:
            raise CannotRepair("arguments are unpacked into the call")
        name = argument.keyword.value if argument.keyword is not None else order[place]
        if name == "device" and _is_cuda(argument.value):
            continue  # the default
        kept.append(
            argument.with_changes(keyword=cst.Name(name), equal=_PLAIN if argument.keyword is None else argument.equal)
        )
    if kept:
        last = call.args[-1]
        kept[-1] = kept[-1].with_changes(comma=last.comma, whitespace_after_arg=last.whitespace_after_arg)
    yield from kept


def _is_cuda(value: cst.BaseExpression) -> bool:
    return isinstance(value, cst.SimpleString) and value.evaluated_value == "cuda"
