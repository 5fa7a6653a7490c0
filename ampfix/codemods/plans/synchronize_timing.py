"""Waits for the device before a clock is read.

Span: the clock read that ends the measurement. Argument `start`: the place ("line:column") of the one that starts it.
Where the file asks whether CUDA is available, so does the inserted call.
"""

from __future__ import annotations

import libcst as cst

from ampfix.codemods._imports import global_name
from ampfix.codemods.changes import Before, Change
from ampfix.codemods.errors import CannotRepair
from ampfix.codemods.plans.insert_unscale import insertion_point
from ampfix.codemods.tree import Statement, Tree
from ampfix.findings import Position, Repair, Span


def plan(tree: Tree, repair: Repair) -> list[Change]:
    torch = global_name(tree, "torch")
    if torch is None:
        raise CannotRepair("torch is not imported at module level; import it, so that the device can be waited for")
    place = Position(*map(int, repair.arguments["start"].split(":")))
    reads = (tree.at(Span(place, place)), tree.at(repair.span))
    call = f"{torch}.cuda.synchronize()"
    if "is_available" in tree.module.code:
        call = f"if {torch}.cuda.is_available():\n{tree.module.default_indent}{call}"
    statements = [insertion_point(tree, read) for read in reads]
    return [Before(statement, call) for statement in statements if not _is_synchronized(tree, statement)]


def _is_synchronized(tree: Tree, statement: Statement) -> bool:
    """Whether the statement in front already waits."""
    block = tree.block(statement)
    place = block.index(statement)
    return place > 0 and any(
        isinstance(node, cst.Name) and node.value == "synchronize" for node in tree.walk(block[place - 1])
    )
