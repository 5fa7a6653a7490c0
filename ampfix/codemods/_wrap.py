"""Puts neighbouring statements under a `with`."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import libcst as cst

from ampfix.codemods.changes import Change, Remove, Replace
from ampfix.codemods.errors import CannotRepair
from ampfix.codemods.tree import Statement, Tree

Line = cst.SimpleStatementLine | cst.BaseCompoundStatement


def under_with(
    tree: Tree, statements: Sequence[Statement], opening: str, edit: Callable[[Line], Line] = lambda line: line
) -> list[Change]:
    """`with opening:` over statements that follow one another in one block.

    edit: what else happens to each of them; other changes inside any but the first would be lost. Raises CannotRepair
    where one shares its line with another statement.
    """
    lines = [_line(tree, statement) for statement in statements]
    first, *rest = lines

    def build(updated: cst.CSTNode) -> cst.CSTNode:
        top = cst.ensure_type(updated, cst.BaseStatement)  # type: ignore[type-abstract]
        leading = getattr(top, "leading_lines", ())
        body = [edit(top.with_changes(leading_lines=())), *map(edit, rest)]  # type: ignore[arg-type]
        shell = cst.ensure_type(
            cst.parse_statement(f"with {opening}:\n    pass", tree.module.config_for_parsing), cst.With
        )
        return shell.with_changes(body=cst.IndentedBlock(body=body), leading_lines=leading)

    return [Replace(first, build, f"with {opening}"), *(Remove(statement) for statement in statements[1:])]


def _line(tree: Tree, statement: Statement) -> Line:
    if isinstance(statement, cst.BaseCompoundStatement):
        return statement
    line = tree.parent(statement)
    if not isinstance(line, cst.SimpleStatementLine) or len(line.body) > 1:
        raise CannotRepair("a statement that belongs in the region shares its line with another; give it its own")
    return line
