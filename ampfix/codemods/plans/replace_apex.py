"""Turns an apex loop into a native one.

Span: the only `amp.initialize` of the file. First apex goes: its import, `initialize`, `scale_loss` and
`master_params`, and the forward goes under autocast. What is then a float16 loop without a scaler gets one by
`add_scaler`, where the scaler outlives the steps.
"""

from __future__ import annotations

from collections.abc import Sequence

import libcst as cst

from ampfix.codemods._imports import dotted, global_name
from ampfix.codemods._wrap import under_with
from ampfix.codemods.changes import Change, Remove, Replace, replace_by
from ampfix.codemods.errors import CannotRepair
from ampfix.codemods.plans import _apex, add_scaler
from ampfix.codemods.rewrite import make
from ampfix.codemods.tree import LOOPS, Statement, Tree
from ampfix.findings import Position, Repair, Span
from ampfix.records import replace


def plan(tree: Tree, repair: Repair) -> list[Change]:
    call = tree.at(repair.span)
    if not isinstance(call, cst.Call):
        raise CannotRepair("amp.initialize is not called plainly here")
    found = _apex.setup(tree, call)
    losses = list(_apex.scalings(tree, found.amp))
    if not losses:
        raise CannotRepair("no amp.scale_loss of this file belongs to amp.initialize")
    if len({tree.function(one.statement) for one in losses}) > 1:
        raise CannotRepair("losses are scaled in several functions")
    without = make(tree, _without_apex(tree, found, losses))
    native = _with_scaler(Tree(without), losses[0], repair)
    return [Replace(tree.module, lambda _: native, "apex")]


def _without_apex(tree: Tree, found: _apex.Setup, losses: Sequence[_apex.Scaling]) -> list[Change]:
    changes: list[Change] = [*_removed(tree, found.removed), *_imports(tree, found.removed)]
    model = _local_model(tree, found, losses[0])
    for one in losses:
        changes += _plain(tree, one)
    changes += under_with(tree, _forward(tree, losses[0], model), _opening(tree, found, losses[0]))
    for node in tree.walk(tree.module):
        if isinstance(node, cst.Call) and ".".join(dotted(node.func)) == f"{found.amp}.master_params":
            changes.append(replace_by(node, f"{model}.parameters()"))
    _refuse_the_rest(tree, found)
    return changes


def _removed(tree: Tree, statement: Statement) -> list[Change]:
    """The statement goes; comments above it move to what follows."""
    line = tree.parent(statement) if isinstance(statement, cst.BaseSmallStatement) else statement
    above = [empty for empty in getattr(line, "leading_lines", ()) if empty.comment is not None]
    if not above:
        return [Remove(statement)]
    block = tree.parent(line) if line is not None else None
    lines = list(getattr(block, "body", ()))
    behind = lines[lines.index(line) + 1 :]
    place, part = (behind[0], "leading_lines") if behind else (block, "footer")
    if place is None or not hasattr(place, part):
        raise CannotRepair("a comment above amp.initialize would be lost; move it first")

    def build(node: cst.CSTNode) -> cst.CSTNode:
        return node.with_changes(**{part: (*above, *getattr(node, part))})

    return [Remove(statement), Replace(place, build, "comments")]


def _imports(tree: Tree, removed: Statement) -> list[Change]:
    """The imports of amp go; other parts of apex stay."""
    gone: list[Change] = []
    for node in tree.walk(tree.module):
        if any(around is removed for around in tree.ancestors(node)) or not isinstance(node, (cst.ImportFrom, cst.Try)):
            continue
        if isinstance(node, cst.Try):
            if _apex.is_import(tree, node):
                gone.append(Remove(node))
            elif "apex" in tree.code(node.body):
                raise CannotRepair("the file runs without apex too; decide what its switch means for native AMP")
        elif tree.code(node).startswith("from apex import amp") and not _in_try(tree, node):
            if not isinstance(node.names, cst.ImportStar) and len(node.names) > 1:
                raise CannotRepair("amp is imported together with other parts of apex; split the import first")
            gone.append(Remove(node))
    return gone


def _in_try(tree: Tree, node: cst.CSTNode) -> bool:
    return any(isinstance(around, cst.Try) for around in tree.ancestors(node))


