"""A parsed text: its nodes, where they lie, and how they nest. Knows libcst, nothing of AMP."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cached_property
from typing import TypeVar, cast

import libcst as cst
from libcst.metadata import CodeRange, MetadataWrapper, ParentNodeProvider, PositionProvider, ScopeProvider
from libcst.metadata.scope_provider import Scope

from ampfix.codemods.errors import CannotRepair
from ampfix.findings import Position, Span

Node = TypeVar("Node", bound=cst.CSTNode)
Statement = cst.BaseSmallStatement | cst.BaseCompoundStatement
STATEMENTS = (cst.BaseSmallStatement, cst.BaseCompoundStatement)
LOOPS = (cst.For, cst.While)
_BLANK = " \t\f\r\n"
_LINE_END = re.compile(r"\r\n|\r|\n")
SCOPES = (cst.FunctionDef, cst.Lambda, cst.Module)


def _parted(text: str) -> tuple[str, str]:
    """A text up to its last line of code, and the blank lines behind it: libcst drops some that hold spaces."""
    line_end = _LINE_END.search(text, len(text.rstrip(_BLANK)))
    end = len(text) if line_end is None else line_end.end()
    return text[:end], text[end:]


class Tree:
    """The concrete syntax tree of one text. Raises CannotRepair where the text does not survive a round trip."""

    def __init__(self, text: str) -> None:
        code, self.blank_end = _parted(text)
        try:
            module = cst.parse_module(code)
        except cst.ParserSyntaxError as error:
            raise CannotRepair(f"the file cannot be parsed: {error.message}") from error
        if module.code != code:
            raise CannotRepair("the file does not survive parsing and printing unchanged")
        self._wrapper = MetadataWrapper(module, unsafe_skip_copy=True)
        self.module = module
        self._positions = cast(Mapping[cst.CSTNode, CodeRange], self._wrapper.resolve(PositionProvider))
        self._parents = cast(Mapping[cst.CSTNode, cst.CSTNode], self._wrapper.resolve(ParentNodeProvider))

    @cached_property
    def scopes(self) -> Mapping[cst.CSTNode, Scope | None]:
        """Node -> its scope. Costs more than parsing; only name changes need it."""
        return cast(Mapping[cst.CSTNode, "Scope | None"], self._wrapper.resolve(ScopeProvider))

    def code(self, node: cst.CSTNode) -> str:
        return self.module.code_for_node(node)

    def line(self, node: cst.CSTNode) -> int:
        return self._positions[node].start.line

    def start(self, node: cst.CSTNode) -> tuple[int, int]:
        start = self._positions[node].start
        return start.line, start.column

    def span(self, node: cst.CSTNode) -> Span:
        place = self._positions[node]
        start, end = place.start, place.end
        return Span(Position(start.line, start.column + 1), Position(end.line, end.column + 1))

    def parent(self, node: cst.CSTNode) -> cst.CSTNode | None:
        return self._parents.get(node)

    def ancestors(self, node: cst.CSTNode) -> Iterator[cst.CSTNode]:
        """The nodes around `node`, innermost first, without itself."""
        parent = self._parents.get(node)
        while parent is not None:
            yield parent
            parent = self._parents.get(parent)

    def walk(self, root: cst.CSTNode) -> Iterator[cst.CSTNode]:
        """`root` and everything in it, in source order."""
        yield root
        for child in root.children:
            yield from self.walk(child)

    def find(self, root: cst.CSTNode, kind: type[Node]) -> Iterator[Node]:
        """The nodes of one kind inside `root`, without those in functions and classes nested in it."""
        if isinstance(root, kind):
            yield root
        for child in root.children:
            if not isinstance(child, (cst.FunctionDef, cst.ClassDef, cst.Lambda)):
                yield from self.find(child, kind)

    def at(self, span: Span) -> cst.CSTNode:
        """The innermost expression or statement that covers `span` (1-based, characters)."""
        start, end = (span.start.line, span.start.column - 1), (span.end.line, span.end.column - 1)
        found: cst.CSTNode | None = None
        for node, place in self._positions.items():
            if not isinstance(node, (cst.BaseExpression, *STATEMENTS)):
                continue
            covers = (place.start.line, place.start.column) <= start and end <= (place.end.line, place.end.column)
            if covers and (found is None or self._inside(node, found)):
                found = node
        if found is None:
            raise CannotRepair(f"no statement lies at line {span.start.line}, column {span.start.column}")
        return found

    def _inside(self, node: cst.CSTNode, other: cst.CSTNode) -> bool:
        return any(ancestor is other for ancestor in self.ancestors(node))

    def statement(self, node: cst.CSTNode) -> Statement:
        """The statement that `node` is or belongs to; for a node in the head of a compound statement, that one."""
        for candidate in (node, *self.ancestors(node)):
            if isinstance(candidate, STATEMENTS):
                return candidate
            if isinstance(candidate, cst.SimpleStatementLine):
                return candidate.body[0]
        raise CannotRepair("there is no statement around this place")

    def function(self, node: cst.CSTNode) -> cst.CSTNode:
        """The innermost function, or the module, that holds `node`."""
        return next(ancestor for ancestor in self.ancestors(node) if isinstance(ancestor, SCOPES))

    def enclosing(self, node: cst.CSTNode, kind: type[Node] | tuple[type[Node], ...]) -> Iterator[Node]:
        """Ancestors of one kind up to the function that holds `node`, innermost first."""
        for ancestor in self.ancestors(node):
            if isinstance(ancestor, SCOPES):
                return
            if isinstance(ancestor, kind):
                yield ancestor

    def block(self, statement: Statement) -> tuple[Statement, ...]:
        """The statements of the block that `statement` stands in."""
        holder = self.parent(statement)
        if isinstance(holder, cst.SimpleStatementLine):
            holder = self.parent(holder)
        if not isinstance(holder, (cst.Module, cst.IndentedBlock, cst.SimpleStatementSuite)):
            return ()  # an elif
        statements: list[Statement] = []
        for item in holder.body:
            if isinstance(item, cst.SimpleStatementLine):
                statements += item.body
            elif isinstance(item, STATEMENTS):
                statements.append(item)
        return tuple(statements)

    def with_comments(self, statement: Statement) -> str:
        """The source of a statement that is to move, with the comments above and beside it if it has a line alone."""
        line = self.parent(statement)
        if not isinstance(line, cst.SimpleStatementLine) or len(line.body) > 1:
            return self.code(statement.with_changes(semicolon=cst.MaybeSentinel.DEFAULT))
        above = [empty.comment.value for empty in line.leading_lines if empty.comment]
        beside = line.trailing_whitespace.comment
        return "\n".join((*above, self.code(statement) + (f"  {beside.value}" if beside else "")))

    @cached_property
    def quote(self) -> str:
        """The quote that most short strings of the file have."""
        quotes = [node.quote for node in self._positions if isinstance(node, cst.SimpleString)]
        quotes += [node.end for node in self._positions if isinstance(node, cst.FormattedString)]
        short = [quote for quote in quotes if len(quote) == 1]
        return "'" if short.count("'") * 2 > len(short) else '"'

    def functions_of(self, definition: cst.ClassDef) -> Iterator[cst.FunctionDef]:
        for statement in definition.body.body:
            if isinstance(statement, cst.FunctionDef):
                yield statement

    def first_import(self) -> Statement:
        """The first import at module level that is not from `__future__`."""
        for line in self.module.body:
            for statement in line.body if isinstance(line, cst.SimpleStatementLine) else ():
                if isinstance(statement, cst.Import):
                    return statement
                if isinstance(statement, cst.ImportFrom) and self.code(statement.module or statement) != "__future__":
                    return statement
        raise CannotRepair("there is no import at module level beside which another could stand")

    def names(self) -> frozenset[str]:
        """Every identifier in the file: names, attributes, parameters, imports."""
        return frozenset(node.value for node in self._positions if isinstance(node, cst.Name))

    def fresh_name(self, wish: str) -> str:
        """`wish`, or `wish_2`, `wish_3`, ... where the file already uses it."""
        taken = self.names()
        candidates = (wish if number == 1 else f"{wish}_{number}" for number in range(1, len(taken) + 2))
        return next(name for name in candidates if name not in taken)

    def calls(self, root: cst.CSTNode, function: str) -> Iterator[cst.Call]:
        """Calls in `root` whose callee is spelled `function`, whatever its whitespace."""
        wanted = "".join(function.split())
        for call in self.find(root, cst.Call):
            if "".join(self.code(call.func).split()) == wanted:
                yield call
