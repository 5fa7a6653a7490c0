"""AMP121."""

from __future__ import annotations

from ampfix.findings import Applicability, Repair, Severity
from ampfix.program import Do, Occurrence
from ampfix.protocol import EventKind, Violation
from ampfix.rules._base import Invalid, ProtocolRule, as_argument
from ampfix.rules._path import STEPS


class BackwardUnderAutocast(ProtocolRule):
    """Backward runs inside the autocast region.

    ## What it does
    Finds `backward()` inside `with torch.autocast(...)`, or in a function that the region is a decorator of.

    ## Why is this bad
    Each backward op already runs in the dtype that autocast chose for its forward op. What runs in the region beyond
    that is cast a second time: hooks, custom functions, gradient penalties, and checkpointed parts that are computed
    anew. Steps and metrics that slipped into the region with it may run in half precision. The documentation of
    torch advises against it.

    ## Example
    ```python
    with torch.autocast("cuda"):
        loss = criterion(model(x), y)
        scaler.scale(loss).backward()
    ```

    ## Use instead
    ```python
    with torch.autocast("cuda"):
        loss = criterion(model(x), y)
    scaler.scale(loss).backward()
    ```

    ## Fix safety
    Safe: forward stays in the region, and backward follows the dtypes of forward wherever it is called.

    ## References
    - https://pytorch.org/docs/stable/amp.html#torch.autocast
    """

    code, name, severity = "AMP121", "backward-under-autocast", Severity.WARNING
    violations = (Violation.BACKWARD_IN_AUTOCAST,)
    fix = Applicability.SAFE
    unproven = "the loop reaches the same weights: torch's own backward ops keep the forward's dtypes, region or not"

    VALID = (
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
        """\
import torch

@torch.autocast("cuda")
def train_step(model, x, y, scaler):
    loss = model(x, y)
    with torch.autocast("cuda", enabled=False):
        scaler.scale(loss).backward()
""",
    )
    INVALID = (
        Invalid(
            """\
import torch

def train(model, loader, optimizer, log):
    scaler = torch.amp.GradScaler("cuda")
    for x, y in loader:
        optimizer.zero_grad()
        with torch.autocast("cuda"):
            loss = model(x, y)
            # backward
            scaler.scale(loss).backward()
            scaler.step(optimizer)
            scaler.update()
        log(loss.item())
""",
            """\
import torch

def train(model, loader, optimizer, log):
    scaler = torch.amp.GradScaler("cuda")
    for x, y in loader:
        optimizer.zero_grad()
        with torch.autocast("cuda"):
            loss = model(x, y)
        # backward
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        log(loss.item())
""",
            (10,),
        ),
        Invalid(
            """\
import torch

def train(netD, netG, loader, optD, optG):
    scaler = torch.amp.GradScaler("cuda")
    for real, noise in loader:
        with torch.autocast("cuda"):
            optD.zero_grad()
            fake = netG(noise)
            loss = netD(real, fake.detach())
            scaler.scale(loss).backward()
            scaler.step(optD)
            loss = netD(real, fake)
        optG.zero_grad()
        scaler.scale(loss).backward()
        scaler.step(optG)
        scaler.update()
""",
            """\
import torch

def train(netD, netG, loader, optD, optG):
    scaler = torch.amp.GradScaler("cuda")
    for real, noise in loader:
        with torch.autocast("cuda"):
            optD.zero_grad()
            fake = netG(noise)
            loss = netD(real, fake.detach())
        scaler.scale(loss).backward()
        scaler.step(optD)
        with torch.autocast("cuda"):
            loss = netD(real, fake)
        optG.zero_grad()
        scaler.scale(loss).backward()
        scaler.step(optG)
        scaler.update()
""",
            (10,),
        ),
    )

    def applies(self, occurrence: Occurrence) -> bool:
        """A backward that no scaler and no optimizer has to do with measures memory or time."""
        return any(do.event.scaler is not None or do.event.kind in STEPS for do in occurrence.routine.events)

    def headline(self, occurrence: Occurrence) -> str:  # noqa: ARG002
        return "backward runs inside the autocast region"

    def repair(self, occurrence: Occurrence) -> Repair | str:
        do = occurrence.do
        region = _region(occurrence)
        if region is None or region.site.function != do.site.function:
            return "the region is opened outside this function; call backward where it has ended"
        arguments = {"region": as_argument(region.site.span)}
        return Repair("leave_autocast", Applicability.SAFE, "Call backward behind the region", do.site.span, arguments)


def _region(occurrence: Occurrence) -> Do | None:
    """What opened the region that is still open."""
    opened: list[Do] = []
    for do in occurrence.before:
        if do.event.kind is EventKind.AUTOCAST_ENTER:
            opened.append(do)
        elif do.event.kind is EventKind.AUTOCAST_EXIT and opened:
            opened.pop()
    return opened[-1] if opened else None
