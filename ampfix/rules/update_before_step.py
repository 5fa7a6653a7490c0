"""AMP112."""

from __future__ import annotations

from ampfix.findings import Applicability, Repair, Severity
from ampfix.program import Do, Occurrence
from ampfix.rules._base import Invalid, ProtocolRule
from ampfix.rules._updates import VIOLATIONS, Misplaced, misplaced, put_right, the_update


class UpdateBeforeStep(ProtocolRule):
    """`scaler.update()` runs before `scaler.step`.

    ## What it does
    Finds `scaler.update()` between the backward and the `scaler.step` of the same gradients.

    ## Why is this bad
    `update()` may change the scale while the gradients still carry the old one, and forgets that `unscale_` has been
    called: `scaler.step` then divides by the wrong scale, or divides a second time, and the step all but vanishes. In
    the first turn torch raises "No inf checks were recorded prior to update" where nothing has checked the gradients.

    ## Example
    ```python
    scaler.scale(loss).backward()
    scaler.update()
    scaler.step(optimizer)
    ```

    ## Use instead
    ```python
    scaler.scale(loss).backward()
    scaler.step(optimizer)
    scaler.update()
    ```

    ## Fix safety
    Safe: `update()` moves behind the step whose checks it needs.

    ## References
    - https://pytorch.org/docs/stable/amp.html#torch.amp.GradScaler.update
    """

    code, name, severity = "AMP112", "update-before-step", Severity.ERROR
    violations = VIOLATIONS
    fix = Applicability.SAFE
    scenarios = ("update-before-step",)

    VALID = (
        """\
import torch

def train(model, loader, optimizer):
    scaler = torch.amp.GradScaler("cuda")
    for i, (x, y) in enumerate(loader):
        optimizer.zero_grad()
        scaler.scale(model(x, y)).backward()
        scaler.unscale_(optimizer)
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
    for i, (x, y) in enumerate(loader):
        optimizer.zero_grad()
        scaler.scale(model(x, y)).backward()
        scaler.update()  # adapt the scale
        scaler.step(optimizer)
""",
            """\
import torch

def train(model, loader, optimizer):
    scaler = torch.amp.GradScaler("cuda")
    for i, (x, y) in enumerate(loader):
        optimizer.zero_grad()
        scaler.scale(model(x, y)).backward()
        scaler.step(optimizer)
        scaler.update()  # adapt the scale
""",
            (8,),
        ),
        Invalid(
            """\
import torch

def train(model, loader, optimizer):
    scaler = torch.amp.GradScaler("cuda")
    for i, (x, y) in enumerate(loader):
        optimizer.zero_grad()
        scaler.scale(model(x, y)).backward()
        scaler.unscale_(optimizer)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        scaler.update()
        scaler.step(optimizer)
""",
            """\
import torch

def train(model, loader, optimizer):
    scaler = torch.amp.GradScaler("cuda")
    for i, (x, y) in enumerate(loader):
        optimizer.zero_grad()
        scaler.scale(model(x, y)).backward()
        scaler.unscale_(optimizer)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        scaler.step(optimizer)
        scaler.update()
""",
            (10,),
        ),
    )

    def applies(self, occurrence: Occurrence) -> bool:
        return misplaced(occurrence) is Misplaced.TOO_EARLY

    def place(self, occurrence: Occurrence) -> Do:
        return the_update(occurrence)

    def headline(self, occurrence: Occurrence) -> str:  # noqa: ARG002
        return "update() runs before the step"

    def repair(self, occurrence: Occurrence) -> Repair | str:
        return put_right(occurrence)
