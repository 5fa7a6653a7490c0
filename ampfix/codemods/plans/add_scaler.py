"""Puts a float16 loop under a GradScaler: the whole protocol, since half of it would be another bug.

Span: the `backward()` statement. Arguments: `optimizer`: source text; optional `floor`: the oldest torch release the
project supports. The scaler is built where it outlives the steps: beside `self.optimizer`, else in front of the loop,
else in front of the loop that calls the function, which then takes it as a parameter.
Accumulation windows stay: `scaler.step` and `update` stand where `optimizer.step()` stood.
"""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from ampfix.codemods._imports import dotted
from ampfix.codemods.changes import Change, Replace
from ampfix.codemods.errors import CannotRepair
from ampfix.codemods.plans._scaling import (
    construction,
    construction_call,
    region_of,
    stepped,
    steps_of,
    unscaled_clips,
)
from ampfix.codemods.tree import Tree
from ampfix.findings import Repair


def plan(tree: Tree, repair: Repair) -> list[Change]:
    optimizer = repair.arguments["optimizer"]
    backward = tree.statement(tree.at(repair.span))
    region = region_of(tree, backward)
    steps = steps_of(tree, region, optimizer)
    call = construction_call(tree, region, repair.arguments.get("floor", ""))
    scaler, built = construction(tree, backward, optimizer, call)
    changes: list[Change] = [*built, *_scaled_losses(tree, region, scaler)]
    changes += unscaled_clips(tree, region, steps, f"{scaler}.unscale_({optimizer})")
    changes += stepped(tree, region, optimizer, scaler)
    return changes


def _scaled_losses(tree: Tree, region: cst.CSTNode, scaler: str) -> Iterator[Change]:
    """Every backward of the loop: one unscaled gradient among scaled ones could not be told apart afterwards."""
    for call in tree.find(region, cst.Call):
        if dotted(call.func)[-2:] == ["autograd", "backward"]:
            raise CannotRepair("torch.autograd.backward starts a backward pass here; scale its tensors by hand")
        if isinstance(call.func, cst.Attribute) and call.func.attr.value == "backward":
            yield _scaled(call.func.value, scaler)


def _scaled(loss: cst.BaseExpression, scaler: str) -> Replace:
    def build(node: cst.CSTNode) -> cst.CSTNode:
        bare = cst.ensure_type(node, cst.BaseExpression).with_changes(lpar=(), rpar=())  # type: ignore[type-abstract]
        return cst.Call(cst.parse_expression(f"{scaler}.scale"), args=[cst.Arg(bare)])

    return Replace(loss, build, scaler)
