"""What the text of an `__init__.py` binds: Python finds a package's own names before the modules in it."""

from __future__ import annotations

import re

from ampfix.patterns import pattern

_IMPORT = pattern(rb"^\s*from[ \t]+(\S+)[ \t]+import[ \t]*(\([^)]*\)|(?:[^\n\\]|\\\r?\n)*)", re.MULTILINE)
_BOUND = pattern(rb"^(?:(?:async[ \t]+)?def|class)[ \t]+(\w+)|^(\w+)[ \t]*=(?!=)", re.MULTILINE)
_ALIAS = pattern(rb"(?:^|[,(\n])\s*(\w+)(?:\s+as\s+(\w+))?(?=\s*(?:[,)#\r\n]|$))")


def bound_names(data: bytes, package: str) -> frozenset[bytes]:
    """The names that a package's own code binds, to something else than its modules. package: its own name."""
    found = {first or second for first, second in _BOUND.findall(data)}
    for source, names in _IMPORT.findall(data):
        if source.strip(b".") and source.strip(b".").rpartition(b".")[2] != package.encode():
            found |= {alias or name for name, alias in _ALIAS.findall(names)}
    return frozenset(found)
