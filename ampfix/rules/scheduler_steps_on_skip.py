"""AMP114."""

from __future__ import annotations

import re

from ampfix.findings import Applicability, Repair, Severity
from ampfix.patterns import pattern
from ampfix.program import Occurrence, Source
from ampfix.protocol import Violation
from ampfix.rules._base import Invalid, ProtocolRule, local_name
from ampfix.rules._handed_none import is_never_handed
from ampfix.rules._scheduled import goes_slower, only_flushes, scaler_step, walks_schedulers

_ACCUMULATION = pattern(r"accum", re.IGNORECASE)


class SchedulerStepsOnSkip(ProtocolRule):
    """The learning-rate schedule advances on steps that the scaler skipped.

    ## What it does
    Finds a scheduler that steps after every `scaler.step`, whether or not the scaler applied it. Schedulers stepped
    once per epoch, on a metric, or with an index of their own are left alone, and so is one under a test of the scale.

    ## Why is this bad
    On overflow `scaler.step` skips the optimizer, and the first steps of a run often overflow until the scale has
    settled. The schedule goes on meanwhile: warm-up is cut short and the decay ends before the last batch. torch warns
    only when the very first step is skipped.

    ## Example
    ```python
    scaler.step(optimizer)
    scaler.update()
    scheduler.step()
    ```

    ## Use instead
    ```python
    scaler.step(optimizer)
    scale_before = scaler.get_scale()
    scaler.update()
    if scaler.get_scale() >= scale_before:
        scheduler.step()
    ```

    ## Fix safety
    Safe: `update()` lowers the scale exactly when a step was skipped, and a disabled scaler reports 1.0 both times, so
    the schedule then always advances. Reading the scale waits for the device once per step.

    ## References
    - https://pytorch.org/docs/stable/amp.html#torch.amp.GradScaler.get_scale
    """

    code, name, severity = "AMP114", "scheduler-steps-on-skip", Severity.WARNING
    violations = (Violation.SCHEDULER_ON_SKIPPED_STEP,)
    fix = Applicability.SAFE
    scenarios = ("scheduler-on-skip",)

    VALID = (
        """\
import torch

def epoch(model, loader, optimizer, scheduler, scaler):
    for x, y in loader:
        optimizer.zero_grad()
        scaler.scale(model(x, y)).backward()
        scaler.step(optimizer)
        scaler.update()
        if scheduler is not None:
            scheduler.step()

def run(model, loader, optimizer, scheduler):
    scaler = torch.amp.GradScaler("cuda")
    epoch(model, loader, optimizer, scheduler, scaler)

def main(model, loader, optimizer):
    run(model, loader, optimizer, None)
""",
        """\
import torch

def train(model, loader, optimizer, scheduler):
    scaler = torch.amp.GradScaler("cuda")
    for x, y in loader:
        scaler.scale(model(x, y)).backward()
        scaler.step(optimizer)
        scale_before = scaler.get_scale()
        scaler.update()
        if scaler.get_scale() >= scale_before:
            scheduler.step()
        optimizer.zero_grad()
""",
        """\
import torch

def train(model, loader, optimizer, epochs):
    scaler = torch.amp.GradScaler("cuda")
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 30)
    for epoch in range(epochs):
        for x, y in loader:
            optimizer.zero_grad()
            scaler.scale(model(x, y)).backward()
            scaler.step(optimizer)
            scaler.update()
        scheduler.step()
""",
        """\
import torch

def train(model, loader, optimizer, scheduler):
    scaler = torch.amp.GradScaler("cuda")
    for x, y in loader:
        optimizer.zero_grad()
        scaler.scale(model(x, y)).backward()
        scaler.unscale_(optimizer)
        norm = torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        if torch.isnan(norm) or torch.isinf(norm):
            scaler.update()
            continue
        scaler.step(optimizer)
        scaler.update()
        scheduler.step()
""",
    )
    INVALID = (
        Invalid(
            """\
import torch

def train(model, loader, optimizer, schedulers):
    scaler = torch.amp.GradScaler("cuda")
    for x, y in loader:
        optimizer.zero_grad()
        scaler.scale(model(x, y)).backward()
        scaler.step(optimizer)
        scaler.update()
        for scheduler in schedulers:
            scheduler.step()
""",
            None,
            (11,),
        ),
        Invalid(
            """\
import torch

def train(model, loader, optimizer, total):
    scaler = torch.amp.GradScaler("cuda")
    scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=total)
    for x, y in loader:
        optimizer.zero_grad()
        scaler.scale(model(x, y)).backward()
        scaler.step(optimizer)
        scaler.update()
        scheduler.step()
""",
            """\
import torch

def train(model, loader, optimizer, total):
    scaler = torch.amp.GradScaler("cuda")
    scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=total)
    for x, y in loader:
        optimizer.zero_grad()
        scaler.scale(model(x, y)).backward()
        scaler.step(optimizer)
        scale_before = scaler.get_scale()
        scaler.update()
        if scaler.get_scale() >= scale_before:
            scheduler.step()
""",
            (11,),
        ),
        Invalid(
            """\
import torch

class Trainer:
    def __init__(self, model):
        self.model = model
        self.optimizer = torch.optim.SGD(model.parameters(), 0.1)
        self.scheduler = torch.optim.lr_scheduler.OneCycleLR(self.optimizer, 0.1, 100)
        self.scaler = torch.amp.GradScaler("cuda")

    def optimize(self, loss):
        self.scaler.scale(loss).backward()
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.optimizer.zero_grad()

    def advance(self):
        self.scheduler.step()

    def fit(self, loader):
        for x, y in loader:
            self.optimize(self.model(x, y))
            self.advance()
""",
            """\
import torch

class Trainer:
    def __init__(self, model):
        self.model = model
        self.optimizer = torch.optim.SGD(model.parameters(), 0.1)
        self.scheduler = torch.optim.lr_scheduler.OneCycleLR(self.optimizer, 0.1, 100)
        self.scaler = torch.amp.GradScaler("cuda")
        self.scale_before = 0.0

    def optimize(self, loss):
        self.scaler.scale(loss).backward()
        self.scaler.step(self.optimizer)
        self.scale_before = self.scaler.get_scale()
        self.scaler.update()
        self.optimizer.zero_grad()

    def advance(self):
        if self.scaler.get_scale() >= self.scale_before:
            self.scheduler.step()

    def fit(self, loader):
        for x, y in loader:
            self.optimize(self.model(x, y))
            self.advance()
""",
            (17,),
        ),
        Invalid(
            """\
import torch

def train(model, loader, optimizer, total, accum_steps):
    scaler = torch.amp.GradScaler("cuda")
    scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=total)
    for i, (x, y) in enumerate(loader):
        optimizer.zero_grad()
        scaler.scale(model(x, y)).backward()
        scaler.step(optimizer)
        scaler.update()
        if i % accum_steps == 0:
            scheduler.step()
""",
            """\
import torch

def train(model, loader, optimizer, total, accum_steps):
    scaler = torch.amp.GradScaler("cuda")
    scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.1, total_steps=total)
    for i, (x, y) in enumerate(loader):
        optimizer.zero_grad()
        scaler.scale(model(x, y)).backward()
        scaler.step(optimizer)
        scale_before = scaler.get_scale()
        scaler.update()
        if i % accum_steps == 0:
            if scaler.get_scale() >= scale_before:
                scheduler.step()
""",
            (12,),
        ),
    )

    def is_harmless(self, occurrence: Occurrence, source: Source) -> bool:
        call = source.call_at(occurrence.do.site.span)
        return call is not None and (is_never_handed(call, source) or goes_slower(call, occurrence, source))

    def applies(self, occurrence: Occurrence) -> bool:
        """Only schedulers that step with the optimizer: in the same loop, under no count but that of micro-batches."""
        step = scaler_step(occurrence)
        here = occurrence.do.site.loops
        if step is None or only_flushes(step, occurrence):
            return False
        walks_optimizers = any(name.endswith("[*]") for name in step.event.optimizers)
        together = step.site.loops[:-1] if walks_optimizers else step.site.loops
        if (here[:-1] if walks_schedulers(occurrence) else here) not in (step.site.loops, together):
            return False
        shared = {test for frame in step.site.frames() for test in frame.tests}
        own = {test for frame in occurrence.do.site.frames() for test in frame.tests} - shared
        return not any("%" in test and not _ACCUMULATION.search(test) for test in own)

    def headline(self, occurrence: Occurrence) -> str:  # noqa: ARG002
        return "the scheduler steps even when the scaler skipped the optimizer step"

    def repair(self, occurrence: Occurrence) -> Repair | str:
        step = scaler_step(occurrence)
        scaler = None if step is None else local_name(occurrence.do, step.event.scaler)
        if step is None or scaler is None:
            return "the scaler cannot be named where the scheduler steps"
        if walks_schedulers(occurrence):
            return f"guard the loop: `if {scaler}.get_scale() >= scale_before` around it"
        function = occurrence.do.site.function
        here = next((frame for frame in step.site.frames() if frame.function == function), step.site)
        message = f"Step the scheduler only when {scaler} did not lower its scale"
        return Repair(
            "guard_scheduler",
            Applicability.SAFE,
            message,
            occurrence.do.site.statement,
            {"scaler": scaler, "step_line": str(here.span.start.line)},
        )
