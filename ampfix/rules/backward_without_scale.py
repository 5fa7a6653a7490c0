"""AMP108."""

from __future__ import annotations

from ampfix.findings import Applicability, Repair, Severity
from ampfix.program import Do, Occurrence
from ampfix.protocol import EventKind, Violation
from ampfix.rules._base import Invalid, ProtocolRule
from ampfix.rules._path import (
    contributors,
    events_of,
    excluded,
    frame_in,
    is_setting,
    optimizers,
    own_tests,
    reachable,
)


class BackwardWithoutScale(ProtocolRule):
    """A loss runs backward without the scale that the scaler divides out afterwards.

    ## What it does
    Finds `loss.backward()` whose gradients `scaler.unscale_` or `scaler.step` then divides by the loss scale: the only
    loss of the step, or one of several while the others are scaled.

    ## Why is this bad
    The gradients are divided by a scale they never carried, 65536 at the start, and the step all but vanishes. With
    several losses the unscaled one loses its say, and nothing raises. Where no loss was ever scaled, torch raises
    "Attempted step but _scale is None".

    ## Example
    ```python
    scaler.scale(loss_a).backward(retain_graph=True)
    loss_b.backward()
    scaler.step(optimizer)
    ```

    ## Use instead
    ```python
    scaler.scale(loss_a).backward(retain_graph=True)
    scaler.scale(loss_b).backward()
    scaler.step(optimizer)
    ```

    ## Fix safety
    Safe: every loss of the step then carries the scale that is divided out. Loss weights tuned around the bug may want
    another look.

    ## References
    - https://pytorch.org/docs/stable/notes/amp_examples.html#working-with-multiple-models-losses-and-optimizers
    """

    code, name, severity = "AMP108", "backward-without-scale", Severity.ERROR
    violations = (Violation.STEP_ON_UNSCALED, Violation.MIXED_GRADIENTS, Violation.SCALER_NEVER_SCALED)
    fix = Applicability.SAFE
    scenarios = ("auxiliary-loss-unscaled",)

    VALID = (
        """\
import torch

class Mixed:
    def __init__(self, enabled):
        self.enabled = enabled
        self.scaler = torch.amp.GradScaler("cuda") if enabled else None

    def scale_loss(self, loss):
        if self.scaler is not None:
            return self.scaler.scale(loss)
        return loss

    def step(self, optimizer):
        if self.scaler is not None:
            self.scaler.step(optimizer)
            self.scaler.update()
        else:
            optimizer.step()

def train(model, loader, optimizer, enabled):
    mixed = Mixed(enabled)
    for x, y in loader:
        optimizer.zero_grad()
        scaled = mixed.scale_loss(model(x, y))
        scaled.backward()
        mixed.step(optimizer)
""",
        """\
import torch

class Mixed:
    def __init__(self, enabled):
        self.scaler = torch.amp.GradScaler("cuda") if enabled else None

    def scaled(self, loss):
        return self.scaler.scale(loss) if self.scaler is not None else loss

    def step(self, optimizer):
        if self.scaler is not None:
            self.scaler.step(optimizer)
            self.scaler.update()
        else:
            optimizer.step()

def train(model, loader, optimizer, enabled):
    mixed = Mixed(enabled)
    for x, y in loader:
        optimizer.zero_grad()
        mixed.scaled(model(x, y)).backward()
        mixed.step(optimizer)
""",
        """\
import torch

def train(model, loader, optimizer, use_amp):
    scaler = torch.amp.GradScaler("cuda") if use_amp else None
    for x, y in loader:
        optimizer.zero_grad()
        first, second = model(x, y)
        if scaler:
            scaler.scale(first).backward(retain_graph=True)
            scaler.scale(second).backward()
            scaler.step(optimizer)
            scaler.update()
        else:
            (first + second).backward()
            optimizer.step()
""",
        """\
import torch

def train(netD, netG, loader, optD, optG):
    scaler = torch.amp.GradScaler("cuda")
    for real, noise in loader:
        optD.zero_grad()
        optG.zero_grad()
        netD(real, netG(noise).detach()).backward()  # in float32
        optD.step()
        scaler.scale(netD(real, netG(noise))).backward()
        scaler.step(optG)
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
        with torch.autocast("cuda"):
            loss = model(x, y)
        loss.backward()
        scaler.step(optimizer)
        scaler.update()
""",
            """\
import torch

def train(model, loader, optimizer):
    scaler = torch.amp.GradScaler("cuda")
    for x, y in loader:
        optimizer.zero_grad()
        with torch.autocast("cuda"):
            loss = model(x, y)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
""",
            (9,),
        ),
        Invalid(
            """\
import torch

def train(model, loader, optimizer, weight):
    scaler = torch.amp.GradScaler("cuda")
    for x, y in loader:
        optimizer.zero_grad()
        first, second = model(x, y)
        scaler.scale(first).backward(retain_graph=True)
        (weight * second).backward()
        scaler.step(optimizer)
        scaler.update()
""",
            """\
import torch

def train(model, loader, optimizer, weight):
    scaler = torch.amp.GradScaler("cuda")
    for x, y in loader:
        optimizer.zero_grad()
        first, second = model(x, y)
        scaler.scale(first).backward(retain_graph=True)
        scaler.scale(weight * second).backward()
        scaler.step(optimizer)
        scaler.update()
""",
            (9,),
        ),
    )

    def applies(self, occurrence: Occurrence) -> bool:
        plain = _plain(occurrence)
        if plain is None:
            return False
        found = contributors(occurrence)
        if any(excluded(one, other) for one in found for other in found):
            return False
        if _through_scalers_alone(occurrence):
            return not own_tests(plain, _use(occurrence))
        return len(optimizers(occurrence)) == 1 and not own_tests(plain, _use(occurrence))

    def place(self, occurrence: Occurrence) -> Do:
        return _plain(occurrence) or occurrence.do

    def headline(self, occurrence: Occurrence) -> str:  # noqa: ARG002
        return "backward on a loss that was not scaled"

    def repair(self, occurrence: Occurrence) -> Repair | str:
        plain, use = self.place(occurrence), _use(occurrence)
        scaler = use.event.scaler
        names = reachable(plain.site, plain, scaler)
        if scaler is None or names is None:
            return "the scaler cannot be named where the loss runs backward"
        arguments = {"scaler": names[0], "condition": _switch(plain, use)}
        return Repair("scale_loss", Applicability.SAFE, f"Scale the loss by `{names[0]}`", plain.site.span, arguments)


