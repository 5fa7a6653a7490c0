"""The runtime witness: records what a live training loop does, in the protocol's events.

`Recorder` needs torch; `ampfix.watch.records`, the form events have on disk, does not, so importing this package
alone must not load it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ampfix.watch.facts import StepFacts
    from ampfix.watch.recorder import Recorder

__all__ = ["Recorder", "StepFacts"]


def __getattr__(name: str) -> Any:
    if name == "Recorder":
        from ampfix.watch.recorder import Recorder

        return Recorder
    if name == "StepFacts":
        from ampfix.watch.facts import StepFacts

        return StepFacts
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
