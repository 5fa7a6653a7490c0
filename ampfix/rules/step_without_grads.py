"""AMP120."""

from __future__ import annotations

from ampfix.findings import Applicability, Repair, Severity
from ampfix.patterns import pattern
from ampfix.program import Do, Occurrence
from ampfix.protocol import EventKind, Violation
from ampfix.rules._base import Invalid, ProtocolRule
from ampfix.rules._path import certain, optimizers, own_tests, since

_PART = pattern(r"\.(?!(model|net|network|module)$)\w+$")  # of a model: `model.backbone`


class StepWithoutGrads(ProtocolRule):
    """Gradients are zeroed between backward and the step.

    ## What it does
    Finds `zero_grad()` between a backward and the `scaler.step` that was to apply its gradients.

    ## Why is this bad
    There is nothing left to step on. torch raises "No inf checks were recorded for this optimizer" where every gradient
    is None; with `zero_grad(set_to_none=False)` the step applies zeros in silence, and momentum and weight decay move
    the weights alone.

    ## Example
    ```python
    scaler.scale(loss).backward()
    optimizer.zero_grad()
    scaler.step(optimizer)
    scaler.update()
    ```

    ## Use instead
    ```python
    optimizer.zero_grad()
    scaler.scale(loss).backward()
    scaler.step(optimizer)
    scaler.update()
    ```

    ## Fix safety
    Nothing is repaired: whether the gradients were to be zeroed before the backward or behind the step, only their
    author knows.

    ## References
    - https://pytorch.org/docs/stable/optim.html#taking-an-optimization-step
    """

    code, name, severity = "AMP120", "step-without-grads", Severity.ERROR
    violations = (Violation.STEP_WITHOUT_GRADIENTS,)
    fix = Applicability.DISPLAY
    scenarios = ("zero-grad-behind-backward",)

    VALID = (
        """\
import torch

def train(model, loader, optimizer, accum):
    scaler = torch.amp.GradScaler("cuda")
    for batch in loader:
        optimizer.zero_grad()
        for x, y in batch.split(accum):
            scaler.scale(model(x, y) / accum).backward()
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
        optimizer.zero_grad()
        scaler.step(optimizer)
        scaler.update()
""",
            None,
            (7,),
        ),
    )

    def applies(self, occurrence: Occurrence) -> bool:
        zeroed = _zeroed(occurrence)
        if zeroed is None or not _takes_all(zeroed, occurrence):
            return False
        return certain(occurrence) and not own_tests(zeroed, occurrence.do)

    def place(self, occurrence: Occurrence) -> Do:
        return _zeroed(occurrence) or occurrence.do

    def headline(self, occurrence: Occurrence) -> str:  # noqa: ARG002
        return "gradients are zeroed before the step"

    def repair(self, occurrence: Occurrence) -> Repair | str:  # noqa: ARG002
        return "zero the gradients in front of the backward or behind scaler.update()"


def _takes_all(zeroed: Do, occurrence: Occurrence) -> bool:
    """Whether no gradient is left to the optimizer that steps: its own are zeroed, or those of all that it was built
    over, neither of a part of the model nor of another one."""
    if zeroed.event.optimizers or not zeroed.subject:
        return True
    owners = occurrence.routine.owners.get(occurrence.broken.optimizer or "", frozenset()) - {""}
    if owners:
        return any(f"{owner}.".startswith(f"{zeroed.subject}.") for owner in owners)
    return not _PART.search(zeroed.subject.removeprefix("self.")) and len(optimizers(occurrence)) == 1


def _zeroed(occurrence: Occurrence) -> Do | None:
    """The zero_grad that took the gradients of a backward of this step, with no backward behind it."""
    found, backward = None, False
    for do in since(occurrence.before, EventKind.SCALER_STEP):
        if do.event.kind is EventKind.BACKWARD:
            found, backward = None, True
        elif do.event.kind is EventKind.ZERO_GRAD and backward and found is None:
            found = do
    return found
