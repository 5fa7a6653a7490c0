"""Wrapping functions of torch in place, and putting them back.

A wrapper is put into the class, module or closure that every caller goes through, so names imported earlier keep
working. Another tool may wrap the same function before or after: whoever leaves first, the originals come back.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from types import FunctionType
from typing import Any

import torch

Replacement = Callable[..., Any]
"""Called as replacement(original, *args, **kwargs)."""


class Patches:
    """Wrappers installed so far. After `undo` a wrapper that somebody else still holds passes calls through."""

    def __init__(self) -> None:
        self._active = True
        self._undo: list[Callable[[], None]] = []

    def method(self, owner: type, name: str, replacement: Replacement) -> None:
        """Wrap a plain method defined by `owner` itself (an inherited one is left to the class that defines it)."""
        original = vars(owner).get(name)
        if isinstance(original, FunctionType):
            self._set(owner, name, original, self._wrapper(original, replacement))

    def function(self, module: Any, name: str, replacement: Replacement) -> None:
        """Wrap a function where callers look it up as `module.name`. Raises RuntimeError where there is none."""
        original = vars(module).get(name)
        if not callable(original):
            raise RuntimeError(f"torch {torch.__version__} has no {module.__name__}.{name}: it cannot be recorded")
        self._set(module, name, original, self._wrapper(original, replacement))

    def decorated(self, module: Any, name: str, replacement: Replacement) -> None:
        """Wrap the function inside a decorator's closure: this reaches `from module import name` of long ago.

        Does nothing where this version of torch has no such function.
        """
        function = vars(module).get(name)
        if function is None:
            return
        for cell in getattr(function, "__closure__", None) or ():
            original = cell.cell_contents
            if isinstance(original, FunctionType) and original.__name__ == name:
                wrapper = self._wrapper(original, replacement)
                cell.cell_contents = wrapper
                self._undo.append(functools.partial(_restore_cell, cell, wrapper, original))
                return
        self.function(module, name, replacement)

    def on_undo(self, action: Callable[[], None]) -> None:
        self._undo.append(action)

    def undo(self) -> None:
        self._active = False
        while self._undo:
            self._undo.pop()()

    def _wrapper(self, original: Callable[..., Any], replacement: Replacement) -> Callable[..., Any]:
        @functools.wraps(original)
        def wrapper(*args: Any, **kwargs: Any) -> Any:
            if self._active:
                return replacement(original, *args, **kwargs)
            return original(*args, **kwargs)

        return wrapper

    def _set(self, owner: Any, name: str, original: object, wrapper: object) -> None:
        setattr(owner, name, wrapper)
        self._undo.append(functools.partial(_restore, owner, name, wrapper, original))


def _restore(owner: Any, name: str, wrapper: object, original: object) -> None:
    if vars(owner).get(name) is wrapper:
        setattr(owner, name, original)


def _restore_cell(cell: Any, wrapper: object, original: object) -> None:
    if cell.cell_contents is wrapper:
        cell.cell_contents = original


def subclasses(base: type) -> list[type]:
    """`base` and every class derived from it so far."""
    found: dict[type, None] = {base: None}
    children: list[type] = base.__subclasses__()
    for child in children:
        found.update(dict.fromkeys(subclasses(child)))
    return list(found)