def _plain(tree: Tree, one: _apex.Scaling) -> list[Change]:
    """`loss.backward()`, which also takes the place of an `if apex: ... else: loss.backward()`."""
    line = cst.parse_statement(one.plain, tree.module.config_for_parsing)
    condition = next(tree.enclosing(one.statement, cst.If), None)
    place: cst.With | cst.If = one.statement
    if condition is not None and condition.body.body == (one.statement,) and isinstance(condition.orelse, cst.Else):
        other = condition.orelse.body.body
        if len(other) == 1 and tree.code(other[0]).strip() == one.plain:
            place = condition
    leading = place.leading_lines
    return [Replace(place, lambda _: line.with_changes(leading_lines=leading), one.plain)]


def _step_of(tree: Tree, one: _apex.Scaling) -> Statement:
    """The statement of the loop body's block that holds the scaling."""
    around: Statement = one.statement
    for node in tree.enclosing(one.statement, (cst.If, *LOOPS)):
        if not isinstance(node, cst.If):
            break
        around = node
    return around


def _local_model(tree: Tree, found: _apex.Setup, one: _apex.Scaling) -> str:
    """How the function of the loop names the model: its own name, or the parameter that callers pass it to."""
    function = tree.function(one.statement)
    if any(True for _ in tree.calls(_body(function), found.model)):
        return found.model
    if isinstance(function, cst.FunctionDef):
        for call in (node for node in tree.walk(tree.module) if isinstance(node, cst.Call)):
            if dotted(call.func)[-1:] != [function.name.value]:
                continue
            for place, argument in enumerate(call.args):
                if tree.code(argument.value) == found.model and argument.keyword is not None:
                    return argument.keyword.value
                if tree.code(argument.value) == found.model and place < len(function.params.params):
                    return function.params.params[place].name.value
    raise CannotRepair(f"{found.model} is not called in the function that scales the loss")


def _forward(tree: Tree, one: _apex.Scaling, model: str) -> Sequence[Statement]:
    """What leads from the model's call to the loss."""
    backward = _step_of(tree, one)
    block = tree.block(backward)
    before = block[: block.index(backward)] if backward in block else ()
    for place, statement in enumerate(before):
        if any(True for _ in tree.calls(statement, model)):
            end = len(before)
            while end > place + 1 and ".zero_grad(" in tree.code(before[end - 1]):
                end -= 1
            return before[place:end]
    raise CannotRepair(f"{model} is not called in front of the backward pass in its block; put its forward there")


def _opening(tree: Tree, found: _apex.Setup, one: _apex.Scaling) -> str:
    torch = global_name(tree, "torch")
    if torch is None:
        raise CannotRepair("torch is not imported at module level; import it, so that autocast can be used")
    region = f"{torch}.autocast({tree.quote}cuda{tree.quote}, dtype={torch}.float16"
    if not found.switch:
        return f"{region})"
    if not dotted(cst.parse_expression(found.switch)):
        raise CannotRepair(f"AMP is on where {found.switch}; give that a name, so that scaler and region can share it")
    root = found.switch.partition(".")[0]
    function = tree.function(one.statement)
    if function is not tree.function(found.removed) and root != "self" and root not in _parameters(function):
        raise CannotRepair(f"{found.switch} is not known in the function that scales the loss")
    return f"{region}, enabled={found.switch})"


def _parameters(function: cst.CSTNode) -> set[str]:
    if not isinstance(function, cst.FunctionDef):
        return set()
    return {parameter.name.value for parameter in (*function.params.params, *function.params.kwonly_params)}


def _refuse_the_rest(tree: Tree, found: _apex.Setup) -> None:
    for node in tree.walk(tree.module):
        of_amp = isinstance(node, cst.Attribute) and tree.code(node.value) == found.amp
        if of_amp and dotted(node)[-1] not in ("initialize", "scale_loss", "master_params"):  # type: ignore[arg-type]
            raise CannotRepair(f"line {tree.line(node)} uses {tree.code(node)}, which has to move by hand")


def _with_scaler(tree: Tree, one: _apex.Scaling, repair: Repair) -> cst.Module:
    """The loop under a scaler: `add_scaler` knows where it is built and what else changes."""
    for statement in tree.walk(tree.module):
        if isinstance(statement, cst.Expr) and tree.code(statement) == one.plain:
            (line, column) = tree.start(statement)
            start = Position(line, column + 1)
            span = Span(start, Position(line, column + 1 + len(one.plain)))
            request = replace(repair, span=span, arguments={**repair.arguments, "optimizer": one.optimizer})
            return cst.parse_module(make(tree, add_scaler.plan(tree, request)))
    raise CannotRepair("the backward pass has to move by hand")


def _body(function: cst.CSTNode) -> cst.CSTNode:
    return function.body if isinstance(function, cst.FunctionDef) else function
