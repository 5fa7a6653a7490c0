"""AMP110."""

from __future__ import annotations

from ampfix.findings import Applicability, Repair, Severity
from ampfix.program import Do, Occurrence
from ampfix.rules._base import Invalid, ProtocolRule
from ampfix.rules._updates import VIOLATIONS, Misplaced, misplaced, put_right, the_update


class UpdateEveryMicrobatch(ProtocolRule):
    """`scaler.update()` runs at every micro-batch of an accumulation window.

    ## What it does
    Finds `scaler.update()` outside the test that `scaler.step` stands under, so that it runs without a step at each
    micro-batch of the window. One that runs behind another `update()` with no backward in between, as behind a batch
    that is left out, is AMP111.

    ## Why is this bad
    `update()` raises "No inf checks were recorded prior to update" where no step or `unscale_` has checked the
    gradients since the last one. And a scale that changes inside the window spoils the sum: the micro-batches before
    carry the old scale, those behind the new one.

    ## Example
    ```python
    scaler.scale(loss / accum).backward()
    if (i + 1) % accum == 0:
        scaler.step(optimizer)
        optimizer.zero_grad()
    scaler.update()
    ```

    ## Use instead
    ```python
    scaler.scale(loss / accum).backward()
    if (i + 1) % accum == 0:
        scaler.step(optimizer)
        scaler.update()
        optimizer.zero_grad()
    ```

    ## Fix safety
    Safe: `update()` follows the step; where there is none the program raised.

    ## References
    - https://pytorch.org/docs/stable/notes/amp_examples.html#gradient-accumulation
    """

    code, name, severity = "AMP110", "update-every-microbatch", Severity.ERROR
    violations = VIOLATIONS
    fix = Applicability.SAFE
    scenarios = ("update-per-micro-batch",)

    VALID = (
        """\
import torch

def train(model, loader, optimizer, accum):
    scaler = torch.amp.GradScaler("cuda")
    for i, (x, y) in enumerate(loader):
        scaler.scale(model(x, y) / accum).backward()
        if (i + 1) % accum == 0:
            scaler.step(optimizer)
            scaler.update()
            optimizer.zero_grad()
""",
    )
    INVALID = (
        Invalid(
            """\
import torch

def train(model, loader, optimizer, accum):
    scaler = torch.amp.GradScaler("cuda")
    for i, (x, y) in enumerate(loader):
        scaler.scale(model(x, y) / accum).backward()
        if (i + 1) % accum == 0:
            scaler.step(optimizer)
            optimizer.zero_grad()
        scaler.update()
""",
            """\
import torch

def train(model, loader, optimizer, accum):
    scaler = torch.amp.GradScaler("cuda")
    for i, (x, y) in enumerate(loader):
        scaler.scale(model(x, y) / accum).backward()
        if (i + 1) % accum == 0:
            scaler.step(optimizer)
            scaler.update()
            optimizer.zero_grad()
""",
            (10,),
        ),
    )

    def applies(self, occurrence: Occurrence) -> bool:
        return misplaced(occurrence) is Misplaced.IN_WINDOW

    def place(self, occurrence: Occurrence) -> Do:
        return the_update(occurrence)

    def headline(self, occurrence: Occurrence) -> str:  # noqa: ARG002
        return "update() runs at every micro-batch, scaler.step does not"

    def repair(self, occurrence: Occurrence) -> Repair | str:
        return put_right(occurrence)
