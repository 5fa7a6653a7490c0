"""AMP105."""

from __future__ import annotations

from ampfix.findings import Applicability, Repair, Severity
from ampfix.program import Do, Occurrence
from ampfix.protocol import EventKind, Violation
from ampfix.rules._base import Invalid, ProtocolRule, as_argument, local_name
from ampfix.rules._path import certain, events_of, latest, own_tests, same_window, since


class UnscaleEveryMicrobatch(ProtocolRule):
    """Gradients are unscaled before the accumulation window is full.

    ## What it does
    Finds `scaler.unscale_(optimizer)` whose gradients receive another scaled backward before the optimizer steps: it
    stands outside the test that `scaler.step` stands under, or under another one.

    ## Why is this bad
    Gradients that are already unscaled receive scaled ones: the micro-batches before count 65536 times less than those
    behind. `scaler.step` does not divide again. A second `unscale_` in the window raises "unscale_() has already been
    called on this optimizer since the last update()"; under a test that is met once in a window nothing raises.

    ## Example
    ```python
    scaler.scale(loss / accum).backward()
    scaler.unscale_(optimizer)
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    if (i + 1) % accum == 0:
        scaler.step(optimizer)
    ```

    ## Use instead
    ```python
    scaler.scale(loss / accum).backward()
    if (i + 1) % accum == 0:
        scaler.unscale_(optimizer)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        scaler.step(optimizer)
    ```

    ## Fix safety
    Safe: the gradients are unscaled and clipped once, when the window is full. It is refused where the clip's norm is
    used at every micro-batch.

    ## References
    - https://pytorch.org/docs/stable/notes/amp_examples.html#gradient-accumulation
    """

    code, name, severity = "AMP105", "unscale-every-microbatch", Severity.ERROR
    violations = (Violation.UNSCALE_IN_WINDOW,)
    fix = Applicability.SAFE
    scenarios = ("unscale-per-micro-batch",)

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

def train(model, loader, optimizer, accum):
    scaler = torch.amp.GradScaler("cuda")
    for i, (x, y) in enumerate(loader):
        scaler.scale(model(x, y) / accum).backward()
        if (i + 1) % accum == 0 or i + 1 == len(loader):
            scaler.unscale_(optimizer)
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            scaler.step(optimizer)
            scaler.update()
            optimizer.zero_grad()
""",
    )
    INVALID = (
        Invalid(
            """\
import torch

def train(model, loader, optimizer, accum):
    scaler = torch.amp.GradScaler("cuda")
    for i, (x, y) in enumerate(loader):
        scaler.scale(model(x, y) / accum).backward()
        # clip
        scaler.unscale_(optimizer)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        if (i + 1) % accum == 0:
            scaler.step(optimizer)
            scaler.update()
            optimizer.zero_grad()
""",
            """\
import torch

def train(model, loader, optimizer, accum):
    scaler = torch.amp.GradScaler("cuda")
    for i, (x, y) in enumerate(loader):
        scaler.scale(model(x, y) / accum).backward()
        if (i + 1) % accum == 0:
            # clip
            scaler.unscale_(optimizer)
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            scaler.step(optimizer)
            scaler.update()
            optimizer.zero_grad()
""",
            (8,),
        ),
        Invalid(
            """\
import torch

def train(model, loader, optimizer, accum, max_norm):
    scaler = torch.amp.GradScaler("cuda")
    for i, (x, y) in enumerate(loader):
        scaler.scale(model(x, y) / accum).backward()
        if max_norm:
            scaler.unscale_(optimizer)
            torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm)
        if (i + 1) % accum == 0:
            scaler.step(optimizer)
            scaler.update()
            optimizer.zero_grad()
""",
            """\
import torch

def train(model, loader, optimizer, accum, max_norm):
    scaler = torch.amp.GradScaler("cuda")
    for i, (x, y) in enumerate(loader):
        scaler.scale(model(x, y) / accum).backward()
        if (i + 1) % accum == 0:
            if max_norm:
                scaler.unscale_(optimizer)
                torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm)
            scaler.step(optimizer)
            scaler.update()
            optimizer.zero_grad()
""",
            (8,),
        ),
    )

    def applies(self, occurrence: Occurrence) -> bool:
        unscale = self.place(occurrence)
        if any(same_window(unscale, step) for step in _steps(occurrence)):
            return False
        update = latest(since(occurrence.before, EventKind.UNSCALE), EventKind.UPDATE)
        return certain(occurrence) and (update is None or _runs_with(update, unscale))

    def place(self, occurrence: Occurrence) -> Do:
        unscale = latest(occurrence.before, EventKind.UNSCALE, optimizer=occurrence.broken.optimizer)
        return unscale if unscale is not None else occurrence.do

    def headline(self, occurrence: Occurrence) -> str:
        optimizer = local_name(self.place(occurrence), occurrence.broken.optimizer) or "the optimizer"
        return f"{optimizer} is unscaled before its accumulation window is full"

    def repair(self, occurrence: Occurrence) -> Repair | str:
        unscale = self.place(occurrence)
        here = [step for step in _steps(occurrence) if step.site.function == unscale.site.function]
        if len(here) != 1:
            return "where the optimizer steps on these gradients is not known here"
        arguments = {"step": as_argument(here[0].site.statement)}
        return Repair(
            "unscale_with_step", Applicability.SAFE, "Unscale where the optimizer steps", unscale.site.span, arguments
        )


def _runs_with(update: Do, unscale: Do) -> bool:
    """Whether update() runs as often as unscale_ does: where it is for a step that is given up, which gradients are
    left is another matter."""
    one, other = update.site, unscale.site
    return (one.function, one.loops) == (other.function, other.loops) and not own_tests(update, unscale)


def _steps(occurrence: Occurrence) -> list[Do]:
    """Where the optimizer steps through a scaler."""
    steps = events_of(occurrence, EventKind.SCALER_STEP)
    return [step for step in steps if occurrence.broken.optimizer in step.event.optimizers]
