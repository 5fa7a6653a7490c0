"""Lets `SCALER.update()` run although the step is given up after `unscale_`.

Span: the `unscale_` call. Arguments: `scaler`: source text; `step`: the place of the step that is given up.
Where a `continue` or `return` jumps over the step, update() goes in front of it; where the step stands under a test,
its update() moves behind that.
"""

from __future__ import annotations

import libcst as cst

from ampfix.codemods.changes import After, Before, Change
from ampfix.codemods.errors import CannotRepair
from ampfix.codemods.plans._moving import call_alone, statement_at, take_away, under
from ampfix.codemods.tree import LOOPS, Statement, Tree
from ampfix.findings import Repair

_JUMPS = (cst.Continue, cst.Return)


def plan(tree: Tree, repair: Repair) -> list[Change]:
    scaler = repair.arguments["scaler"]
    unscale = tree.statement(tree.at(repair.span))
    step = statement_at(tree, repair.arguments["step"])
    if tree.function(unscale) is not tree.function(step):
        raise CannotRepair("unscale_ and step() run in different functions; call update() on the path without the step")
    jumps = [jump for jump in _jumps(tree, unscale, step) if not _updated(tree, jump, scaler)]
    if jumps:
        return [Before(jump, under(tree, _condition(tree, unscale, jump), f"{scaler}.update()")) for jump in jumps]
    return _behind_the_test(tree, unscale, step, scaler)


def _jumps(tree: Tree, unscale: Statement, step: Statement) -> list[Statement]:
    """The statements between the two that leave this turn without the step."""
    loop = next(tree.enclosing(step, LOOPS), None)
    found: list[Statement] = []
    for kind in _JUMPS:
        for jump in tree.find(loop if loop is not None else tree.function(step), kind):
            inner = next(tree.enclosing(jump, LOOPS), None)
            if tree.start(unscale) < tree.start(jump) < tree.start(step) and (inner is loop or kind is cst.Return):
                found.append(jump)
    return found


def _updated(tree: Tree, jump: Statement, scaler: str) -> bool:
    return any(any(tree.calls(sibling, f"{scaler}.update")) for sibling in tree.block(jump))


def _condition(tree: Tree, unscale: Statement, jump: Statement) -> str:
    """The tests around unscale_ that are not around the jump: elsewhere there is no scaler, or nothing was unscaled."""
    around = {id(node) for node in tree.ancestors(jump)}
    tests: list[str] = []
    inner: cst.CSTNode = unscale
    for node in tree.ancestors(unscale):
        if id(node) in around:
            break
        if isinstance(node, cst.If):
            test = tree.code(node.test)
            tests.insert(0, f"not ({test})" if inner is node.orelse else test)
        inner = node
    return " and ".join(f"({test})" if len(tests) > 1 else test for test in tests)


def _behind_the_test(tree: Tree, unscale: Statement, step: Statement, scaler: str) -> list[Change]:
    around = [node for node in tree.enclosing(step, cst.If) if not any(up is node for up in tree.ancestors(unscale))]
    if not around:
        raise CannotRepair("where the step is given up is not seen here; call update() on that path")
    test = around[-1]
    updates = [tree.statement(call) for call in tree.calls(test.body, f"{scaler}.update")]
    if len(updates) != 1 or test.orelse is not None:
        raise CannotRepair("the step is given up on another branch; call update() there too")
    call_alone(tree, updates[0])
    condition = _condition(tree, unscale, test)
    return [*take_away(tree, updates[0]), After(test, under(tree, condition, tree.with_comments(updates[0])))]
