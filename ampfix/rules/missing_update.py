"""AMP109."""

from __future__ import annotations

from ampfix.findings import Applicability, Repair, Severity
from ampfix.program import Do, Occurrence
from ampfix.protocol import EventKind, Violation
from ampfix.rules._base import Invalid, ProtocolRule, as_argument
from ampfix.rules._path import events_of, is_optional, latest, reachable, same_window, switched


class MissingUpdate(ProtocolRule):
    """A step through the scaler is not followed by `scaler.update()`.

    ## What it does
    Finds a path from `scaler.step(optimizer)` to the next step on which `scaler.update()` does not run: there is none,
    it stands on one branch only, or it runs less often than the step.

    ## Why is this bad
    `update()` adapts the scale to the overflows that the steps have seen and forgets which optimizers are unscaled.
    Without it the next `scaler.step` raises "step() has already been called since the last update()". A path that is
    rarely taken does so in the middle of a run.

    ## Example
    ```python
    scaler.scale(loss).backward()
    scaler.step(optimizer)
    optimizer.zero_grad()
    ```

    ## Use instead
    ```python
    scaler.scale(loss).backward()
    scaler.step(optimizer)
    scaler.update()
    optimizer.zero_grad()
    ```

    ## Fix safety
    Safe: the program raised where `update()` was missing, and `update()` of a disabled scaler does nothing.

    ## References
    - https://pytorch.org/docs/stable/amp.html#torch.amp.GradScaler.update
    """

    code, name, severity = "AMP109", "missing-update", Severity.ERROR
    violations = (Violation.MISSING_UPDATE,)
    fix = Applicability.SAFE
    scenarios = ("update-on-one-branch",)

    VALID = (
        """\
import torch

def train(model, loader, optimizer, accum):
    scaler = torch.amp.GradScaler("cuda")
    for i, (x, y) in enumerate(loader):
        scaler.scale(model(x, y) / accum).backward()
        if (i + 1) % accum:
            continue
        scaler.step(optimizer)
        scaler.update()
        optimizer.zero_grad()
""",
        """\
import torch

def step(model, x, y, optimizer, scaler):
    optimizer.zero_grad()
    scaler.scale(model(x, y)).backward()
    scaler.step(optimizer)  # GradScaler.update is the caller's business
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
        scaler.step(optimizer)
""",
            """\
import torch

def train(model, loader, optimizer):
    scaler = torch.amp.GradScaler("cuda")
    for x, y in loader:
        optimizer.zero_grad()
        scaler.scale(model(x, y)).backward()
        scaler.step(optimizer)
        scaler.update()
""",
            (8,),
        ),
        Invalid(
            """\
import torch

def train(model, loader, optimizer, skip_clip):
    scaler = torch.amp.GradScaler("cuda")
    for i, (x, y) in enumerate(loader):
        optimizer.zero_grad()
        scaler.scale(model(x, y)).backward()
        if i % 100 == 0:
            scaler.step(optimizer)
        else:
            scaler.unscale_(optimizer)
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            scaler.step(optimizer)
            scaler.update()
""",
            """\
import torch

def train(model, loader, optimizer, skip_clip):
    scaler = torch.amp.GradScaler("cuda")
    for i, (x, y) in enumerate(loader):
        optimizer.zero_grad()
        scaler.scale(model(x, y)).backward()
        if i % 100 == 0:
            scaler.step(optimizer)
            scaler.update()
        else:
            scaler.unscale_(optimizer)
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
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
    for i, (x, y) in enumerate(loader):
        optimizer.zero_grad()
        scaler.scale(model(x, y)).backward()
        scaler.step(optimizer)
        if i % 10 == 0:
            scaler.update()
""",
            """\
import torch

def train(model, loader, optimizer):
    scaler = torch.amp.GradScaler("cuda")
    for i, (x, y) in enumerate(loader):
        optimizer.zero_grad()
        scaler.scale(model(x, y)).backward()
        scaler.step(optimizer)
        scaler.update()
""",
            (8,),
        ),
    )

    def applies(self, occurrence: Occurrence) -> bool:
        step = self.place(occurrence)
        if _updated_early(occurrence, step):
            return False  # that update() is in the wrong place: one bug
        updates = _updates(occurrence)
        if any(same_window(update, step) for update in updates):
            return False
        return not any(switched(update, step) for update in updates if is_optional(update, step))

    def proven(self, occurrence: Occurrence) -> bool:
        step = self.place(occurrence)
        return occurrence.proven and not any(is_optional(update, step) for update in _updates(occurrence))

    def place(self, occurrence: Occurrence) -> Do:
        """The step that no update() follows."""
        step = latest(occurrence.before, EventKind.SCALER_STEP, optimizer=occurrence.broken.optimizer)
        return step if step is not None else occurrence.do

    def headline(self, occurrence: Occurrence) -> str:  # noqa: ARG002
        return "scaler.step without scaler.update"

    def repair(self, occurrence: Occurrence) -> Repair | str:
        step = self.place(occurrence)
        last = _last_of_its_step(occurrence, step)
        names = reachable(last.site, last, occurrence.do.event.scaler)
        if names is None:
            return "the scaler cannot be named where its last optimizer steps"
        partial = [
            update
            for update in _updates(occurrence)
            if update.site.function == last.site.function
            and update.site.span.start > last.site.span.start
            and set(last.site.tests) < set(update.site.tests)
        ]
        arguments = {"scaler": names[0], "after": as_argument(last.site.statement)}
        if partial:
            arguments["drop"] = ";".join(as_argument(update.site.statement) for update in partial)
        message = f"Let `{names[0]}.update()` follow the step"
        return Repair("place_update", Applicability.SAFE, message, last.site.span, arguments)


def _updated_early(occurrence: Occurrence, step: Do) -> bool:
    """Whether update() ran between the backward and the step."""
    early = False
    for do in occurrence.before:
        if do is step:
            return early
        if do.event.kind is EventKind.BACKWARD:
            early = False
        early |= do.event.kind is EventKind.UPDATE and do.event.scaler == step.event.scaler
    return early


def _updates(occurrence: Occurrence) -> list[Do]:
    scaler = occurrence.do.event.scaler
    return [do for do in events_of(occurrence, EventKind.UPDATE) if do.event.scaler == scaler]


def _last_of_its_step(occurrence: Occurrence, step: Do) -> Do:
    """The last of several optimizers that step through the scaler before the next backward: update() goes behind it."""
    events = list(occurrence.before)
    last = step
    for do in events[events.index(step) + 1 :] if step in events else ():
        if do.event.kind in (EventKind.BACKWARD, EventKind.ZERO_GRAD, EventKind.UPDATE):
            break
        if do.event.kind is EventKind.SCALER_STEP and do.event.scaler == step.event.scaler:
            last = do
    return last
