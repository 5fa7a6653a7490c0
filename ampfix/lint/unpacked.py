"""What `**settings` hands on: the dictionaries that an expression may hold, as far as they are written out."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator

from ampfix.lint.scopes import Definition, Scope
from ampfix.lint.usage import dotted
from ampfix.program.tree import walk

Entries = dict[str, ast.expr]
_Found = list[tuple[Entries, Scope] | None]
Choices = Callable[[ast.expr, Scope], Iterable[tuple[ast.expr, Scope]]]
Definitions = Callable[[ast.expr, Scope], list[Definition]]
_MAX_DEPTH = 6


class Unpacked:
    """Answers for one checked file. choices: what an expression gives one of. definitions: what a name is set to."""

    def __init__(self, choices: Choices, definitions: Definitions) -> None:
        self._choices, self._definitions = choices, definitions

    def tables(self, node: ast.expr, scope: Scope) -> list[tuple[Entries, Scope]]:
        """Every dictionary that may be meant; none where one of them is not seen."""
        found = list(self._found(node, scope, _MAX_DEPTH))
        return [] if None in found else [one for one in found if one is not None]

    def _found(self, node: ast.expr, scope: Scope, depth: int) -> Iterator[tuple[Entries, Scope] | None]:
        entries = _written(node)
        if entries is not None or depth == 0:
            yield None if entries is None else (entries, scope)
            return
        if isinstance(node, (ast.Name, ast.Attribute)):
            definitions = self._definitions(node, scope)
            inner = [(one.value if one.item is None else None, one.scope or scope) for one in definitions]
        else:
            inner = list(self._choices(node, scope))
        if not inner:
            yield None
        for value, there in inner:
            held: _Found = [None] if value is None else list(self._found(value, there, depth - 1))
            yield from _filled(held, dotted(node), there)


def _filled(held: _Found, name: str | None, scope: Scope) -> Iterator[tuple[Entries, Scope] | None]:
    """Dictionaries, and what they are once further entries are set by name: each may be, or not."""
    added = list(_added(name, scope)) if name is not None else []
    for one in held:
        yield one
        for entry in added if one is not None else ():
            yield None if entry is None or one is None or one[1] is not scope else ({**one[0], **entry}, scope)


def _written(node: ast.expr) -> Entries | None:
    """The entries of a dictionary in braces, or of a call of dict, under texts alone."""
    if isinstance(node, ast.Call) and dotted(node.func) == "dict" and not node.args:
        return (
            {word.arg: word.value for word in node.keywords if word.arg} if all(w.arg for w in node.keywords) else None
        )
    if not isinstance(node, ast.Dict):
        return None
    keys = [key.value if isinstance(key, ast.Constant) else None for key in node.keys]
    texts = [key for key in keys if isinstance(key, str)]
    return dict(zip(texts, node.values, strict=True)) if len(texts) == len(keys) else None


def _added(name: str, scope: Scope) -> Iterator[Entries | None]:
    """What a function or class sets in a dictionary behind its making: `settings["dtype"] = dtype`."""
    for node in walk(scope.node):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and dotted(node.func.value) == name:
            yield from [None] if node.func.attr in ("update", "setdefault", "pop") else []
        if not isinstance(node, ast.Assign):
            continue
        for target in node.targets:
            if isinstance(target, ast.Subscript) and dotted(target.value) == name:
                yield _entry(target.slice, node.value)


def _entry(key: ast.expr, value: ast.expr) -> Entries | None:
    return {key.value: value} if isinstance(key, ast.Constant) and isinstance(key.value, str) else None
