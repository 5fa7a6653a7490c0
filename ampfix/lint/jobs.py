"""What is left to check after the cache has been asked."""

from __future__ import annotations

import os

from ampfix.lint.settings import Settings
from ampfix.records import dataclass


@dataclass(frozen=True)  # one for each file of a project
class Job:
    """One file to check. size: how much work it may be, next to others."""

    path: str
    settings: Settings
    size: int = 1


def processors() -> int:
    """How many this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
