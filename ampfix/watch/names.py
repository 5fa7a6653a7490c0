"""Stable names for live objects, which are not kept alive by being named."""

from __future__ import annotations

import functools
import weakref
from collections.abc import Callable
from typing import Any

_UNKNOWN: tuple[Callable[[], Any], None] = (lambda: None), None


class Names:
    """Names of objects of one kind, in the order they were met: "AdamW-0", "AdamW-1"."""

    def __init__(self) -> None:
        self._known: dict[int, tuple[Callable[[], Any], str]] = {}
        self._count = 0

    def find(self, thing: object) -> str | None:
        """The name of an object, None where it was not met before."""
        reference, name = self._known.get(id(thing), _UNKNOWN)
        return name if reference() is thing else None

    def of(self, thing: object) -> str:
        """The name of an object, given now where it has none."""
        reference, known = self._known.get(id(thing), _UNKNOWN)
        if known is None or reference() is not thing:
            known = f"{type(thing).__name__}-{self._count}"
            self._count += 1
            self.alias(thing, known)
        return known

    def alias(self, thing: object, name: str) -> None:
        """Give `thing` a name that another object may carry too: a wrapper and what it wraps."""
        key = id(thing)
        try:
            reference: Callable[[], Any] = weakref.ref(thing, lambda _: self._known.pop(key, None))
        except TypeError:  # a class with __slots__: keep the object
            reference = functools.partial(_same, thing)
        self._known[key] = (reference, name)

    def live(self) -> list[tuple[str, Any]]:
        """(name, object) of what is still alive, one object for each name."""
        found: dict[str, Any] = {}
        for reference, name in list(self._known.values()):
            thing = reference()
            if thing is not None:
                found.setdefault(name, thing)
        return list(found.items())

    @property
    def count(self) -> int:
        """How many names were given."""
        return self._count


def _same(thing: Any) -> Any:
    return thing
