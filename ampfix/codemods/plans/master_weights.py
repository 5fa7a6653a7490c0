"""Trains float32 weights under autocast instead of half weights.

Span: the cast of the model. Arguments: `model`, `optimizer`: source text; `dtype`: "float16" or "bfloat16"; optional
`floor`: the oldest torch release the project supports. The cast goes, and with it the casts of the inputs; what leads
from the forward to the loss runs under autocast; a float16 loop gets the whole protocol of a scaler.
"""

from __future__ import annotations

from collections.abc import Sequence

import libcst as cst

from ampfix.codemods._casts import casts_in, is_cast, is_half, leaves_nothing, without_cast, without_casts
from ampfix.codemods._imports import global_name
from ampfix.codemods._wrap import under_with
from ampfix.codemods.changes import Change
from ampfix.codemods.errors import CannotRepair
from ampfix.codemods.plans import add_scaler
from ampfix.codemods.tree import LOOPS, Statement, Tree
from ampfix.findings import Repair
from ampfix.records import replace


def plan(tree: Tree, repair: Repair) -> list[Change]:
    model, dtype = repair.arguments["model"], repair.arguments["dtype"]
    cast = tree.at(repair.span)
    if not isinstance(cast, cst.Call) or not is_cast(cast):
        raise CannotRepair("the model is not cast by a plain half() or to(dtype) here; take the cast out by hand")
    backward = _backward(tree, cast)
    forward = _forward(tree, backward, model)
    region = next(tree.enclosing(backward, LOOPS), None) or forward[0]
    inputs = [call for call in casts_in(tree, region) if call is not cast]
    _refuse_other_halves(tree, [cast, *inputs, *forward])
    emptied = {tree.statement(call) for call in inputs if leaves_nothing(tree, tree.statement(call), call)}
    covered = [statement for statement in forward if statement not in emptied]
    inside = {id(node) for statement in covered for node in tree.walk(statement)}
    changes: list[Change] = [without_cast(tree, cast)]
    changes += [without_cast(tree, call) for call in inputs if id(call) not in inside]
    changes += under_with(tree, covered, _opening(tree, dtype), without_casts)  # type: ignore[arg-type]
    if dtype == "float16" and not _is_scaled(tree, backward):
        changes += add_scaler.plan(tree, replace(repair, span=tree.span(backward)))
    return changes


def _backward(tree: Tree, cast: cst.Call) -> Statement:
    """The only backward of the function that casts the model."""
    holder = tree.function(cast)
    root = holder.body if isinstance(holder, cst.FunctionDef) else holder
    found = [
        tree.statement(call)
        for call in tree.find(root, cst.Call)
        if isinstance(call.func, cst.Attribute) and call.func.attr.value == "backward"
    ]
    if not found:
        raise CannotRepair("the model is cast in another function than its backward pass; repair the loop by hand")
    if len(found) > 1:
        raise CannotRepair("several backward passes stand in this function; repair the loop by hand")
    return found[0]


def _forward(tree: Tree, backward: Statement, model: str) -> Sequence[Statement]:
    """The statements from the model's call to the one in front of the backward."""
    block = tree.block(backward)
    before = block[: block.index(backward)] if backward in block else ()
    for place, statement in enumerate(before):
        if any(True for _ in tree.calls(statement, model)):
            end = len(before)
            while end > place + 1 and _is_zero_grad(tree, before[end - 1]):
                end -= 1
            return before[place:end]
    raise CannotRepair(f"{model} is not called in front of the backward pass in its block; put its forward there")


def _is_zero_grad(tree: Tree, statement: Statement) -> bool:
    return tree.code(statement).strip().endswith(("zero_grad()", "zero_grad(set_to_none=True)"))


def _refuse_other_halves(tree: Tree, handled: Sequence[cst.CSTNode]) -> None:
    """Half tensors elsewhere would meet float32 weights outside autocast, where torch raises."""
    known = {id(node) for root in handled for node in tree.walk(root)}
    for node in tree.walk(tree.module):
        is_other = is_cast(node) or (isinstance(node, cst.Attribute) and is_half(node))
        if is_other and id(node) not in known:
            raise CannotRepair(f"line {tree.line(node)} makes half tensors too; decide there what the model shall get")


def _opening(tree: Tree, dtype: str) -> str:
    torch = global_name(tree, "torch")
    if torch is None:
        raise CannotRepair("torch is not imported at module level; import it, so that autocast can be used")
    if "cuda" not in tree.module.code:
        raise CannotRepair("nothing here says on which device the model runs; put its forward under torch.autocast")
    return f"{torch}.autocast({tree.quote}cuda{tree.quote}, dtype={torch}.{dtype})"


def _is_scaled(tree: Tree, backward: Statement) -> bool:
    """Whether a scaler scales the loss already: torch then refuses to unscale half gradients, and the loop raises."""
    return any(
        isinstance(c.func, cst.Attribute) and c.func.attr.value == "scale" for c in tree.find(backward, cst.Call)
    )
