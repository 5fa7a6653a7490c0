"""Attribute patches that are put back in reverse order, whatever happened in between."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import torch.overrides
from torch.utils import _device

_ABSENT = object()

_TABLES = (
    "get_ignored_functions",
    "get_default_nowrap_functions",
    "get_testing_overrides",
    "_get_overridable_functions",
    "_get_tensor_methods",
)


def _fill_torchs_tables() -> None:
    """Have torch build the tables of its own functions that it keeps for good, before any of them is patched."""
    _device._device_constructors()
    for name in _TABLES:
        getattr(torch.overrides, name, lambda: None)()


_fill_torchs_tables()


class Patches:
    """A stack of undo actions. Anything set through it is restored by `undo`, newest first."""

    def __init__(self) -> None:
        self._undo: list[Callable[[], Any]] = []

    def set(self, owner: Any, name: str, value: object) -> None:
        """Set `owner.name`, remembering what the owner's own namespace held (inherited names are uncovered again)."""
        previous = vars(owner).get(name, _ABSENT)
        if previous is _ABSENT:
            self._undo.append(lambda: delattr(owner, name))
        else:
            self._undo.append(lambda: setattr(owner, name, previous))
        setattr(owner, name, value)

    def on_undo(self, action: Callable[[], Any]) -> None:
        """Run `action` when the patches are undone."""
        self._undo.append(action)

    def undo(self) -> None:
        """Run every undo action, newest first; a failure is raised after all have run."""
        with ExitStack() as stack:
            for action in self._undo:
                stack.callback(action)
            self._undo = []
