"""Backward passes that a framework runs for the user."""

from __future__ import annotations

from enum import Enum
from typing import Any

from ampfix.records import dataclass


class Framework(str, Enum):
    """Who scales the loss, unscales the gradients and steps the scaler."""

    ACCELERATE = "accelerate"
    FABRIC = "Lightning Fabric"
    LIGHTNING = "Lightning"


@dataclass(frozen=True)
class ManagedBackward:
    """`holder.backward(loss)`: the gradients are scaled afterwards wherever the framework was set to float16.

    holder: as written. function: the definition around it, the module where there is none. precision: the literal the
    framework was built with ("fp16", "16-mixed"); empty where it is not seen. proven: the holder is bound to the
    framework's class, not just named like it.
    """

    framework: Framework
    holder: str
    node: Any
    function: Any
    precision: str
    proven: bool
