"""Puts `SCALER.update()` where it belongs: once, behind the step's last `scaler.step`.

Span: anything in the statement the finding is about.
Arguments: `scaler`: source text; optional `after`: the place of the statement it goes behind; optional `drop`: places,
separated by ";", of `update()` statements to take away; the first of them is what moves to `after`. A place is
"line:column-line:column".
"""

from __future__ import annotations

from ampfix.codemods.changes import After, Change
from ampfix.codemods.errors import CannotRepair
from ampfix.codemods.plans._moving import call_alone, statement_at, statements_at, take_away
from ampfix.codemods.tree import Tree
from ampfix.findings import Repair


def plan(tree: Tree, repair: Repair) -> list[Change]:
    dropped = statements_at(tree, repair.arguments.get("drop", ""))
    changes: list[Change] = []
    for update in dropped:
        call_alone(tree, update)
        changes += take_away(tree, update)
    if "after" in repair.arguments:
        anchor = statement_at(tree, repair.arguments["after"])
        if any(tree.function(update) is not tree.function(anchor) for update in dropped):
            raise CannotRepair("update() and step() run in different functions; put update() behind the last step()")
        text = tree.with_comments(dropped[0]) if dropped else f"{repair.arguments['scaler']}.update()"
        changes.append(After(anchor, text))
    return changes
