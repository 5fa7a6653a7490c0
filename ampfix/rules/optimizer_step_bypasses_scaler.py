"""AMP106."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ampfix.findings import Applicability, Repair, Severity
from ampfix.program import Do, Occurrence
from ampfix.protocol import EventKind, Violation
from ampfix.rules._base import Invalid, ProtocolRule, local_name
from ampfix.rules._path import (
    certain,
    condition,
    contributors,
    events_of,
    excluded,
    latest,
    reachable,
    switched,
)
from ampfix.rules._unscale import scaled_by


class OptimizerStepBypassesScaler(ProtocolRule):
    """An optimizer steps by itself on gradients that belong to a scaler.

    ## What it does
    Finds `optimizer.step()` on gradients of a scaled loss, or on gradients that `scaler.unscale_` has checked, where
    `scaler.step(optimizer)` belongs. With several optimizers, one of them is easily forgotten.

    ## Why is this bad
    The gradients still carry the loss scale, 65536 at the start, so SGD takes a step that is as much too large and the
    weights turn into NaN. Adam divides the scale out and hides it, but overflowing gradients reach the weights, since
    nobody skips the step. `scaler.update()` then raises "No inf checks were recorded prior to update", or says nothing
    where another optimizer did step through the scaler.

    ## Example
    ```python
    scaler.scale(loss).backward()
    optimizer.step()
    ```

    ## Use instead
    ```python
    scaler.scale(loss).backward()
    scaler.step(optimizer)
    scaler.update()
    ```

    ## Fix safety
    Safe: the scaler unscales gradients that nobody has unscaled yet, and a disabled scaler calls `optimizer.step()`.
    Learning rates tuned around the bug may want another look.

    ## References
    - https://pytorch.org/docs/stable/amp.html#torch.amp.GradScaler.step
    """

    code, name, severity = "AMP106", "optimizer-step-bypasses-scaler", Severity.ERROR
    violations = (Violation.RAW_STEP_ON_SCALED,)
    fix = Applicability.SAFE
    scenarios = ("second-optimizer-bypasses-scaler",)

    VALID = (
        """\
import torch

def train(model, loader, optimizer, use_amp):
    scaler = torch.amp.GradScaler("cuda") if use_amp else None
    for x, y in loader:
        optimizer.zero_grad()
        loss = model(x, y)
        if scaler is not None:
            scaler.scale(loss).backward()
            scaler.step(optimizer)
            scaler.update()
        else:
            loss.backward()
            optimizer.step()
""",
        """\
import torch

def train(netD, netG, loader, optD, optG):
    scaler = torch.amp.GradScaler("cuda")
    for real, noise in loader:
        fake = netG(noise)
        optD.zero_grad()
        netD(real, fake.detach()).backward()
        optD.step()
        optG.zero_grad()
        scaler.scale(netD(real, fake)).backward()
        scaler.step(optG)
        scaler.update()
""",
    )
    INVALID = (
        Invalid(
            """\
import torch

def train(model, head, loader, optimizer, head_optimizer):
    scaler = torch.amp.GradScaler("cuda")
    for x, y in loader:
        optimizer.zero_grad()
        head_optimizer.zero_grad()
        scaler.scale(head(model(x), y)).backward()
        scaler.step(optimizer)
        head_optimizer.step()  # the head is small
        scaler.update()
""",
            """\
import torch

def train(model, head, loader, optimizer, head_optimizer):
    scaler = torch.amp.GradScaler("cuda")
    for x, y in loader:
        optimizer.zero_grad()
        head_optimizer.zero_grad()
        scaler.scale(head(model(x), y)).backward()
        scaler.step(optimizer)
        scaler.step(head_optimizer)  # the head is small
        scaler.update()
""",
            (10,),
        ),
        Invalid(
            """\
import torch

def train(model, loader, optimizer, use_amp):
    scaler = torch.cuda.amp.GradScaler()  # noqa: AMP601
    for x, y in loader:
        optimizer.zero_grad()
        loss = model(x, y)
        if use_amp:
            scaler.scale(loss).backward()
        else:
            loss.backward()
        optimizer.step()
""",
            """\
import torch

def train(model, loader, optimizer, use_amp):
    scaler = torch.cuda.amp.GradScaler()  # noqa: AMP601
    for x, y in loader:
        optimizer.zero_grad()
        loss = model(x, y)
        if use_amp:
            scaler.scale(loss).backward()
        else:
            loss.backward()
        if use_amp:
            scaler.step(optimizer)
            scaler.update()
        else:
            optimizer.step()
""",
            (12,),
        ),
    )

    def among(self, occurrences: Sequence[Occurrence]) -> Iterator[Occurrence]:
        twice = stepped_again(occurrences)
        return (found for found in super().among(occurrences) if _place(found.do) not in twice)

    def applies(self, occurrence: Occurrence) -> bool:
        return is_bypass(occurrence)

    def headline(self, occurrence: Occurrence) -> str:
        optimizer = local_name(occurrence.do, occurrence.broken.optimizer) or "the optimizer"
        return f"{optimizer} steps past the scaler"

    def repair(self, occurrence: Occurrence) -> Repair | str:
        scaler, do = scaled_by(occurrence), occurrence.do
        names = reachable(do.site, do, scaler, occurrence.broken.optimizer)
        if scaler is None or names is None:
            return "no function on the way to this step can name both the scaler and the optimizer"
        backward = latest(occurrence.before, EventKind.BACKWARD)
        arguments = {"scaler": names[0], "optimizer": names[1]}
        if backward is not None:
            arguments["condition"] = condition(do.site, backward)
        if not any(update.event.scaler == scaler for update in events_of(occurrence, EventKind.UPDATE)):
            arguments["update"] = "yes"
        message = f"Step `{names[1]}` through `{names[0]}`"
        return Repair("step_through_scaler", Applicability.SAFE, message, do.site.span, arguments)


def is_bypass(occurrence: Occurrence) -> bool:
    """Whether a raw step on scaled gradients is one for sure: the gradients are the scaler's, and no switch chooses
    between the raw step and the scaler's."""
    if not certain(occurrence) and latest(occurrence.before, EventKind.UNSCALE) is None:
        return False
    rivals = [step for step in events_of(occurrence, EventKind.SCALER_STEP) if _same(step, occurrence)]
    if any(excluded(step, occurrence.do) for step in rivals):
        return False
    return not any(
        backward.event.scaler is not None and switched(backward, occurrence.do) for backward in contributors(occurrence)
    )


def stepped_again(occurrences: Sequence[Occurrence]) -> frozenset[object]:
    """The raw steps behind which the scaler steps the same optimizer again: one bug of its own."""
    return frozenset(
        _place(do)
        for occurrence in occurrences
        if occurrence.broken.violation is Violation.DOUBLE_STEP
        for do in occurrence.before
        if do.event.kind is EventKind.OPTIMIZER_STEP and _same(do, occurrence)
    )


def _same(step: Do, occurrence: Occurrence) -> bool:
    return occurrence.broken.optimizer in step.event.optimizers


def _place(do: Do) -> object:
    return do.site.path, do.site.span
