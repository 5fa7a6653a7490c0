"""Empties autocast's cache of half weights behind an optimizer step.

Span: the step, or the call that leads to it.
"""

from __future__ import annotations

from ampfix.codemods.changes import After, Change
from ampfix.codemods.plans.insert_unscale import insertion_point
from ampfix.codemods.plans.rewrite_expression import spelled
from ampfix.codemods.tree import Tree
from ampfix.findings import Repair


def plan(tree: Tree, repair: Repair) -> list[Change]:
    step = insertion_point(tree, tree.at(repair.span))
    return [After(step, f"{spelled(tree, 'torch')}.clear_autocast_cache()")]
