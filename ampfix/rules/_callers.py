"""The calls of a function in the files that import its own."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping

from ampfix.program import Source
from ampfix.records import dataclass
from ampfix.rules import _places as places

_MAX_CALLS = 8  # of one function: a helper that is called more often is handed anything


@dataclass(frozen=True)
class Caller:
    """A call, mostly in an importing file. arguments: by the parameters of what it runs, as that file writes them.
    source: that file; in an importing one nothing can be pointed at or edited."""

    call: ast.Call
    arguments: Mapping[str, ast.expr]
    source: Source

    @property
    def is_in_full_view(self) -> bool:
        """Whether nothing is handed in by `*` or `**`."""
        call = self.call
        return not any(isinstance(one, ast.Starred) for one in call.args) and all(word.arg for word in call.keywords)


def callers(function: ast.FunctionDef | ast.AsyncFunctionDef, source: Source) -> list[Caller]:
    """The calls of a function, a method or, for `__init__`, a class, where the project is small enough to see who
    imports a file."""
    owner = places.class_of(function, source)
    name = owner.name if owner is not None and function.name == "__init__" else function.name
    found = [caller for importer in source.importers(name) for caller in _calls_in(importer, name, function)]
    return found if len(found) <= _MAX_CALLS else []


def _calls_in(importer: Source, name: str, function: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[Caller]:
    for call in (call for one in _names_for(name, importer) for call in importer.calls_to(one)):
        to = importer.methods_elsewhere(call) if function.name == "__init__" else importer.called_elsewhere(call)
        if any(one.definition is function for one in to):
            yield seen_by(importer, call, function)


def seen_by(source: Source, call: ast.Call, function: ast.AST) -> Caller:
    """A call of a function with what it hands in."""
    given = ((one, places.given_for(one, function, call)) for one in places.parameters(function))
    return Caller(call, {one: value for one, value in given if value is not None}, source)


def _names_for(name: str, importer: Source) -> dict[str, None]:
    """What a file calls something that it imports, the name itself among it."""
    brought = (one for node in importer.nodes((ast.ImportFrom,)) for one in getattr(node, "names", ()))
    return dict.fromkeys([name, *(one.asname for one in brought if one.name == name and one.asname)])
