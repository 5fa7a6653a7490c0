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
    _walk(owner, frozenset(), bases, walked)
    return tuple(reversed(dict.fromkeys(reversed(walked))))


def _walk(
    scope: Scope, inheriting: frozenset[Scope], bases: Callable[[Scope], Iterable[Scope]], walked: list[Scope]
) -> None:
    if scope not in inheriting and len(walked) < _MAX_CLASSES:
        walked.append(scope)
        for base in bases(scope):
            _walk(base, inheriting | {scope}, bases, walked)
