"""AMP107."""

from __future__ import annotations

from ampfix.findings import Applicability, Repair, Severity
from ampfix.program import Do, Occurrence
from ampfix.protocol import EventKind, Violation
from ampfix.rules._base import Invalid, ProtocolRule, local_name
from ampfix.rules._path import STEPS, latest, switched


class DoubleStep(ProtocolRule):
    """An optimizer steps twice on the same gradients.

    ## What it does
    Finds `optimizer.step()` beside `scaler.step(optimizer)` in one step, in either order, and a second
    `scaler.step(optimizer)` before the next backward.

    ## Why is this bad
    `scaler.step` calls `optimizer.step()` itself. A plain step in front of it applies gradients that still carry the
    loss scale; one behind it applies the same gradients again, also after an overflow, which the scaler had skipped.
    Momentum and step counts run at twice their pace. A second `scaler.step` before `update()` raises "step() has
    already been called since the last update()".

    ## Example
    ```python
    scaler.scale(loss).backward()
    scaler.step(optimizer)
    scaler.update()
    optimizer.step()
    ```

    ## Use instead
    ```python
    scaler.scale(loss).backward()
    scaler.step(optimizer)
    scaler.update()
    ```

    ## Fix safety
    Safe: the step that goes is the one the scaler does not know of. Learning rates tuned around the bug may want
    another look.

    ## References
    - https://pytorch.org/docs/stable/amp.html#torch.amp.GradScaler.step
    """

    code, name, severity = "AMP107", "double-step", Severity.ERROR
    violations = (Violation.DOUBLE_STEP,)
    fix = Applicability.SAFE
    scenarios = ("both-steps",)

    VALID = (
        """\
import torch

def train(model, loader, optimizer, use_amp):
    scaler = torch.amp.GradScaler("cuda", enabled=use_amp)
    for x, y in loader:
        optimizer.zero_grad()
        scaler.scale(model(x, y)).backward()
        if use_amp:
            scaler.step(optimizer)
            scaler.update()
        else:
            optimizer.step()
""",
        """\
import torch

def train(model, loader, optimizers):
    scaler = torch.amp.GradScaler("cuda")
    for x, y in loader:
        scaler.scale(model(x, y)).backward()
        for optimizer in optimizers:
            scaler.step(optimizer)
        scaler.update()
        for optimizer in optimizers:
            optimizer.zero_grad()
""",
    )
    INVALID = (
        Invalid(
            """\
import torch

def train(model, loader, optimizer):
    scaler = torch.amp.GradScaler("cuda")
    for x, y in loader:
        optimizer.zero_grad()
        scaler.scale(model(x, y)).backward()
        optimizer.step()
        scaler.step(optimizer)
        scaler.update()
""",
            """\
import torch

def train(model, loader, optimizer):
    scaler = torch.amp.GradScaler("cuda")
    for x, y in loader:
        optimizer.zero_grad()
        scaler.scale(model(x, y)).backward()
        scaler.step(optimizer)
        scaler.update()
""",
            (8,),
        ),
        Invalid(
            """\
import torch

def train(model, loader, optimizer, last):
    scaler = torch.amp.GradScaler("cuda")
    for index, (x, y) in enumerate(loader):
        optimizer.zero_grad()
        scaler.scale(model(x, y)).backward()
        scaler.step(optimizer)
        scaler.update()
        if index == last:
            optimizer.step()
""",
            """\
import torch

def train(model, loader, optimizer, last):
    scaler = torch.amp.GradScaler("cuda")
    for index, (x, y) in enumerate(loader):
        optimizer.zero_grad()
        scaler.scale(model(x, y)).backward()
        scaler.step(optimizer)
        scaler.update()
""",
            (11,),
        ),
    )

    def applies(self, occurrence: Occurrence) -> bool:
        earlier = _earlier(occurrence)
        return earlier is not None and not switched(earlier, occurrence.do)

    def place(self, occurrence: Occurrence) -> Do:
        """The plain step, whichever of the two it is; of two through the scaler the second."""
        earlier = _earlier(occurrence)
        is_plain = earlier is not None and earlier.event.kind is EventKind.OPTIMIZER_STEP
        return earlier if is_plain and earlier is not None else occurrence.do

    def headline(self, occurrence: Occurrence) -> str:
        optimizer = local_name(self.place(occurrence), occurrence.broken.optimizer) or "the optimizer"
        return f"{optimizer} steps twice"

    def repair(self, occurrence: Occurrence) -> Repair | str:
        extra = self.place(occurrence)
        return Repair("remove_statement", Applicability.SAFE, "Remove the step beside the scaler's", extra.site.span)


def _earlier(occurrence: Occurrence) -> Do | None:
    """The step that the same gradients were used for before."""
    return latest(occurrence.before, *STEPS, optimizer=occurrence.broken.optimizer)
