"""Find mixed-precision bugs in PyTorch training loops, repair them, and prove the repair by running it."""

from typing import Any

__version__ = "0.1.0"


def __getattr__(name: str) -> Any:
    if name != "watch":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return import_module("ampfix.watch")
