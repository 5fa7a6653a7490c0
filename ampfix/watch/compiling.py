"""Notes that a run compiles. Compiled code that is called under a dispatch mode runs eagerly: with other last digits,
and, where that was its first call, for good."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from typing import Any

import torch

from ampfix.watch.modes import GuestMode
from ampfix.watch.patches import Patches


class CompileObserver:
    """Bars `modes` from starting once something is compiled."""

    def __init__(self, modes: Iterable[GuestMode]) -> None:
        self._modes = list(modes)
        self._is_loaded = "torch._dynamo" in sys.modules
        self._compiles = self._runs_eagerly = False

    def install(self, patches: Patches) -> None:
        self._runs_eagerly = not torch.compile.__module__.startswith("torch")  # another one stands in, to that end
        patches.function(torch, "compile", self._compile)

    def may_look_at_first(self) -> bool:
        """Whether no compiled code can be waiting for its first call."""
        return self._runs_eagerly or not (self._is_loaded or self._compiles)

    def may_look(self) -> bool:
        """Whether nothing has been compiled. Call between steps."""
        if not self._compiles and _frames_compiled() and not self._runs_eagerly:
            self._bar()
        return not self._compiles

    def _compile(self, original: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        if not self._runs_eagerly:
            self._bar()
        return original(*args, **kwargs)

    def _bar(self) -> None:
        self._compiles = True
        for mode in self._modes:
            mode.stop()
            mode.barred = True


def _frames_compiled() -> int:
    utils = sys.modules.get("torch._dynamo.utils")
    return 0 if utils is None else int(utils.counters["frames"]["total"])
