"""Taking statements away and putting them elsewhere: what the plans about the order of a step share."""

from __future__ import annotations

import libcst as cst

from ampfix.codemods.changes import Change, Remove, Replace
from ampfix.codemods.errors import CannotRepair
from ampfix.codemods.tree import LOOPS, Statement, Tree
from ampfix.findings import Position, Span


def statement_at(tree: Tree, place: str) -> Statement:
    """The statement at "line:column-line:column"."""
    start, end = (Position(*map(int, corner.split(":"))) for corner in place.split("-"))
    return tree.statement(tree.at(Span(start, end)))


def statements_at(tree: Tree, places: str) -> list[Statement]:
    """The statements at several places, separated by ";"."""
    return [statement_at(tree, place) for place in places.split(";") if place]


def call_alone(tree: Tree, statement: Statement) -> cst.Call:
    """The call that the statement consists of. Raises CannotRepair where its value is used."""
    if isinstance(statement, cst.Expr) and isinstance(statement.value, cst.Call):
        return statement.value
    raise CannotRepair(
        f"`{tree.code(statement).strip()}` is more than one call; put the call in a statement of its own"
    )


def take_away(tree: Tree, statement: Statement) -> list[Change]:
    """Remove a statement: with its `if` where that holds nothing else, by `pass` where a block would be empty."""
    if tree.block(statement) != (statement,):
        return [Remove(statement)]
    around = next(tree.enclosing(statement, (cst.If, cst.Else, cst.For, cst.While, cst.With, cst.Try)), None)
    if isinstance(around, cst.If) and around.orelse is None and tree.block(around):
        return take_away(tree, around)
    if isinstance(statement, cst.BaseCompoundStatement):
        return [Replace(statement, lambda _: cst.SimpleStatementLine([cst.Pass()]), "pass")]
    return [Replace(statement, lambda _: cst.Pass(), "pass")]


def beside(tree: Tree, inner: Statement, other: Statement) -> Statement | None:
    """The statement around `inner`, or itself, in the block of `other`."""
    siblings = tree.block(other)
    for candidate in (inner, *tree.enclosing(inner, cst.BaseCompoundStatement)):
        if any(candidate is sibling for sibling in siblings):
            return candidate
    return None


def same_loop(tree: Tree, one: cst.CSTNode, other: cst.CSTNode) -> bool:
    """Whether two nodes lie in the same innermost loop."""
    return next(tree.enclosing(one, LOOPS), None) is next(tree.enclosing(other, LOOPS), None)


def under(tree: Tree, condition: str, *sources: str) -> str:
    """Statements under a test, or the single statement itself where there is none."""
    if not condition:
        return sources[0]
    indent = tree.module.default_indent
    body = "\n".join(f"{indent}{line}" for source in sources for line in source.split("\n"))
    return f"if {condition}:\n{body}"
