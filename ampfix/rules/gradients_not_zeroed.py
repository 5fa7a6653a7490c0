"""AMP123."""

from __future__ import annotations

from ampfix.findings import Applicability, Repair, Severity
from ampfix.program import Do, Occurrence
from ampfix.protocol import EventKind, Violation
from ampfix.rules._base import Invalid, ProtocolRule, local_name
from ampfix.rules._path import contributors, events_of, excluded, latest, optimizers, reachable


class GradientsNotZeroed(ProtocolRule):
    """The gradients of the last step are still there when the next scaled loss runs backward.

    ## What it does
    Finds loops that scale, step and update but never zero the gradients.

    ## Why is this bad
    The old gradients are unscaled, the new ones carry the scale, and their sum is divided by it: the old ones count
    65536 times less. So the loop trains as if they had been zeroed, until the first overflow: infinite gradients stay,
    and every later step is skipped. Where the scaler is disabled, its scale small, or the loop runs in bfloat16 without
    one, every step applies the sum of all gradients since the first.

    ## Example
    ```python
    scaler.scale(loss).backward()
    scaler.step(optimizer)
    scaler.update()
    ```

    ## Use instead
    ```python
    scaler.scale(loss).backward()
    scaler.step(optimizer)
    scaler.update()
    optimizer.zero_grad()
    ```

    ## Fix safety
    Unsafe: code that is not seen here may rely on the gradients after the step.

    ## References
    - https://pytorch.org/docs/stable/generated/torch.optim.Optimizer.zero_grad.html
    """

    code, name, severity = "AMP123", "gradients-not-zeroed", Severity.WARNING
    violations = (Violation.MIXED_GRADIENTS,)
    fix = Applicability.UNSAFE
    scenarios = ("gradients-never-zeroed",)

    VALID = (
        """\
import torch

def train(model, loader, optimizer):
    scaler = torch.amp.GradScaler("cuda")
    for x, y in loader:
        for parameter in model.parameters():
            parameter.grad = None
        scaler.scale(model(x, y)).backward()
        scaler.step(optimizer)
        scaler.update()
""",
    )
    INVALID = (
        Invalid(
            """\
import torch

def train(model, loader, optimizer):
    scaler = torch.amp.GradScaler("cuda")
    for x, y in loader:
        scaler.scale(model(x, y)).backward()
        scaler.step(optimizer)
        scaler.update()
""",
            """\
import torch

def train(model, loader, optimizer):
    scaler = torch.amp.GradScaler("cuda")
    for x, y in loader:
        scaler.scale(model(x, y)).backward()
        scaler.step(optimizer)
        scaler.update()
        optimizer.zero_grad()
""",
            (6,),
        ),
    )

    def applies(self, occurrence: Occurrence) -> bool:
        found = contributors(occurrence)
        if _zeroed_in_loop(occurrence):
            return False  # now and then, and not on this path: which may be one that is never taken
        agree = len({do.event.scaler for do in found}) == 1 and occurrence.do.event.scaler is not None
        return agree and len(optimizers(occurrence)) == 1 and not any(excluded(a, b) for a in found for b in found)

    def headline(self, occurrence: Occurrence) -> str:
        optimizer = local_name(occurrence.do, occurrence.broken.optimizer) or "the optimizer"
        return f"the gradients of {optimizer} are not zeroed after its step"

    def repair(self, occurrence: Occurrence) -> Repair | str:
        end = _end_of_step(occurrence)
        names = None if end is None else reachable(end.site, end, occurrence.broken.optimizer)
        if end is None or names is None:
            return "zero the gradients behind the step"
        text = f"{names[0]}.zero_grad()"
        return Repair("insert_statement", Applicability.UNSAFE, f"Call `{text}`", end.site.span, {"text": text})


def _zeroed_in_loop(occurrence: Occurrence) -> bool:
    """Whether the loop of the backward zeroes these gradients anywhere but on the other side of a test around it."""
    optimizer, loops = occurrence.broken.optimizer, occurrence.do.site.loops
    return any(
        len(zero.site.loops) >= len(loops)
        and (not zero.event.optimizers or optimizer in zero.event.optimizers)
        and not excluded(zero, occurrence.do)
        for zero in events_of(occurrence, EventKind.ZERO_GRAD)
    )


def _end_of_step(occurrence: Occurrence) -> Do | None:
    """The last event of the step before: update(), or the step itself where that comes later."""
    return latest(occurrence.before, EventKind.UPDATE, EventKind.SCALER_STEP)
