"""What a name stands for that a loop takes from a collection: `part` of `for part in (model, optimizer)`."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ampfix.program import Source
from ampfix.rules import _places as places

_LITERALS = (ast.List, ast.Tuple, ast.Set)


def elements(node: ast.expr, source: Source) -> list[str]:
    """How everything that an expression stands for in turn is written, as far as the file shows the collection."""
    if isinstance(node, ast.Name):
        taken = [_column(node, target, iterable, source) for target, iterable in _loops(node, source)]
        return [places.spelled(one) for several in taken for one in several]
    if isinstance(node, ast.Subscript) and isinstance(node.slice, ast.Name):
        return [places.spelled(one) for one in _values(node.value, source)]
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "getattr" and node.args[1:]:
        base, name = node.args[:2]
        loops = _loops(name, source) if isinstance(name, ast.Name) else ()
        texts = (one for target, iterable in loops for one in _column(name, target, iterable, source))
        return [f"{places.spelled(base)}.{one.value!s}" for one in texts if isinstance(one, ast.Constant)]
    return []


def _loops(name: ast.Name, source: Source) -> Iterator[tuple[ast.expr, ast.expr]]:
    """The targets of loops around that set a name, each with what the loop goes through."""
    for around in places.within_function(name, source):
        for one in getattr(around, "generators", [around]):
            if isinstance(one, (ast.For, ast.comprehension)) and name.id in places.names_in(one.target):
                yield one.target, one.iter


def _column(name: ast.expr, target: ast.expr, iterable: ast.expr, source: Source) -> Iterator[ast.expr]:
    """What a loop gives one of its targets."""
    assert isinstance(name, ast.Name)
    inner = iterable.func if isinstance(iterable, ast.Call) else None
    if isinstance(target, ast.Tuple):
        at = next((i for i, one in enumerate(target.elts) if places.spelled(one) == name.id), None)
        if at == 1 and isinstance(inner, ast.Attribute) and inner.attr == "items":
            yield from _values(inner.value, source)
        elif at is not None and inner is None:
            rows = (row for row in _values(iterable, source) if isinstance(row, ast.Tuple))
            yield from (row.elts[at] for row in rows if at < len(row.elts))
    elif isinstance(inner, ast.Attribute) and inner.attr == "values":
        yield from _values(inner.value, source)
    elif inner is None:
        yield from _values(iterable, source)


def _values(node: ast.expr, source: Source) -> Iterator[ast.expr]:
    """What a collection holds: as written on the spot, or put into the name or attribute that it has."""
    if not isinstance(node, (ast.Name, ast.Attribute)):
        yield from _literal(node)
        return
    yield from _handed(node, source)
    around = places.function_of if isinstance(node, ast.Name) else places.class_of
    here, name = around(node, source), places.spelled(node)
    if isinstance(here, ast.ClassDef) and name.startswith("self."):
        named = (one for one in here.body if isinstance(one, ast.Assign) and _sets(one, name.removeprefix("self.")))
        yield from (inside for one in named for inside in _literal(one.value))
    for stored in source.nodes((ast.Assign, ast.AnnAssign, ast.Call)):
        put = list(_put(stored, name))
        if put and around(stored, source) in (here, None):
            yield from put


def _handed(node: ast.expr, source: Source) -> Iterator[ast.expr]:
    """What a collection holds that the calls in the file hand in, as one thing or as further keywords."""
    function = places.function_of(node, source)
    if not isinstance(node, ast.Name) or not isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef)):
        return
    named = places.parameters(function)
    further = function.args.kwarg.arg if function.args.kwarg is not None else ""
    for call in places.calls_of(function, source) if node.id in named else ():
        if node.id == further:
            yield from (word.value for word in call.keywords if word.arg is not None and word.arg not in named)
            continue
        given = places.given_for(node.id, function, call)
        if given is not None and places.function_of(call, source) is not function:
            yield from _values(given, source)


def _sets(node: ast.Assign, name: str) -> bool:
    return any(isinstance(target, ast.Name) and target.id == name for target in node.targets)


def _put(stored: ast.AST, name: str) -> Iterator[ast.expr]:
    """What a statement or a call puts into a collection."""
    if isinstance(stored, ast.Call):
        added = places.receiver(stored) == name and isinstance(stored.func, ast.Attribute)
        if added and stored.func.attr == "append":  # type: ignore[attr-defined]
            yield from stored.args
        elif added and stored.func.attr == "update":  # type: ignore[attr-defined]
            yield from (word.value for word in stored.keywords)
            yield from (one for given in stored.args for one in _literal(given))
        return
    pairs = places.assignments(stored) if isinstance(stored, ast.Assign) else [_annotated(stored)]
    for target, value in pairs:
        if isinstance(target, ast.Subscript) and places.spelled(target.value) == name and value is not None:
            yield value
        elif isinstance(target, (ast.Name, ast.Attribute)) and places.spelled(target) == name:
            yield from _literal(value)


def _annotated(stored: ast.AST) -> tuple[ast.expr | None, ast.expr | None]:
    return getattr(stored, "target", None), getattr(stored, "value", None)


def _literal(node: ast.AST | None) -> Iterator[ast.expr]:
    if isinstance(node, ast.Dict):
        yield from node.values
    elif isinstance(node, _LITERALS):
        yield from node.elts
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "dict":
        yield from (word.value for word in node.keywords)
