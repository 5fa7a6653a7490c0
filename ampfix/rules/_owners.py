"""Which optimizer an expression stands for, also where several are kept in a list or a dictionary."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Set

from ampfix.program import Role, Source
from ampfix.rules import _places as places
from ampfix.rules._remembered import per_source

_VIEWS = ("values", "items")


def stem(node: ast.expr, source: Source) -> str:
    """The last name of an optimizer or of what keeps it: `optimizers` for `self.optimizers[0]` and for the target of a
    loop over them. An element of what is not named for optimizers alone keeps its place: `parts[2]`."""
    container = _iterated(node, source) if isinstance(node, ast.Name) else None
    if container is not None:
        return stem(container, source)
    if isinstance(node, ast.Name):
        return node.id
    if isinstance(node, ast.Attribute):
        return node.attr
    if isinstance(node, ast.Subscript):
        kept = stem(node.value, source)
        return kept if "opt" in kept.lower() else f"{kept}[{_place(node, source)}]"
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in _VIEWS:
        return stem(node.func.value, source)
    return ""


def _place(node: ast.Subscript, source: Source) -> object:
    """The index of an element: one from the end counted from the start, where every list that is put there shows how
    many there are."""
    index = node.slice
    if isinstance(index, ast.Constant):
        return index.value
    from_end = source.number(index)
    if from_end is None or from_end >= 0:
        return "*"
    root = _root(node.value)
    lengths = {
        len(one.value.elts)
        for one in source.nodes((ast.Assign,))
        if isinstance(one, ast.Assign)
        and isinstance(one.value, (ast.List, ast.Tuple))
        and any(isinstance(target, ast.Subscript) and _root(target) == root for target in one.targets)
    }
    return lengths.pop() + int(from_end) if len(lengths) == 1 else int(from_end)


def _root(node: ast.expr) -> str:
    while isinstance(node, ast.Subscript):
        node = node.value
    return places.spelled(node)


def _iterated(name: ast.Name, source: Source) -> ast.expr | None:
    """What a loop or a comprehension around a name takes it from, element by element."""
    for target, taken in loops(name, source):
        if isinstance(target, ast.Name) and target.id == name.id:
            return taken
    return None


def loops(node: ast.AST, source: Source) -> Iterator[tuple[ast.expr, ast.expr]]:
    """The targets of loops and comprehensions around a node, each with what it is taken from."""
    for around in places.within_function(node, source):
        if isinstance(around, (ast.For, ast.AsyncFor)):
            yield from _taken(around.target, around.iter)
        elif isinstance(around, places.COMPREHENSIONS):
            for generator in around.generators:
                yield from _taken(generator.target, generator.iter)


def _taken(target: ast.expr, iterable: ast.expr) -> Iterator[tuple[ast.expr, ast.expr]]:
    """One by one: `zip` gives each target its own, `enumerate` and `items` give the last one theirs."""
    called = iterable.func if isinstance(iterable, ast.Call) else None
    function = getattr(called, "id", getattr(called, "attr", ""))
    elements = target.elts if isinstance(target, (ast.Tuple, ast.List)) else []
    if isinstance(iterable, ast.Call) and function == "enumerate" and iterable.args and len(elements) == 2:
        yield from _taken(elements[1], iterable.args[0])
    elif isinstance(iterable, ast.Call) and function == "zip" and elements:
        yield from zip(elements, iterable.args, strict=False)
    elif function == "items" and len(elements) == 2:
        yield elements[1], iterable
    elif not elements:
        yield target, iterable


def building(name: str, source: Source) -> Set[ast.AST | None]:
    """The functions that build an optimizer of this name."""
    return _built(source).get(name, set())


@per_source
def _built(source: Source) -> Mapping[str, set[ast.AST | None]]:
    """The functions that build an optimizer, by its name."""
    found: dict[str, set[ast.AST | None]] = {}
    for node in source.nodes((ast.Assign,)):
        assert isinstance(node, ast.Assign)
        if isinstance(node.value, ast.Call) and source.held(node.value).role is Role.OPTIMIZER:
            for target in node.targets:
                found.setdefault(places.spelled(target), set()).add(places.function_of(node, source))
    return found
