"""Carrying out repairs: codemods plan changes on one tree, and all of them are made in one pass."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from importlib import import_module

import libcst as cst

from ampfix.codemods import REGISTRY
from ampfix.codemods.changes import After, Before, Change, Guard, Remove, Replace
from ampfix.codemods.errors import CannotRepair
from ampfix.codemods.tree import Statement, Tree
from ampfix.findings import Repair


def rewrite(text: str, repairs: Iterable[Repair]) -> str:
    """`text` with every repair made. Raises CannotRepair for the first one that cannot be."""
    tree = Tree(text)
    changes: list[Change] = []
    for repair in repairs:
        if repair.codemod not in REGISTRY:
            raise CannotRepair(f"there is no codemod named {repair.codemod!r}")
        changes += import_module(f"ampfix.codemods.plans.{repair.codemod}").plan(tree, repair)
    return make(tree, changes)


def make(tree: Tree, changes: Sequence[Change]) -> str:
    """The text of `tree` with `changes` made. Raises CannotRepair where two of them contradict each other."""
    return cst.ensure_type(tree.module.visit(_Maker(tree, changes)), cst.Module).code + tree.blank_end


class _Maker(cst.CSTTransformer):
    """Visits only what leads to a change, so that everything else is printed from the very nodes that were parsed."""

    def __init__(self, tree: Tree, changes: Sequence[Change]) -> None:
        super().__init__()
        self._config = tree.module.config_for_parsing
        self._of: dict[cst.CSTNode, list[Change]] = defaultdict(list)
        self._on_the_way: set[cst.CSTNode] = set()
        for change in changes:
            if self._is_new(change):
                self._of[change.anchor].append(change)
                self._on_the_way.update((change.anchor, *tree.ancestors(change.anchor)))

    def _is_new(self, change: Change) -> bool:
        others = self._of.get(change.anchor, [])
        if isinstance(change, Replace):
            labels = {other.label for other in others if isinstance(other, Replace)}
            if labels - {change.label}:
                raise CannotRepair("another repair changes the same expression")
            return not labels
        return change not in others

    def on_visit(self, node: cst.CSTNode) -> bool:
        return node in self._on_the_way

    def on_leave(  # type: ignore[override]
        self, original_node: cst.CSTNode, updated_node: cst.CSTNode
    ) -> cst.CSTNode | cst.RemovalSentinel | cst.FlattenSentinel[cst.CSTNode]:
        if original_node not in self._on_the_way:
            return updated_node
        if isinstance(original_node, cst.SimpleStatementLine) and self._touches(original_node.body):
            updated = cst.ensure_type(updated_node, cst.SimpleStatementLine)
            return cst.FlattenSentinel(
                self._lines(original_node.body, updated.body, updated.leading_lines, updated.trailing_whitespace)
            )
        if isinstance(original_node, cst.SimpleStatementSuite) and self._touches(original_node.body):
            suite = cst.ensure_type(updated_node, cst.SimpleStatementSuite)
            return cst.IndentedBlock(body=self._lines(original_node.body, suite.body, (), suite.trailing_whitespace))
        changes = self._of.get(original_node, [])
        for change in changes:
            if isinstance(change, Replace):
                return change.build(updated_node)
        if changes and isinstance(updated_node, cst.BaseCompoundStatement):
            if any(isinstance(change, Remove) for change in changes):
                return cst.RemoveFromParent()
            return cst.FlattenSentinel(self._around(changes, updated_node))
        return updated_node

    def _touches(self, statements: Sequence[cst.CSTNode]) -> bool:
        return any(not isinstance(change, Replace) for node in statements for change in self._of.get(node, ()))

    def _around(self, changes: Sequence[Change], node: cst.BaseCompoundStatement) -> list[cst.BaseStatement]:
        """A compound statement with what goes before and behind it. Comments above it stay above the first."""
        newline = cst.Newline()
        bare = node.with_changes(leading_lines=())
        made = [*self._sources(changes, Before, newline), bare, *self._sources(changes, After, newline)]
        return _lead(made, getattr(node, "leading_lines", ()))

    def _lines(
        self,
        originals: Sequence[Statement],
        updated: Sequence[cst.BaseSmallStatement],
        leading: Sequence[cst.EmptyLine],
        trailing: cst.TrailingWhitespace,
    ) -> list[cst.BaseStatement]:
        """A line of small statements, broken up where something comes in between."""
        made: list[cst.BaseStatement] = []
        open_line: list[cst.BaseSmallStatement] = []
        plain = cst.TrailingWhitespace(newline=trailing.newline)

        def close(end: cst.TrailingWhitespace) -> None:
            if open_line:
                if open_line[-1] is not updated[-1]:
                    open_line[-1] = open_line[-1].with_changes(semicolon=cst.MaybeSentinel.DEFAULT)
                made.append(cst.SimpleStatementLine(body=tuple(open_line), trailing_whitespace=end))
                open_line.clear()

        for original, statement in zip(originals, updated, strict=True):
            changes = self._of.get(original, [])
            before = self._sources(changes, Before, trailing.newline)
            after = self._sources(changes, After, trailing.newline)
            condition = next((change.condition for change in changes if isinstance(change, Guard)), None)
            last = original is originals[-1]
            if before or condition:
                close(plain)
            made += before
            if not any(isinstance(change, Remove) for change in changes):
                open_line.append(statement)
            if condition:
                end = trailing if last else plain
                inner = cst.SimpleStatementLine(
                    body=(statement.with_changes(semicolon=cst.MaybeSentinel.DEFAULT),), trailing_whitespace=end
                )
                open_line.clear()
                head = cst.TrailingWhitespace(newline=trailing.newline)
                made.append(cst.If(cst.parse_expression(condition), cst.IndentedBlock(body=(inner,), header=head)))
            if after:
                close(trailing if last else plain)
            made += after
        close(trailing)
        return _lead(made, leading)

    def _sources(
        self, changes: Sequence[Change], kind: type[Before] | type[After], newline: cst.Newline
    ) -> list[cst.BaseStatement]:
        sources = [change.source for change in changes if isinstance(change, kind)]
        return [_with_newline(cst.parse_statement(source, self._config), newline) for source in sources]


def _with_newline(statement: cst.BaseStatement, newline: cst.Newline) -> cst.BaseStatement:
    """An inserted statement ends its lines as its neighbours do."""

    class Ends(cst.CSTTransformer):
        def leave_Newline(self, original_node: cst.Newline, updated_node: cst.Newline) -> cst.Newline:  # noqa: ARG002
            return updated_node.with_changes(value=newline.value)

    return cst.ensure_type(statement.visit(Ends()), cst.BaseStatement)  # type: ignore[type-abstract]


def _lead(made: list[cst.BaseStatement], leading: Sequence[cst.EmptyLine]) -> list[cst.BaseStatement]:
    """The comments and blank lines above the old statement go above the first of the new ones."""
    if not made:
        return []
    own = getattr(made[0], "leading_lines", ())
    return [made[0].with_changes(leading_lines=(*leading, *own)), *made[1:]]
