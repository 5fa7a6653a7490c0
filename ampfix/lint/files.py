"""One parsed file, and what is known about it without its neighbours."""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property

from ampfix.lint.mentions import Mentions
from ampfix.lint.relevance import is_worth_parsing, trains
from ampfix.lint.scopes import Scope, ScopeBuilder
from ampfix.lint.spans import SpanIndex
from ampfix.lint.usage import Usage
from ampfix.patterns import pattern
from ampfix.program.spelling import last_name
from ampfix.program.tree import TreeIndex, walk


class SourceFile:
    """Raises SyntaxError for text that is not Python. path: as it is shown to the user."""

    def __init__(self, text: str, path: str) -> None:
        self.text, self.path = text, path
        self.tree = ast.parse(text, filename=path)
        self.scopes = ScopeBuilder(self.tree, text, self)

    def release(self) -> None:
        """Take apart what refers to itself in a circle, so that it is freed at once."""
        if "index" in self.__dict__:
            self.index.clear()
        self.scopes.clear()
        self.__dict__.clear()

    @property
    def parsed(self) -> int:
        """How many characters were parsed."""
        return len(self.text)

    def puts_off(self, name: str) -> bool:  # noqa: ARG002
        """Whether a function or class of this name, defined here and nowhere else, was not parsed yet."""
        return False

    @cached_property
    def index(self) -> TreeIndex:
        """Every node of the tree."""
        return TreeIndex(self.tree)

    def index_around(self, function: ast.AST) -> None:  # noqa: ARG002
        """Index at least the statement of the module that a function stands in."""
        _ = self.index

    @cached_property
    def spans(self) -> SpanIndex:
        return SpanIndex(self.text)

    @cached_property
    def usage(self) -> Usage:
        """How each name of the file is used."""
        return Usage(self.scopes, self.index)

    @cached_property
    def mentions(self) -> Mentions:
        """Which names its functions mention."""
        return Mentions(self.scopes, self.index)

    @cached_property
    def calls(self) -> Mapping[str, list[ast.Call]]:
        """Its calls by the last name of what is called."""
        found: dict[str, list[ast.Call]] = {}
        for node in self.index.order:
            if isinstance(node, ast.Call):
                found.setdefault(last_name(node.func), []).append(node)
        return found

    def calls_to(self, name: str) -> Sequence[ast.Call]:
        """The calls `name(...)` and `anything.name(...)`; none without an index where the text shows none."""
        if "index" not in self.__dict__ and next(calling(name, self.text), None) is None:
            return ()
        return self.calls.get(name, ())

    def scope_at(self, call: ast.Call) -> Scope:
        """The scope that a call, one that `calls_to` found, is evaluated in."""
        tree: TreeIndex = call.ampfix_tree  # type: ignore[attr-defined]
        return self.scopes.scope_of.get(tree.owners[call], self.scopes.root)

    @cached_property
    def reaching_for_gradients(self) -> frozenset[str]:
        """The functions that read or write a `grad`."""
        if ".grad" not in self.text:
            return frozenset()
        _ = self.index  # so that all of it is parsed
        functions = (node for node in self.scopes.scope_of if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)))
        return frozenset(
            function.name
            for function in functions
            if any(node.__class__ is ast.Attribute and node.attr == "grad" for node in walk(function))
        )

    @cached_property
    def trains(self) -> bool:
        """Whether it may hold a part of a training step."""
        return trains(self.text.encode("utf-8", "surrogatepass"))

    @cached_property
    def is_worth_parsing(self) -> bool:
        """Whether it is for those that import it."""
        return is_worth_parsing(self.path, self.text.encode(errors="replace"))

    @cached_property
    def label(self) -> str:
        """Marks this file's globals among the names of another; without the characters that separate paths of names."""
        return label(self.path)


_OPENS = pattern(r"[\s)]*\(")
_DEFINES = ("def ", "class ")


def calling(name: str, text: str) -> Iterator[int]:
    """Where a text calls `name` or `anything.name`. An expression for all of that takes ten times as long."""
    at = text.find(name) if name else -1
    while at >= 0:
        before, end = text[max(0, at - 6) : at], at + len(name)
        is_whole = not (before[-1:].isalnum() or before.endswith("_"))
        if is_whole and not before.endswith(_DEFINES) and _OPENS.match(text, end):
            yield at
        at = text.find(name, end)


def shown(path: str) -> str:
    """A path as the user would write it: relative where it lies below the current directory."""
    relative = os.path.relpath(path) if os.path.splitdrive(path)[0] == os.path.splitdrive(os.getcwd())[0] else path
    return path if relative.startswith("..") else relative


def label(path: str) -> str:
    """What marks the globals of the file at a path."""
    return "<" + path.removesuffix(".py").replace(".", ":").replace("[", "(") + ">"
