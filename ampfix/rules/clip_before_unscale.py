"""AMP101."""

from __future__ import annotations

from ampfix.findings import Applicability, Repair, Severity, Span
from ampfix.program import Do, Occurrence, Site
from ampfix.protocol import EventKind, Violation
from ampfix.rules._base import Invalid, ProtocolRule, local_name


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
    scenarios = ("clip-before-unscale", "clip-before-unscale-adamw")

    VALID = (
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
        scaler = local_name(occurrence.do, _scaled_by(occurrence))
        return "gradients are clipped before " + (f"{scaler}.unscale_" if scaler else "unscale_")

    def repair(self, occurrence: Occurrence) -> Repair | str:
        scaler, optimizer = _scaled_by(occurrence), _optimizer(occurrence)
        if scaler is None:
            return "the scaler is not known here"
        if optimizer is None:
            return "which optimizer holds the clipped gradients is not known here"
        for site in occurrence.do.site.frames():
            at = Do(occurrence.do.event, site)
            names = local_name(at, scaler), local_name(at, optimizer)
            if names[0] is not None and names[1] is not None:
                arguments = {"scaler": names[0], "optimizer": names[1], **_condition(site, occurrence)}
                arguments |= _inner_loop(site, occurrence)
                if occurrence.unscale is not None:
                    elsewhere = occurrence.unscale.site
                    if elsewhere.function != site.function:
                        return (
                            f"{elsewhere.function} (line {elsewhere.span.start.line}) unscales these gradients as well"
                        )
                    arguments["existing"] = _place(elsewhere.statement)
                message = f"Insert `{names[0]}.unscale_({names[1]})` before the clip"
                return Repair("insert_unscale", Applicability.SAFE, message, site.statement, arguments)
        return f"no function on the way to this clip can name both {scaler} and {optimizer}"


def _scaled_by(occurrence: Occurrence) -> str | None:
    return next((do.event.scaler for do in reversed(occurrence.before) if do.event.scaler is not None), None)


def _optimizer(occurrence: Occurrence) -> str | None:
    """The optimizer of the clipped gradients; one that is stepped later where the path itself named none."""
    named = occurrence.broken.optimizer
    stepped = {
        name
        for do in (*occurrence.before, *occurrence.after)
        if do.event.kind in (EventKind.SCALER_STEP, EventKind.UNSCALE, EventKind.OPTIMIZER_STEP)
        for name in do.event.optimizers
    }
    if len(occurrence.broken.event.optimizers) == 1 and named in stepped:
        return named
    return None


def _condition(site: Site, occurrence: Occurrence) -> dict[str, str]:
    """The tests around the scaled backward that are not around the clip: elsewhere the gradients are not scaled."""
    backward = next((do for do in reversed(occurrence.before) if do.event.kind is EventKind.BACKWARD), None)
    if backward is None:
        return {}
    there = next((frame for frame in backward.site.frames() if frame.function == site.function), None)
    tests = [test for test in (there.tests if there is not None else ()) if test not in site.tests]
    return {"condition": " and ".join(f"({test})" if len(tests) > 1 else test for test in tests)} if tests else {}


def _inner_loop(site: Site, occurrence: Occurrence) -> dict[str, str]:
    """The outermost loop around the clip that is not around the backward: unscaling inside it would raise."""
    backward = next((do for do in reversed(occurrence.before) if do.event.kind is EventKind.BACKWARD), None)
    inner = [line for line in site.loops if backward is not None and line not in backward.site.loops]
    return {"loop": str(inner[0])} if inner else {}


def _place(span: Span) -> str:
    return f"{span.start.line}:{span.start.column}-{span.end.line}:{span.end.column}"
