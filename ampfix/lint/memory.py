"""Python's cycle collector while files are analysed.

A tree is a hundred thousand objects that stay alive until their file is done; the collector would look at them again
and again (a third of the time on 2,332 files of 56 repositories). What is analysed takes its cycles apart by itself
(`release`), and a full collection now and then finds what slipped through.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

_COLLECTED_EVERY = 40  # analysed files


class _Count:
    files = 0


@contextmanager
def collector_paused() -> Iterator[None]:
    """Analyse one file without the collector; leaves it as it was."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        _Count.files += 1
        if was_enabled:
            gc.enable()
            if _Count.files % _COLLECTED_EVERY == 0:
                gc.collect()
