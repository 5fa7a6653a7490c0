"""What a correct AMP step is: a typestate over gradients and scalers.

This module is the one definition both witnesses share. The static witness lowers source to events and interprets
them over sets of states; the runtime witness records the same events from a live run. It is pure: no torch, no
source text, no rule codes (the rule files map a `Violation` to a code).

The transitions follow `torch/amp/grad_scaler.py` (OptState per optimizer, inf checks gathered by `unscale_`, asserted
by `update`) and add what torch does not track: what the gradients *hold*.
"""

from ampfix.protocol.events import EXPLANATIONS, Event, EventKind, Outcome, Violation
from ampfix.protocol.state import ENTRY, INITIAL, UNKNOWN_OPTIMIZER, Broken, Grad, OptimizerState, Stage, State
from ampfix.protocol.transitions import advance, replay
from ampfix.protocol.windows import Windows

__all__ = [
    "ENTRY",
    "EXPLANATIONS",
    "INITIAL",
    "UNKNOWN_OPTIMIZER",
    "Broken",
    "Event",
    "EventKind",
    "Grad",
    "OptimizerState",
    "Outcome",
    "Stage",
    "State",
    "Violation",
    "Windows",
    "advance",
    "replay",
]
