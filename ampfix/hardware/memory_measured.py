"""What a training step really takes at its peak on the CUDA device at hand, by precision."""

from __future__ import annotations

from ampfix.hardware.memory import Measured
from ampfix.hardware.place import Place
from ampfix.hardware.profile import peak_memory
from ampfix.hardware.profile.arms import BFLOAT16, FLOAT16, FLOAT32, arms, why_not
from ampfix.hardware.profile.workload import Step, build

_PRECISIONS = (FLOAT32, FLOAT16, BFLOAT16)


def measured(target: str, place: Place, optimizer: str) -> list[Measured]:
    """One row for float32 and each kind of autocast. Without CUDA, or with an optimizer other than AdamW, each says why
    there is no figure.

    Raises:
        ModelError: the target gives no model with inputs.
    """
    reason = ""
    if place.kind != "cuda":
        reason = "needs a CUDA device: its allocator knows its peak"
    elif optimizer not in ("adam", "adamw"):
        reason = "the measured step uses AdamW"
    if reason:
        return [Measured(name, None, reason, "") for name in _PRECISIONS]
    work = build(target, place.device)
    found = []
    for arm in arms():
        if arm.name in _PRECISIONS:
            refused = why_not(arm, place)
            if refused:
                found.append(Measured(arm.name, None, refused, ""))
                continue
            step = Step(work, arm)
            step()
            peak, source = peak_memory.measure(work, step)
            found.append(Measured(arm.name, peak, "", source))
    return found
