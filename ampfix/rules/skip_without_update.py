"""AMP113."""

from __future__ import annotations

from ampfix.findings import Applicability, Repair, Severity
from ampfix.program import Do, Occurrence
from ampfix.protocol import EventKind, Violation
from ampfix.rules._base import Invalid, ProtocolRule, as_argument
from ampfix.rules._path import events_of, latest, reachable, same_window


class SkipWithoutUpdate(ProtocolRule):
    """A step is given up after `unscale_`, and the scaler is not told.

    ## What it does
    Finds loops that look at the unscaled gradients and go on without `scaler.step`, a check for NaN or for a norm that
    is too large, where `scaler.update()` does not run either.

    ## Why is this bad
    Only `update()` lowers the scale after an overflow, and only `update()` lets the scaler forget that the optimizer is
    unscaled. Without it every batch overflows again and no step is ever taken, the next `unscale_` raises "unscale_()
    has already been called", or `scaler.step` applies gradients that still carry the scale.

    ## Example
    ```python
    scaler.unscale_(optimizer)
    norm = torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    if not torch.isfinite(norm):
        optimizer.zero_grad()
        continue
    ```

    ## Use instead
    ```python
    scaler.unscale_(optimizer)
    norm = torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    if not torch.isfinite(norm):
        optimizer.zero_grad()
        scaler.update()
        continue
    ```

    The check can go altogether: `scaler.step` skips a step whose gradients are not finite.

    ## Fix safety
    Safe: `update()` uses what `unscale_` found; with finite gradients it counts a clean step.

    ## References
    - https://pytorch.org/docs/stable/amp.html#torch.amp.GradScaler.unscale_
    """

    code, name, severity = "AMP113", "skip-without-update", Severity.ERROR
    violations = (Violation.SKIP_WITHOUT_UPDATE,)
    fix = Applicability.SAFE
    scenarios = ("overflow-check-without-update",)

    VALID = (
        """\
import torch

ACCUM = 1

def train(model, loader, optimizer):
    scaler = torch.amp.GradScaler("cuda")
    for i, (x, y) in enumerate(loader):
        scaler.scale(torch.nn.functional.cross_entropy(model(x), y)).backward()
        scaler.unscale_(optimizer)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        if (i + 1) % ACCUM == 0:
            scaler.step(optimizer)
            scaler.update()
            optimizer.zero_grad()
""",
        """\
import torch

def train(model, loader, optimizer):
    scaler = torch.amp.GradScaler("cuda")
    for x, y in loader:
        optimizer.zero_grad()
        scaler.scale(model(x, y)).backward()
        scaler.unscale_(optimizer)
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        if torch.isfinite(norm):
            scaler.step(optimizer)
        scaler.update()
""",
        """\
import torch

def perturbed(model, x, y, optimizer):
    optimizer.zero_grad()
    model(x, y).backward()

def train(model, loader, optimizer):
    scaler = torch.amp.GradScaler("cuda")
    for epoch, (x, y) in enumerate(loader):
        optimizer.zero_grad()
        scaler.scale(model(x, y)).backward()
        if epoch >= 15:
            scaler.unscale_(optimizer)
            perturbed(model, x, y, optimizer)
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
        optimizer.zero_grad()
        scaler.scale(model(x, y)).backward()
        scaler.unscale_(optimizer)
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        if not torch.isfinite(norm):
            print("skipped")
            continue
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
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        if not torch.isfinite(norm):
            print("skipped")
            scaler.update()
            continue
        scaler.step(optimizer)
        scaler.update()
""",
            (8,),
        ),
        Invalid(
            """\
import torch

def train(model, loader, optimizer):
    scaler = torch.amp.GradScaler("cuda")
    for x, y in loader:
        scaler.scale(model(x, y)).backward()
        scaler.unscale_(optimizer)
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        if torch.isfinite(norm):
            scaler.step(optimizer)
            scaler.update()
        optimizer.zero_grad()
""",
            """\
import torch

def train(model, loader, optimizer):
    scaler = torch.amp.GradScaler("cuda")
    for x, y in loader:
        scaler.scale(model(x, y)).backward()
        scaler.unscale_(optimizer)
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        if torch.isfinite(norm):
            scaler.step(optimizer)
        scaler.update()
        optimizer.zero_grad()
""",
            (7,),
        ),
    )

    def applies(self, occurrence: Occurrence) -> bool:
        unscale = self.place(occurrence)
        if occurrence.do.event.kind is EventKind.BACKWARD and _follows(occurrence.do, unscale, occurrence):
            return False  # the gradients are made anew for the same step: at perturbed weights, say
        steps = events_of(occurrence, EventKind.SCALER_STEP)
        return not any(same_window(unscale, step) for step in steps)

    def place(self, occurrence: Occurrence) -> Do:
        unscale = latest(occurrence.before, EventKind.UNSCALE, optimizer=occurrence.broken.optimizer)
        return unscale if unscale is not None else occurrence.do

    def headline(self, occurrence: Occurrence) -> str:  # noqa: ARG002
        return "a step is given up after unscale_ without update()"

    def repair(self, occurrence: Occurrence) -> Repair | str:
        unscale = self.place(occurrence)
        steps = [
            do
            for do in occurrence.routine.events
            if do.event.kind is EventKind.SCALER_STEP
            and occurrence.broken.optimizer in do.event.optimizers
            and do.site.function == unscale.site.function
        ]
        names = reachable(unscale.site, unscale, unscale.event.scaler)
        if len(steps) != 1 or names is None:
            return "the step that is given up is not seen here; call update() on the path without it"
        arguments = {"scaler": names[0], "step": as_argument(steps[0].site.statement)}
        message = f"Call `{names[0]}.update()` where the step is given up"
        return Repair("update_on_skip", Applicability.SAFE, message, unscale.site.span, arguments)


def _follows(one: Do, other: Do, occurrence: Occurrence) -> bool:
    """Whether an event stands behind another in the source, in the same turn."""
    places = [(do.event.kind, do.site.span, do.site.loops) for do in occurrence.routine.events]
    mine, others = ((do.event.kind, do.site.span, do.site.loops) for do in (one, other))
    is_behind = mine in places and others in places and places.index(mine) > places.index(others)
    return is_behind and one.site.loops == other.site.loops
