"""Python's cycle collector while files are analysed.

A tree is a hundred thousand objects that stay alive until their file is done; the collector would look at them again
and again (a third of the time on 2,332 files of 56 repositories). What is analysed takes its cycles apart by itself
(`release`), and a full collection now and then finds what slipped through.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

_COLLECTED_EVERY = 150  # analysed files


class _Count:
    files = 0


@contextmanager
def collector_paused() -> Iterator[None]:
    """Analyse without the collector; leaves it as it was. A pause around many files spares what lies between them."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def analysed() -> None:
    """One more file is done and let go of."""
    _Count.files += 1
    if _Count.files % _COLLECTED_EVERY == 0:
        gc.collect()
