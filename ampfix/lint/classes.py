"""The order in which a class and its bases are searched for an attribute."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from ampfix.lint.scopes import Scope

_MAX_CLASSES = 64  # in one hierarchy


def linearised(owner: Scope, bases: Callable[[Scope], Iterable[Scope]]) -> tuple[Scope, ...]:
    """The class, then its bases depth first, each behind the last class that inherits from it.

    Python's own order (C3) wherever that is defined for hierarchies as real code has them.
    """
    walked: list[Scope] = []

    def visit(scope: Scope, inheriting: frozenset[Scope]) -> None:
        if scope not in inheriting and len(walked) < _MAX_CLASSES:
            walked.append(scope)
            for base in bases(scope):
                visit(base, inheriting | {scope})

    visit(owner, frozenset())
    return tuple(reversed(dict.fromkeys(reversed(walked))))
