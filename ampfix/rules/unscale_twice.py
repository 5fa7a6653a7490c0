"""AMP104."""

from __future__ import annotations

from ampfix.findings import Applicability, Repair, Severity
from ampfix.program import Do, Occurrence
from ampfix.protocol import EventKind, Violation
from ampfix.rules._base import Invalid, ProtocolRule, as_argument, local_name
from ampfix.rules._path import latest, only_settings, own_tests, switched, tests_of


class UnscaleTwice(ProtocolRule):
    """An optimizer's gradients are unscaled a second time in one step.

    ## What it does
    Finds a second `scaler.unscale_(optimizer)` before `scaler.update()`: for another clip, inside a loop over the
    parameters, or behind `scaler.step`.

    ## Why is this bad
    torch raises "unscale_() has already been called on this optimizer since the last update()", or "unscale_() is being
    called after step()". Where the two calls stand under different options, it does so for those users alone who set
    both.

    ## Example
    ```python
    scaler.scale(loss).backward()
    scaler.unscale_(optimizer)
    torch.nn.utils.clip_grad_value_(model.parameters(), 5.0)
    scaler.unscale_(optimizer)
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    ```

    ## Use instead
    ```python
    scaler.scale(loss).backward()
    scaler.unscale_(optimizer)
    torch.nn.utils.clip_grad_value_(model.parameters(), 5.0)
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    ```

    ## Fix safety
    Safe: the gradients are unscaled once, in front of everything that needed it; the program raised before.

    ## References
    - https://pytorch.org/docs/stable/amp.html#torch.amp.GradScaler.unscale_
    """

    code, name, severity = "AMP104", "unscale-twice", Severity.ERROR
    violations = (Violation.UNSCALE_TWICE,)
    fix = Applicability.SAFE
    scenarios = ("unscale-for-log-and-clip",)

    VALID = (
        """\
import torch

def train(model, loader, optimizer, accum):
    scaler = torch.amp.GradScaler("cuda")
    for i, (x, y) in enumerate(loader):
        scaler.scale(model(x, y) / accum).backward()
        if (i + 1) % accum == 0:
            scaler.unscale_(optimizer)
            scaler.step(optimizer)
            scaler.update()
            optimizer.zero_grad()
    if (i + 1) % accum != 0:
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
    for x, y in loader:
        optimizer.zero_grad()
        scaler.scale(model(x, y)).backward()
        scaler.unscale_(optimizer)
        torch.nn.utils.clip_grad_value_(model.parameters(), 5.0)
        scaler.unscale_(optimizer)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
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
        torch.nn.utils.clip_grad_value_(model.parameters(), 5.0)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        scaler.step(optimizer)
        scaler.update()
""",
            (10,),
        ),
        Invalid(
            """\
import torch

def train(model, loader, optimizer, every):
    scaler = torch.amp.GradScaler("cuda")
    for i, (x, y) in enumerate(loader):
        optimizer.zero_grad()
        scaler.scale(model(x, y)).backward()
        if i % every == 0:
            scaler.unscale_(optimizer)
            print(model.weight.grad.norm())
        scaler.unscale_(optimizer)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        scaler.step(optimizer)
        scaler.update()
""",
            """\
import torch

def train(model, loader, optimizer, every):
    scaler = torch.amp.GradScaler("cuda")
    for i, (x, y) in enumerate(loader):
        optimizer.zero_grad()
        scaler.scale(model(x, y)).backward()
        scaler.unscale_(optimizer)
        if i % every == 0:
            print(model.weight.grad.norm())
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        scaler.step(optimizer)
        scaler.update()
""",
            (11,),
        ),
        Invalid(
            """\
import torch

def train(model, loader, optimizer):
    scaler = torch.amp.GradScaler("cuda")
    for x, y in loader:
        optimizer.zero_grad()
        scaler.scale(model(x, y)).backward()
        for part in model.children():
            scaler.unscale_(optimizer)
            torch.nn.utils.clip_grad_norm_(part.parameters(), 1.0)
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
        for part in model.children():
            torch.nn.utils.clip_grad_norm_(part.parameters(), 1.0)
        scaler.step(optimizer)
        scaler.update()
""",
            (9,),
        ),
    )

    def applies(self, occurrence: Occurrence) -> bool:
        return _first(occurrence) is not None

    def proven(self, occurrence: Occurrence) -> bool:
        """Options of their own around the two calls may exclude each other."""
        earlier = _first(occurrence)
        apart = earlier is not None and (
            switched(earlier, occurrence.do) or only_settings(own_tests(earlier, occurrence.do))
        )
        return occurrence.proven and not apart

    def headline(self, occurrence: Occurrence) -> str:
        optimizer = local_name(occurrence.do, occurrence.broken.optimizer) or "the optimizer"
        return f"{optimizer} is unscaled twice"

    def repair(self, occurrence: Occurrence) -> Repair | str:
        do, earlier = occurrence.do, _first(occurrence)
        message = "Unscale once in a step"
        if earlier is None or earlier.event.kind is not EventKind.UNSCALE:
            return Repair("remove_statement", Applicability.SAFE, message, do.site.span)
        if earlier.site.function != do.site.function:
            if set(tests_of(earlier)) <= set(tests_of(do)):
                return Repair("remove_statement", Applicability.SAFE, message, do.site.span)
            return f"{earlier.site.function} (line {earlier.site.span.start.line}) unscales these gradients as well"
        arguments = {"first": as_argument(earlier.site.statement)}
        backward = latest(occurrence.before, EventKind.BACKWARD)
        if backward is not None:
            arguments["backward"] = str(backward.site.span.start.line)
            inner = [line for line in do.site.loops if line not in backward.site.loops]
            if inner and earlier.site.span == do.site.span:
                arguments["loop"] = str(inner[0])
        return Repair("single_unscale", Applicability.SAFE, message, do.site.span, arguments)


def _first(occurrence: Occurrence) -> Do | None:
    """The unscale_ or step since the last update() that leaves this one nothing to do."""
    optimizer = occurrence.broken.optimizer
    return latest(occurrence.before, EventKind.UNSCALE, EventKind.SCALER_STEP, optimizer=optimizer)
