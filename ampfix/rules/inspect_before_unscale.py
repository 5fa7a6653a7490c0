"""AMP102."""

from __future__ import annotations

from ampfix.findings import Applicability, Repair, Severity
from ampfix.patterns import pattern
from ampfix.program import Occurrence
from ampfix.protocol import EventKind, Violation
from ampfix.rules._base import Invalid, ProtocolRule, local_name
from ampfix.rules._path import certain, events_of
from ampfix.rules._unscale import scaled_by, unscale_first

_TEST = pattern(r"(^|\.)test_")


class InspectBeforeUnscale(ProtocolRule):
    """A gradient's value is read into a decision or a log while the loss scale is still in it.

    ## What it does
    Finds norms, maxima, histograms and other values of gradients that are compared with a number, printed or logged
    between a scaled backward and `scaler.unscale_`. Checks for None, NaN and infinity, and values that are divided by
    the scale, are left alone.

    ## Why is this bad
    The value is too large by the loss scale, 65536 at the start, and jumps whenever the scale changes. A skip rule such
    as `if norm > 10: continue` then skips every step, and a logged norm tells more of the scaler than of the model.

    ## Example
    ```python
    scaler.scale(loss).backward()
    norm = gradient_norm(model.parameters())
    if norm > 10.0:
        continue
    scaler.step(optimizer)
    ```

    ## Use instead
    ```python
    scaler.scale(loss).backward()
    scaler.unscale_(optimizer)
    norm = gradient_norm(model.parameters())
    if norm > 10.0:
        scaler.update()
        continue
    scaler.step(optimizer)
    ```

    ## Fix safety
    Safe: `scaler.step` sees that the gradients are unscaled and does not divide again. Thresholds tuned around the bug
    may want another look.

    ## References
    - https://pytorch.org/docs/stable/notes/amp_examples.html#working-with-unscaled-gradients
    """

    code, name, severity = "AMP102", "inspect-before-unscale", Severity.WARNING
    violations = (Violation.READ_WHILE_SCALED,)
    fix = Applicability.SAFE
    scenarios = ("trust-ratio-while-scaled",)

    VALID = (
        """\
import torch

class Trainer:
    def __init__(self, model, optimizer, clip, log_norm):
        self.model, self.optimizer = model, optimizer
        self.scaler = torch.amp.GradScaler("cuda")
        self.clip, self.log_norm = clip, log_norm

    def step(self, x, y):
        self.optimizer.zero_grad()
        self.scaler.scale(self.model(x, y)).backward()
        norm = self.prepare()
        self.scaler.step(self.optimizer)
        self.scaler.update()
        return norm

    def prepare(self):
        norm = None
        if self.clip is not None or self.log_norm:
            self.scaler.unscale_(self.optimizer)
            if self.log_norm:
                norm = self.norm()
        return norm

    def norm(self):
        norms = []
        for p in self.model.parameters():
            if p.grad is None:
                continue
            grad = p.grad.detach()
            norms.append(torch.linalg.vector_norm(grad.float()))
        return float(torch.stack(norms).norm())
""",
        """\
import torch

def train(model, loader, optimizer):
    scaler = torch.amp.GradScaler("cuda")
    for x, y in loader:
        optimizer.zero_grad()
        scaler.scale(model(x, y)).backward()
        scaler.unscale_(optimizer)
        print(model.weight.grad.norm())
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
        norms = [p.grad.norm() for p in model.parameters() if p.grad is not None]
        if not torch.stack(norms).isfinite().all():
            print("overflow")
        print(torch.stack(norms).norm() / scaler.get_scale())
        scaler.step(optimizer)
        scaler.update()
""",
    )
    INVALID = (
        Invalid(
            """\
import torch

def gradient_norm(parameters):
    total = 0.0
    for p in parameters:
        if p.grad is not None:
            total += p.grad.norm().item() ** 2
    return total**0.5

def train(model, loader, optimizer):
    scaler = torch.amp.GradScaler("cuda")
    for x, y in loader:
        optimizer.zero_grad()
        scaler.scale(model(x, y)).backward()
        norm = gradient_norm(model.parameters())
        print(f"gradient norm {norm:.2f}")
        scaler.step(optimizer)
        scaler.update()
""",
            """\
import torch

def gradient_norm(parameters):
    total = 0.0
    for p in parameters:
        if p.grad is not None:
            total += p.grad.norm().item() ** 2
    return total**0.5

def train(model, loader, optimizer):
    scaler = torch.amp.GradScaler("cuda")
    for x, y in loader:
        optimizer.zero_grad()
        scaler.scale(model(x, y)).backward()
        scaler.unscale_(optimizer)
        norm = gradient_norm(model.parameters())
        print(f"gradient norm {norm:.2f}")
        scaler.step(optimizer)
        scaler.update()
""",
            (15,),
        ),
        Invalid(
            """\
import torch

def train(model, loader, optimizer, writer):
    scaler = torch.amp.GradScaler("cuda")
    for x, y in loader:
        optimizer.zero_grad()
        scaler.scale(model(x, y)).backward()
        for name, parameter in model.named_parameters():
            writer.add_histogram(name, parameter.grad)
        scaler.unscale_(optimizer)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        scaler.step(optimizer)
        scaler.update()
""",
            """\
import torch

def train(model, loader, optimizer, writer):
    scaler = torch.amp.GradScaler("cuda")
    for x, y in loader:
        optimizer.zero_grad()
        scaler.scale(model(x, y)).backward()
        scaler.unscale_(optimizer)
        for name, parameter in model.named_parameters():
            writer.add_histogram(name, parameter.grad)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        scaler.step(optimizer)
        scaler.update()
""",
            (9,),
        ),
    )

    def applies(self, occurrence: Occurrence) -> bool:
        is_tested = _TEST.search(occurrence.do.site.function) is not None  # what a test compares, it means
        return certain(occurrence) and not is_tested and not _unscales(occurrence)

    def headline(self, occurrence: Occurrence) -> str:
        scaler = local_name(occurrence.do, scaled_by(occurrence))
        return "gradients are read before " + (f"{scaler}.unscale_" if scaler else "unscale_")

    def repair(self, occurrence: Occurrence) -> Repair | str:
        return unscale_first(occurrence, occurrence.do, "the read")


def _unscales(occurrence: Occurrence) -> bool:
    """Whether the read is a call of code that unscales too: there the read stands behind it."""
    unscales = events_of(occurrence, EventKind.UNSCALE)
    return any(frame.span == occurrence.do.site.span for do in unscales for frame in do.site.way())
