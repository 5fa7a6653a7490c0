"""What it takes to put a loop under a GradScaler: its construction, steps, clips and schedulers."""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from ampfix.codemods._imports import dotted, global_name
from ampfix.codemods.changes import After, Before, Change, Guard, replace_by
from ampfix.codemods.errors import CannotRepair
from ampfix.codemods.plans._handover import calls_in_loops, hand_over
from ampfix.codemods.plans.insert_unscale import insertion_point
from ampfix.codemods.tree import LOOPS, Statement, Tree


def region_of(tree: Tree, statement: Statement) -> cst.CSTNode:
    """The outermost loop around a statement inside its function, else the function's body."""
    return next(reversed(list(tree.enclosing(statement, LOOPS))), None) or _body(tree, statement)


def stepped(tree: Tree, region: cst.CSTNode, optimizer: str, scaler: str) -> Iterator[Change]:
    """Every step of the optimizer in the region becomes the scaler's, with update() behind it; schedulers that advance
    with it are guarded against skipped steps."""
    steps = steps_of(tree, region, optimizer)
    schedulers = list(_schedulers(tree, region, steps, optimizer))
    before = tree.fresh_name("scale_before")
    for step in steps:
        yield replace_by(step.value, f"{scaler}.step({optimizer})")
        if schedulers:
            yield After(step, f"{before} = {scaler}.get_scale()")
        yield After(step, f"{scaler}.update()")
    for scheduler in schedulers:
        yield Guard(scheduler, f"{scaler}.get_scale() >= {before}")


def _body(tree: Tree, node: cst.CSTNode) -> cst.CSTNode:
    function = tree.function(node)
    return function.body if isinstance(function, cst.FunctionDef) else function


def steps_of(tree: Tree, region: cst.CSTNode, optimizer: str) -> list[cst.Expr]:
    steps: list[cst.Expr] = []
    for call in tree.calls(region, f"{optimizer}.step"):
        statement = tree.statement(call)
        if call.args:
            raise CannotRepair(f"{optimizer}.step takes a closure, which GradScaler does not support")
        if not isinstance(statement, cst.Expr):
            raise CannotRepair(f"{optimizer}.step() is part of a larger statement; put it in a statement of its own")
        steps.append(statement)
    if not steps:
        raise CannotRepair(f"{optimizer}.step() does not stand in the loop of the backward pass")
    return steps


def unscaled_clips(tree: Tree, region: cst.CSTNode, steps: list[cst.Expr], unscale: str) -> Iterator[Change]:
    blocks: set[tuple[Statement, ...]] = set()
    for call in tree.find(region, cst.Call):
        if not (dotted(call.func)[-1:] and dotted(call.func)[-1].startswith("clip_grad")):
            continue
        clip = insertion_point(tree, call)
        step = next((step for step in steps if _beside(tree, clip, step) is not None), None)
        if step is None:
            raise CannotRepair("gradients are clipped in another block than the optimizer steps, so not once a step")
        if tree.block(step) not in blocks:
            blocks.add(tree.block(step))
            # in front of the clip's own `if`, so that a second clip behind it finds the gradients unscaled too
            yield Before(_beside(tree, clip, step) or clip, unscale)


def _beside(tree: Tree, statement: Statement, other: Statement) -> Statement | None:
    """The statement around `statement`, or itself, that stands in the block of `other`."""
    block = tree.block(other)
    around = (statement, *tree.enclosing(statement, cst.BaseCompoundStatement))
    return next((candidate for candidate in around if candidate in block), None)


def _schedulers(tree: Tree, region: cst.CSTNode, steps: list[cst.Expr], optimizer: str) -> Iterator[cst.Expr]:
    """Schedulers of this optimizer that advance once a step, which a skipped step must not advance."""
    ours = set(_scheduler_names(tree, optimizer))
    for call in tree.find(region, cst.Call):
        statement = tree.statement(call)
        names = dotted(call.func)
        if names[-1:] != ["step"] or ".".join(names[:-1]) not in ours or call.args:
            continue
        if not any(list(tree.enclosing(statement, LOOPS)) == list(tree.enclosing(step, LOOPS)) for step in steps):
            continue  # once an epoch
        if not isinstance(statement, cst.Expr) or not any(_beside(tree, statement, step) for step in steps):
            raise CannotRepair("the scheduler steps in another block than the optimizer; guard it by hand")
        yield statement


def _scheduler_names(tree: Tree, optimizer: str) -> Iterator[str]:
    for node in tree.walk(tree.module):
        if not isinstance(node, cst.Assign) or not isinstance(node.value, cst.Call):
            continue
        if any(tree.code(argument.value) == optimizer for argument in node.value.args):
            yield from (tree.code(target.target) for target in node.targets)


def construction_call(tree: Tree, region: cst.CSTNode, floor: str) -> str:
    """`torch.amp.GradScaler("cuda")` as this file would write it, enabled as its autocast region is."""
    young = bool(floor) and tuple(map(int, floor.split(".")[:2])) < (2, 3)  # torch.amp.GradScaler came with 2.3
    home = "torch.cuda.amp" if young else "torch.amp"
    name = global_name(tree, f"{home}.GradScaler")
    if name is None:
        raise CannotRepair("torch is not imported at module level; import it, so that a GradScaler can be built")
    arguments = [] if young else [f"{tree.quote}cuda{tree.quote}"]
    enabled = _enabled(tree, region)
    return f"{name}({', '.join([*arguments, *([f'enabled={enabled}'] if enabled else [])])})"


def _enabled(tree: Tree, region: cst.CSTNode) -> str:
    """What enables autocast, where that is a name or attribute that the loop itself does not assign."""
    assigned = {tree.code(target.target) for target in tree.find(region, cst.AssignTarget)}
    for call in tree.find(region, cst.Call):
        if dotted(call.func)[-1:] == ["autocast"]:
            for argument in call.args:
                if argument.keyword is not None and argument.keyword.value == "enabled" and dotted(argument.value):
                    source = tree.code(argument.value)
                    return "" if source in assigned or source == "True" else source
    return ""


def construction(tree: Tree, backward: Statement, optimizer: str, call: str) -> tuple[str, list[Change]]:
    """The scaler's name, and the changes that build it where it outlives the steps."""
    name = tree.fresh_name("scaler")
    if optimizer.startswith("self."):
        beside = _assignment_in_init(tree, backward, optimizer)
        if beside is not None:
            return f"self.{name}", [After(beside, f"self.{name} = {call}")]
    loop = next(reversed(list(tree.enclosing(backward, LOOPS))), None)
    function = tree.function(backward)
    if isinstance(function, cst.FunctionDef) and calls_in_loops(tree, function):
        if "enabled=" in call:
            raise CannotRepair(f"what enables autocast in {function.name.value} is not known where the scaler belongs")
        return name, hand_over(tree, function, name, call)
    if loop is None:
        raise CannotRepair("no loop stands in this function; build the scaler beside the optimizer and hand it in")
    return name, [Before(loop, f"{name} = {call}")]


def _assignment_in_init(tree: Tree, node: cst.CSTNode, target: str) -> cst.Assign | None:
    definition = next((a for a in tree.ancestors(node) if isinstance(a, cst.ClassDef)), None)
    for function in tree.functions_of(definition) if definition is not None else ():
        if function.name.value == "__init__":
            for assign in tree.find(function.body, cst.Assign):
                if any(tree.code(one.target) == target for one in assign.targets):
                    return assign
    return None
