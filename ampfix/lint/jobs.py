"""What is left to analyse after the cache has been asked."""

from __future__ import annotations

import os
from dataclasses import dataclass

from ampfix.lint.settings import Settings


@dataclass(frozen=True)
class Job:
    """One file to analyse. size: its bytes."""

    path: str
    settings: Settings
    size: int


def processors() -> int:
    """How many this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
