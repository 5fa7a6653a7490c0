"""Answers about a file that many questions need, worked out once."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar
from weakref import WeakKeyDictionary

from ampfix.program import Source

_Answer = TypeVar("_Answer")


def per_source(function: Callable[[Source], _Answer]) -> Callable[[Source], _Answer]:
    """Remembers the answer for each file as long as that is held; the answer must not hold the file."""
    known: WeakKeyDictionary[Source, _Answer] = WeakKeyDictionary()

    def asked(source: Source) -> _Answer:
        found = known.get(source)
        if found is None:
            found = known[source] = function(source)
        return found

    return asked
