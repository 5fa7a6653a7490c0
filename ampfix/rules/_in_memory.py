"""States that a run keeps for itself, to go back to: nothing is resumed from them."""

from __future__ import annotations

import ast

from ampfix.program import Source
from ampfix.rules import _places as places
from ampfix.rules._checkpoints import Entry

_COPIES = ("deepcopy", "copy")


def stays_in_memory(entry: Entry, source: Source) -> bool:
    """Whether an optimizer's state lies in a dictionary that a name or an attribute of self keeps, that the file makes
    and goes back to itself, and that nothing is handed."""
    path = entry.checkpoint or _keeper(entry.node, source)
    if not path.removeprefix("self.").isidentifier() or not _is_gone_back_to(path, source):
        return False
    made = [one for one in source.nodes((ast.Assign,)) if isinstance(one, ast.Assign) and _sets(one, path)]
    written = [one for one in made if not (isinstance(one.value, ast.Constant) and one.value.value is None)]
    if not written or not all(_is_written_out(one.value) for one in written):
        return False
    kinds = (ast.Name,) if path.isidentifier() else (ast.Attribute,)
    uses = (one for one in source.nodes(kinds) if isinstance(getattr(one, "ctx", None), ast.Load))
    return all(_looks_inside(one, source) for one in uses if places.spelled(one) == path)


def _keeper(state: ast.expr, source: Source) -> str:
    """What the dictionary around a state is assigned to."""
    statement = places.statement_of(state, source)
    if not isinstance(statement, ast.Assign) or not _is_written_out(statement.value):
        return ""
    return places.spelled(statement.targets[0])


def _is_written_out(value: ast.expr) -> bool:
    """`{"model": ..., "optimizer": ...}`, or a copy of that."""
    if isinstance(value, ast.Call) and places.called(value) in _COPIES and len(value.args) == 1:
        value = value.args[0]
    return isinstance(value, (ast.Dict, ast.Tuple))


def _is_gone_back_to(path: str, source: Source) -> bool:
    restores = (call.args[0] for call in places.all_methods_called(source, "load_state_dict") if call.args)
    return any(isinstance(one, ast.Subscript) and places.spelled(one.value) == path for one in restores)


def _sets(node: ast.Assign, path: str) -> bool:
    return path in map(places.spelled, node.targets)


def _looks_inside(use: ast.AST, source: Source) -> bool:
    """Whether a use only takes something out, or asks whether anything is there."""
    around = next(source.ancestors(use))
    is_opened = isinstance(around, (ast.Subscript, ast.Attribute)) and around.value is use
    return is_opened or isinstance(around, (ast.Compare, ast.If, ast.BoolOp, ast.UnaryOp))
