"""The fp32 run of an unedited loop: every autocast region and GradScaler behaves as if made with enabled=False."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.amp.autocast_mode import autocast
from torch.amp.grad_scaler import GradScaler

from ampfix.emulate.patches import Patches


def never_enabled() -> property:
    """An `_enabled` that reads False. Assignments are kept as False, so what is made inside stays disabled."""

    def forget(self: Any, _value: bool) -> None:
        self.__dict__["_enabled"] = False

    return property(lambda _self: False, forget)


_forced = 0


def fp32_is_forced() -> bool:
    """Whether `force_fp32` is in effect."""
    return _forced > 0


@contextmanager
def force_fp32() -> Iterator[None]:
    """Disable autocast and loss scaling in every spelling, on a real device or an emulated one.

    Both classes decide by their `_enabled`, subclasses included, so it alone is overlaid: no method is patched, and
    whoever records their methods sees disabled objects, whichever of the two was installed first. Objects made before
    are disabled inside and themselves again afterwards. Explicit casts (`.half()`) stay what they are.
    """
    global _forced
    patches = Patches()
    set_enabled: Any = torch.set_autocast_enabled

    def set_disabled(*args: Any) -> None:
        set_enabled(*args[:-1], False)

    _forced += 1
    try:
        patches.set(autocast, "_enabled", never_enabled())
        patches.set(GradScaler, "_enabled", never_enabled())
        patches.set(torch, "set_autocast_enabled", set_disabled)
        yield
    finally:
        _forced -= 1
        patches.undo()
