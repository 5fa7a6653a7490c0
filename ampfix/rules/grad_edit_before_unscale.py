"""AMP103."""

from __future__ import annotations

from ampfix.findings import Applicability, Repair, Severity
from ampfix.program import Occurrence
from ampfix.protocol import Violation
from ampfix.rules._base import Invalid, ProtocolRule, local_name
from ampfix.rules._path import certain
from ampfix.rules._unscale import scaled_by, unscale_first


class GradEditBeforeUnscale(ProtocolRule):
    """Gradients are changed in absolute terms while the loss scale is still in them.

    ## What it does
    Finds noise, weight decay and other absolute terms that are added to gradients, and clamps, signs and powers of
    them, between a scaled backward and `scaler.unscale_`. Linear edits are left alone: division by the world size,
    averaging, masks, sums of gradients.

    ## Why is this bad
    The gradients are divided by the loss scale afterwards, 65536 at the start, and the term with them: noise and weight
    decay vanish, and a clamp to 1 becomes one to 1/65536. Nothing raises.

    ## Example
    ```python
    scaler.scale(loss).backward()
    for p in model.parameters():
        p.grad.add_(p, alpha=weight_decay)
    scaler.step(optimizer)
    ```

    ## Use instead
    ```python
    scaler.scale(loss).backward()
    scaler.unscale_(optimizer)
    for p in model.parameters():
        p.grad.add_(p, alpha=weight_decay)
    scaler.step(optimizer)
    ```

    ## Fix safety
    Safe: `scaler.step` sees that the gradients are unscaled and does not divide again. Strengths tuned around the bug
    may want another look.

    ## References
    - https://pytorch.org/docs/stable/notes/amp_examples.html#working-with-unscaled-gradients
    """

    code, name, severity = "AMP103", "grad-edit-before-unscale", Severity.ERROR
    violations = (Violation.EDIT_WHILE_SCALED,)
    fix = Applicability.SAFE
    scenarios = ("decay-while-scaled",)

    VALID = (
        """\
import torch

def train(model, loader, optimizer, world_size, mask):
    scaler = torch.amp.GradScaler("cuda")
    for x, y in loader:
        optimizer.zero_grad()
        scaler.scale(model(x, y)).backward()
        for p in model.parameters():
            p.grad.div_(world_size)
            p.grad.mul_(mask[p])
        scaler.step(optimizer)
        scaler.update()
""",
    )
    INVALID = (
        Invalid(
            """\
import torch

def train(model, loader, optimizer, sigma):
    scaler = torch.amp.GradScaler("cuda")
    for x, y in loader:
        optimizer.zero_grad()
        scaler.scale(model(x, y)).backward()
        for p in model.parameters():
            p.grad += sigma * torch.randn_like(p.grad)
        scaler.step(optimizer)
        scaler.update()
""",
            """\
import torch

def train(model, loader, optimizer, sigma):
    scaler = torch.amp.GradScaler("cuda")
    for x, y in loader:
        optimizer.zero_grad()
        scaler.scale(model(x, y)).backward()
        scaler.unscale_(optimizer)
        for p in model.parameters():
            p.grad += sigma * torch.randn_like(p.grad)
        scaler.step(optimizer)
        scaler.update()
""",
            (9,),
        ),
        Invalid(
            """\
import torch

def train(model, loader, optimizer):
    scaler = torch.amp.GradScaler("cuda")
    for x, y in loader:
        optimizer.zero_grad()
        scaler.scale(model(x, y)).backward()
        for p in model.parameters():
            if p.grad is not None:
                p.grad.data.clamp_(-1.0, 1.0)
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
        scaler.unscale_(optimizer)
        for p in model.parameters():
            if p.grad is not None:
                p.grad.data.clamp_(-1.0, 1.0)
        scaler.step(optimizer)
        scaler.update()
""",
            (10,),
        ),
    )

    def applies(self, occurrence: Occurrence) -> bool:
        return certain(occurrence)

    def headline(self, occurrence: Occurrence) -> str:
        scaler = local_name(occurrence.do, scaled_by(occurrence))
        return "gradients are changed before " + (f"{scaler}.unscale_" if scaler else "unscale_")

    def repair(self, occurrence: Occurrence) -> Repair | str:
        return unscale_first(occurrence, occurrence.do, "the edit")
