"""What is left to check after the cache has been asked."""

from __future__ import annotations

import os

from ampfix.lint.settings import Settings
from ampfix.records import dataclass


@dataclass(frozen=True)  # one for each file of a project
class Job:
    """One file to check. size: how much work it may be, next to others. named: on the command line, so that it is
    said where it is not Python, whatever it mentions."""

    path: str
    settings: Settings
    size: int = 1
    named: bool = False


def processors() -> int:
    """How many this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
