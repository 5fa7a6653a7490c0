"""Puts a statement behind another one. Span: anything in that one. Arguments: `text`: the source of the statement."""

from __future__ import annotations

from ampfix.codemods.changes import After, Change
from ampfix.codemods.tree import Tree
from ampfix.findings import Repair


def plan(tree: Tree, repair: Repair) -> list[Change]:
    return [After(tree.statement(tree.at(repair.span)), repair.arguments["text"])]
