"""How an evaluation outside autocast is put under the region that training uses."""

from __future__ import annotations

import ast

from ampfix.findings import Applicability, Repair
from ampfix.program import Source
from ampfix.program.tree import walk
from ampfix.rules._places import parameters
from ampfix.rules._shapes import FUNCTIONS, function_of, method, own, owner_of, path, regions_around, statement_of
from ampfix.rules._trained_models import TrainedModel


def repaired(call: ast.Call, match: TrainedModel, source: Source) -> Repair | str:
    """The repair of a forward that runs outside autocast, or why there is none."""
    opening, function = match.region.opening, function_of(call, source)
    if regions_around(call, source):
        return "the region around it is switched off; switch it on as training does"
    if not isinstance(opening, ast.Call):
        return "the training's region is made elsewhere; open the same one here"
    for root in dict.fromkeys(path(node).partition(".")[0] for node in walk(opening) if path(node)):
        if not _is_known(root, function, match, source):
            return f"{root}, on which the training's region depends, is not known here; hand it in"
    first = statement_of(call, source)
    if not isinstance(first, ast.Assign):
        return "the forward is part of a larger statement; assign its result first"
    if match.region.dtype != "float16" and "numpy(" in source.segment(function):
        return "the results become numpy arrays, which have no bfloat16; convert them with float() first"
    last = _last(first, match, source)
    return Repair(
        "extend_region",
        Applicability.UNSAFE,
        "Evaluate under the region that training uses",
        source.span(first),
        {"opening": source.segment(opening), "last": str(last.lineno)},
    )


def _is_known(root: str, function: ast.AST, match: TrainedModel, source: Source) -> bool:
    if root in source.import_aliases or function is function_of(match.region.node, source):
        return True
    if root == "self":
        return owner_of(match.region.node, "self.x", source) is owner_of(function, "self.x", source)
    return isinstance(function, FUNCTIONS) and root in parameters(function)


def _last(first: ast.stmt, match: TrainedModel, source: Source) -> ast.stmt:
    """The last statement that belongs in the region: what training computes under it right behind the forward."""
    covered = {path(node.func) for node in own(match.region.node) if isinstance(node, ast.Call)} - {""}
    parent = next(source.ancestors(first))
    block: list[ast.stmt] = next(
        (part for name in ("body", "orelse", "finalbody") if first in (part := getattr(parent, name, []))), [first]
    )
    behind = block[block.index(first) + 1 :]
    last = first
    for statement in behind:
        called = {path(node.func) for node in own(statement) if isinstance(node, ast.Call)}
        if not isinstance(statement, ast.Assign) or not called & covered or method(statement.value)[1] == "item":
            break
        last = statement
    return last
