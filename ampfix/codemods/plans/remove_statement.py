"""Takes a call away that must not run. Span: the call, which is a statement of its own."""

from __future__ import annotations

from ampfix.codemods.changes import Change
from ampfix.codemods.plans._moving import call_alone, take_away
from ampfix.codemods.tree import Tree
from ampfix.findings import Repair


def plan(tree: Tree, repair: Repair) -> list[Change]:
    statement = tree.statement(tree.at(repair.span))
    call_alone(tree, statement)
    return take_away(tree, statement)
