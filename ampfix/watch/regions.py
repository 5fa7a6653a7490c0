"""Observes autocast regions in every spelling: they all enter through torch.amp's own class."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

import torch
from torch.amp.autocast_mode import autocast

from ampfix.protocol import EventKind
from ampfix.watch.journal import Journal
from ampfix.watch.patches import Patches
from ampfix.watch.usage import GradientUse


class RegionObserver:
    """Writes AUTOCAST_ENTER and AUTOCAST_EXIT of the thread that records; autocast's state is each thread's own."""

    def __init__(self, journal: Journal, use: GradientUse) -> None:
        self._journal = journal
        self._use = use
        self._thread = threading.get_ident()

    def install(self, patches: Patches) -> None:
        patches.method(autocast, "__enter__", self._enter)
        patches.method(autocast, "__exit__", self._exit)

    def _enter(self, original: Callable[..., Any], region: Any) -> Any:
        result = original(region)
        if threading.get_ident() == self._thread:
            dtype = str(region.fast_dtype).removeprefix("torch.") if region._enabled else None
            self._journal.regions[region.device, dtype] += 1
            self._journal.saw_float16_region |= dtype == "float16" and torch.is_grad_enabled()
            self._use.begin_forward()
            self._journal.emit(EventKind.AUTOCAST_ENTER, dtype=dtype)
        return result

    def _exit(self, original: Callable[..., Any], region: Any, *error: Any) -> Any:
        if threading.get_ident() == self._thread:
            self._journal.emit(EventKind.AUTOCAST_EXIT)
        return original(region, *error)
