"""AMP101."""

from __future__ import annotations

from ampfix.findings import Applicability, Repair, Severity
from ampfix.program import Do, Occurrence
from ampfix.protocol import EventKind, Violation
from ampfix.rules._base import Invalid, ProtocolRule, local_name
from ampfix.rules._path import since
from ampfix.rules._unscale import scaled_by, unscale_first


class ClipBeforeUnscale(ProtocolRule):
    """Gradients are clipped while the loss scale is still in them.

    ## What it does
    Finds gradient clipping (torch's functions, or a hand-written one) between a scaled backward and `scaler.step` with
    no `scaler.unscale_(optimizer)` before it.

    ## Why is this bad
    After `scaler.scale(loss).backward()` every gradient is multiplied by the loss scale, 65536 at the start. A
    threshold meant for true gradients is then met at every step: `clip_grad_norm_(..., 1.0)` leaves a true norm of
    1/65536 once `scaler.step` has divided the scale out. SGD stops learning; Adam hides it, because it normalises
    gradients, until weight decay or epsilon matter.

    ## Example
    ```python
    scaler.scale(loss).backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    scaler.step(optimizer)
    scaler.update()
    ```

    ## Use instead
    ```python
    scaler.scale(loss).backward()
    scaler.unscale_(optimizer)
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    scaler.step(optimizer)
    scaler.update()
    ```

    ## Fix safety
    Safe: `scaler.step` sees that the gradients are unscaled and does not divide again, and `unscale_` of a disabled
    scaler does nothing. Learning rates tuned around the bug may want another look.

    ## References
    - https://pytorch.org/docs/stable/notes/amp_examples.html#gradient-clipping
    """

    code, name, severity = "AMP101", "clip-before-unscale", Severity.ERROR
    violations = (Violation.CLIP_WHILE_SCALED,)
    fix = Applicability.SAFE
    scenarios = (
        "clip-across-modules",
        "clip-before-unscale",
        "clip-before-unscale-adamw",
        "generator-clipped-while-scaled",
        "values-clipped-while-scaled",
    )

    VALID = (
        """\
import torch

def train(model, loader, use_amp):
    optimizer = torch.optim.AdamW(model.parameters())
    scaler = torch.amp.GradScaler("cuda") if use_amp else None
    for x, y in loader:
        optimizer.zero_grad()
        loss = model(x, y)
        if scaler is not None:
            scaler.scale(loss).backward()
            scaler.unscale_(optimizer)
        else:
            loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        if scaler is not None:
            scaler.step(optimizer)
            scaler.update()
        else:
            optimizer.step()
    refining = torch.optim.AdamW(model.parameters(), lr=1e-5)
    for x, y in loader:
        refining.zero_grad()
        model(x, y).backward()
        refining.step()
""",
        """\
import torch
from torch.nn.utils import clip_grad_norm_

def train(model, loader, optimizer):
    scaler = torch.amp.GradScaler("cuda")
    for x, y in loader:
        optimizer.zero_grad()
        with torch.autocast("cuda"):
            loss = model(x, y)
        scaler.scale(loss).backward()
        scaler.unscale_(optimizer)
        clip_grad_norm_(model.parameters(), 1.0)
        scaler.step(optimizer)
        scaler.update()
""",
        """\
import torch

def train(model, loader, optimizer, use_amp, clip):
    scaler = torch.cuda.amp.GradScaler(enabled=use_amp)
    for x, y in loader:
        loss = model(x, y)
        scaler.scale(loss).backward()
        if use_amp:
            scaler.unscale_(optimizer)
        if clip:
            torch.nn.utils.clip_grad_norm_(model.parameters(), clip)
        scaler.step(optimizer)
        scaler.update()
        optimizer.zero_grad()
""",
    )
    INVALID = (
        Invalid(
            """\
import torch
from torch.nn.utils import clip_grad_norm_

def train(model, loader, optimizer):
    scaler = torch.amp.GradScaler("cuda")
    for x, y in loader:
        optimizer.zero_grad()
        with torch.autocast("cuda"):
            loss = model(x, y)
        scaler.scale(loss).backward()
        clip_grad_norm_(model.parameters(), 1.0)
        scaler.step(optimizer)
        scaler.update()
""",
            """\
import torch
from torch.nn.utils import clip_grad_norm_

def train(model, loader, optimizer):
    scaler = torch.amp.GradScaler("cuda")
    for x, y in loader:
        optimizer.zero_grad()
        with torch.autocast("cuda"):
            loss = model(x, y)
        scaler.scale(loss).backward()
        scaler.unscale_(optimizer)
        clip_grad_norm_(model.parameters(), 1.0)
        scaler.step(optimizer)
        scaler.update()
""",
            (11,),
        ),
    )

    def headline(self, occurrence: Occurrence) -> str:
        scaler = local_name(occurrence.do, scaled_by(occurrence))
        return "gradients are clipped before " + (f"{scaler}.unscale_" if scaler else "unscale_")

    def repair(self, occurrence: Occurrence) -> Repair | str:
        return unscale_first(occurrence, _measured(occurrence) or occurrence.do, "the clip")


def _measured(occurrence: Occurrence) -> Do | None:
    """Where a hand-written clip measures the gradients, in front of which they must be unscaled."""
    reads = since(occurrence.before, EventKind.BACKWARD)
    return next((do for do in reads if do.event.kind is EventKind.READ_GRAD and do.event.linear), None)