def _switch(plain: Do, use: Do) -> str:
    """The settings under which the scaler is in use. Other tests around the step count the window, and every backward
    of that must be scaled."""
    there = frame_in(use, plain.site.function)
    tests = [test for test in (there.tests if there is not None else ()) if test not in plain.site.tests]
    tests = [test for test in tests if is_setting(test)]
    return " and ".join(f"({test})" if len(tests) > 1 else test for test in tests)


def _plain(occurrence: Occurrence) -> Do | None:
    """The unscaled backward whose gradients the optimizer holds."""
    return next((do for do in reversed(contributors(occurrence)) if do.event.scaler is None), None)


def _use(occurrence: Occurrence) -> Do:
    """The first step or unscale_ of these gradients."""
    if occurrence.do.event.kind is not EventKind.BACKWARD:
        return occurrence.do
    optimizer = occurrence.broken.optimizer
    steps = events_of(occurrence, EventKind.SCALER_STEP, EventKind.UNSCALE)
    mine = [do for do in steps if optimizer in do.event.optimizers]
    behind = [do for do in mine if do.site.span.start > occurrence.do.site.span.start]
    return next(iter(behind or mine), occurrence.do)


def _through_scalers_alone(occurrence: Occurrence) -> bool:
    """Whether every optimizer of the routine steps through one scaler and never by itself: then each loss must carry a
    scale, whichever optimizer it is for."""
    steps = events_of(occurrence, EventKind.SCALER_STEP)
    stepped = {name for do in steps for name in do.event.optimizers}
    ways = {(name, do.event.scaler) for do in steps for name in do.event.optimizers}
    spans = {do.site.span for do in steps}  # a disabled scaler steps the optimizer itself, at the same place
    plain = [do for do in events_of(occurrence, EventKind.OPTIMIZER_STEP) if do.site.span not in spans]
    return not plain and len(ways) == len(stepped) and stepped == optimizers(occurrence)
