"""Takes a statement out of autocast, and casts to float32 what enters: a bare `enabled=False` would leave it half.

Span: an expression of the statement. Arguments: `places`, the expressions to cast; `device`, the region's device.
"""

from __future__ import annotations

import libcst as cst

from ampfix.codemods._places import as_float, expressions_at
from ampfix.codemods._wrap import under_with
from ampfix.codemods.changes import Change, Replace
from ampfix.codemods.errors import CannotRepair
from ampfix.codemods.plans.insert_unscale import insertion_point
from ampfix.codemods.plans.rewrite_expression import spelled
from ampfix.codemods.tree import Tree
from ampfix.findings import Repair


def plan(tree: Tree, repair: Repair) -> list[Change]:
    torch = spelled(tree, "torch")
    statement = insertion_point(tree, tree.at(repair.span))
    if isinstance(statement, cst.BaseCompoundStatement):
        raise CannotRepair("the call stands in the head of a compound statement; give it a line of its own")
    opening = f"{torch}.autocast({tree.quote}{repair.arguments['device']}{tree.quote}, enabled=False)"
    casts = [Replace(node, as_float, "float") for node in expressions_at(tree, repair.arguments["places"])]
    return [*casts, *under_with(tree, [statement], opening)]
