"""AMP122."""

from __future__ import annotations

import ast

from ampfix.findings import Repair, Severity
from ampfix.patterns import pattern
from ampfix.program import Occurrence, Role, Source
from ampfix.program.tree import walk
from ampfix.protocol import Violation
from ampfix.rules._base import Invalid, ProtocolRule, local_name
from ampfix.rules._path import certain, contributors, optimizers
from ampfix.rules._places import assignments, parameters
from ampfix.rules._shapes import path

_COMPUTED = pattern(r"\[[^\d'\"]")  # `scalers[key]`, not `scalers[0]`


class WrongScaler(ProtocolRule):
    """Gradients are scaled by one scaler and unscaled or stepped by another.

    ## What it does
    Finds programs with several scalers in which `scaler.step` or `scaler.unscale_` gets an optimizer whose gradients
    carry another scaler's scale, or whose step another scaler has begun.

    ## Why is this bad
    The gradients are divided by the wrong number as soon as the two scales part, which the first overflow sees to, and
    each scaler adapts to overflows of the other's losses. Nothing raises.

    ## Example
    ```python
    scaler_d.scale(loss_d).backward()
    scaler_g.step(optimizer_d)
    ```

    ## Use instead
    ```python
    scaler_d.scale(loss_d).backward()
    scaler_d.step(optimizer_d)
    ```

    ## Fix safety
    Nothing is repaired: which of the two scalers was meant is not told by the code. One scaler is enough for several
    losses and optimizers.

    ## References
    - https://pytorch.org/docs/stable/notes/amp_examples.html#working-with-multiple-models-losses-and-optimizers
    """

    code, name, severity = "AMP122", "wrong-scaler", Severity.ERROR
    scenarios = ("wrong-scaler",)
    violations = (Violation.WRONG_SCALER, Violation.MIXED_GRADIENTS)

    VALID = (
        """\
import torch

def train(netD, netG, loader, optD, optG):
    scaler_d, scaler_g = torch.amp.GradScaler("cuda"), torch.amp.GradScaler("cuda")
    for real, noise in loader:
        optD.zero_grad()
        optG.zero_grad()
        scaler_d.scale(netD(real, netG(noise).detach())).backward()
        scaler_d.step(optD)
        scaler_d.update()
        scaler_g.scale(netD(real, netG(noise))).backward()
        scaler_g.step(optG)
        scaler_g.update()
""",
    )
    INVALID = (
        Invalid(
            """\
import torch

def train(model, loader, optimizer):
    scaler = torch.amp.GradScaler("cuda")
    fp16_scaler = torch.amp.GradScaler("cuda")
    for x, y in loader:
        optimizer.zero_grad()
        scaler.scale(model(x, y)).backward()
        fp16_scaler.step(optimizer)
        fp16_scaler.update()
""",
            None,
            (9,),
        ),
    )

    def applies(self, occurrence: Occurrence) -> bool:
        if occurrence.broken.violation is Violation.WRONG_SCALER:
            return certain(occurrence)
        scalers = {do.event.scaler for do in contributors(occurrence)} - {None}
        return len(scalers) > 1 and len(optimizers(occurrence)) == 1

    def is_harmless(self, occurrence: Occurrence, source: Source) -> bool:
        scalers = {do.event.scaler for do in (occurrence.do, *contributors(occurrence))} - {None}
        is_wrong = occurrence.broken.violation is Violation.WRONG_SCALER
        return is_wrong and any(_may_be_another(name, occurrence, source) for name in scalers if name)

    def headline(self, occurrence: Occurrence) -> str:
        scaler = local_name(occurrence.do, occurrence.do.event.scaler)
        return f"{scaler or 'the scaler'} meets gradients of another scaler"

    def repair(self, occurrence: Occurrence) -> Repair | str:  # noqa: ARG002
        return "which scaler was meant is not known; scale, unscale and step with the same one"


def _may_be_another(scaler: str, occurrence: Occurrence, source: Source) -> bool:
    """Whether a name may stand for a scaler that has another name too: `scalers[key]`, `active = pick(scaler)`."""
    if not scaler.isidentifier():
        return _COMPUTED.search(scaler) is not None
    function = occurrence.routine.node
    assigned = (node for node in walk(function) if isinstance(node, ast.Assign))
    values = [value for node in assigned for target, value in assignments(node) if path(target) == scaler]
    return any(source.held(value).role is not Role.SCALER for value in values) and scaler not in parameters(function)
