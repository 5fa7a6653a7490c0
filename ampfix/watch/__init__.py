"""The runtime witness: records what a live training loop does, in the protocol's events.

`with ampfix.watch():` watches the loops that run inside: see `ampfix.watch.monitor.Watch`. `Recorder`, below it, only
records. Both need torch; `ampfix.watch.records`, the form events have on disk, does not, so importing this package
alone must not load it.
"""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ampfix.watch.facts import StepFacts
    from ampfix.watch.monitor import Watch
    from ampfix.watch.recorder import Recorder

__all__ = ["Recorder", "StepFacts", "Watch"]

_HOME = {"Recorder": "recorder", "StepFacts": "facts", "Watch": "monitor"}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME[name]}"), name)


class _Callable(ModuleType):
    """Makes `ampfix.watch(...)` stand for `ampfix.watch.Watch(...)`."""

    def __call__(self, *args: Any, **kwargs: Any) -> Watch:
        watch: Watch = __getattr__("Watch")(*args, **kwargs)
        return watch


sys.modules[__name__].__class__ = _Callable
