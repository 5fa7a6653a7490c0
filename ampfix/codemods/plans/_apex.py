"""Reads an apex loop: where it is initialised, how it is switched, how losses are scaled."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import libcst as cst

from ampfix.codemods._imports import dotted
from ampfix.codemods.errors import CannotRepair
from ampfix.codemods.tree import Statement, Tree

_DROPPED = frozenset(
    {"opt_level", "loss_scale", "keep_batchnorm_fp32", "verbosity", "min_loss_scale", "max_loss_scale", "num_losses"}
)


@dataclass(frozen=True)
class Setup:
    """`model, optimizer = amp.initialize(...)`. removed: the statement that goes. switch: the text that enables AMP."""

    model: str
    removed: Statement
    amp: str
    switch: str


@dataclass(frozen=True)
class Scaling:
    """`with amp.scale_loss(loss, optimizer) as scaled: scaled.backward()`. plain: the backward without apex."""

    statement: cst.With
    optimizer: str
    plain: str


def setup(tree: Tree, call: cst.Call) -> Setup:
    """What the only `amp.initialize` does. Raises CannotRepair for all but the plain form."""
    amp = ".".join(dotted(call.func)[:-1])
    statement = tree.statement(call)
    if not isinstance(statement, cst.Assign) or len(statement.targets) != 1 or statement.value is not call:
        raise CannotRepair("what amp.initialize returns is not simply assigned to a model and an optimizer")
    targets = statement.targets[0].target
    names = [tree.code(e.value) for e in targets.elements] if isinstance(targets, cst.Tuple) else []
    passed = [tree.code(argument.value) for argument in call.args if argument.keyword is None]
    if len(names) != 2 or passed != names:
        raise CannotRepair("amp.initialize gets and returns something else than one model and one optimizer")
    keywords = {a.keyword.value: a.value for a in call.args if a.keyword is not None}
    unknown = sorted(keywords.keys() - _DROPPED)
    if unknown or any(argument.star for argument in call.args):
        raise CannotRepair(
            f"amp.initialize gets {', '.join(unknown) or 'unpacked arguments'}, which has no counterpart"
        )
    removed, test = _switched(tree, statement)
    return Setup(names[0], removed, amp, " and ".join(filter(None, (test, _level(tree, keywords.get("opt_level"))))))


def _level(tree: Tree, level: cst.BaseExpression | None) -> str:
    """The test that an optimization level stands for: O0 is float32."""
    if level is None:
        return ""
    if isinstance(level, cst.SimpleString):
        if level.evaluated_value == "O0":
            raise CannotRepair("opt_level O0 is float32; take apex out by hand")
        return ""
    if not dotted(level):
        raise CannotRepair("what opt_level is cannot be read here")
    return f"{tree.code(level)} != {tree.quote}O0{tree.quote}"


def _switched(tree: Tree, statement: Statement) -> tuple[Statement, str]:
    """The statement to remove, and the test of the `if` that holds nothing but it and apex's import."""
    condition = next(_paths(tree, statement), None)
    line = tree.parent(statement)
    if condition is None:
        return statement, ""
    if not isinstance(condition, cst.If) or line not in condition.body.body:
        raise CannotRepair("amp.initialize runs on some paths only")
    others = [other for other in condition.body.body if other is not line and not is_import(tree, other)]
    outer = next(_paths(tree, condition), None)
    if condition.orelse is not None or others or outer is not None or not dotted(condition.test):
        raise CannotRepair("amp.initialize runs under a test that does more than switch apex on")
    return condition, tree.code(condition.test)


def _paths(tree: Tree, node: cst.CSTNode) -> Iterator[cst.CSTNode]:
    """The statements around a node that decide whether, or how often, it runs; a script's main guard does not."""
    for around in tree.enclosing(node, (cst.If, cst.Try, cst.For, cst.While)):
        if not (isinstance(around, cst.If) and tree.code(around.test).startswith("__name__")):
            yield around


def is_import(tree: Tree, line: cst.CSTNode) -> bool:
    """`from apex import amp`, alone or in a `try` that only complains."""
    if isinstance(line, cst.SimpleStatementLine):
        return all(isinstance(s, (cst.Import, cst.ImportFrom)) and "apex" in tree.code(s) for s in line.body)
    if not isinstance(line, cst.Try) or line.orelse is not None or line.finalbody is not None:
        return False
    handled = [s for handler in line.handlers for s in handler.body.body]
    return all(is_import(tree, s) for s in line.body.body) and all(_complains(tree, s) for s in handled)


def _complains(tree: Tree, line: cst.CSTNode) -> bool:
    return isinstance(line, cst.SimpleStatementLine) and all(
        isinstance(s, (cst.Raise, cst.Pass)) or tree.code(s).startswith("print(") for s in line.body
    )


def scalings(tree: Tree, amp: str) -> Iterator[Scaling]:
    """Every `with amp.scale_loss`. Raises CannotRepair for one that does more than run backward."""
    for node in tree.walk(tree.module):
        if not isinstance(node, cst.With):
            continue
        calls = [i.item for i in node.items if isinstance(i.item, cst.Call) and _is(i.item, amp, "scale_loss")]
        if calls:
            yield _scaling(tree, node, calls[0])


def _is(call: cst.Call, amp: str, name: str) -> bool:
    return ".".join(dotted(call.func)) == f"{amp}.{name}"


def _scaling(tree: Tree, node: cst.With, call: cst.Call) -> Scaling:
    name = node.items[0].asname
    plain = [argument for argument in call.args if argument.keyword is None]
    body = node.body.body[0] if len(node.body.body) == 1 else None
    backward = body.body[0] if isinstance(body, cst.SimpleStatementLine) and len(body.body) == 1 else body
    if len(node.items) > 1 or name is None or len(plain) != 2 or not isinstance(backward, cst.Expr):
        raise CannotRepair("amp.scale_loss does more here than one backward pass")
    run = backward.value
    scaled = f"{tree.code(name.name)}.backward"
    if not isinstance(run, cst.Call) or ".".join(dotted(run.func)) != scaled:
        raise CannotRepair("amp.scale_loss does more here than one backward pass")
    loss = plain[0].value
    source = tree.code(loss) if dotted(loss) or isinstance(loss, cst.Call) else f"({tree.code(loss)})"
    arguments = ", ".join(tree.code(argument).rstrip(", ") for argument in run.args)
    return Scaling(node, tree.code(plain[1].value), f"{source}.backward({arguments})")
