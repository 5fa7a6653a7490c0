"""AMP411."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from ampfix.findings import Applicability, Finding, Position, Repair, Severity
from ampfix.patterns import pattern
from ampfix.program import Do, Routine, Source
from ampfix.protocol import EventKind
from ampfix.rules import _switches as switches
from ampfix.rules._base import TRAIN_WORDS, Invalid, Rule
from ampfix.rules._halfmodels import cast_models
from ampfix.rules._optimizers import trained
from ampfix.rules._shapes import function_of, loops
from ampfix.rules._spellings import REGION_ELSEWHERE
from ampfix.rules._without_gradients import leaves_no_gradient

_GUARDS = pattern(r"isfinite|isnan|isinf|nan_to_num|clip_grad|detect_anomaly|GradScaler")
_TOLD_TO_CLIP = pattern(r"\b(grad_clip|grad_norm_clip|max_grad_norm)\w*\s*=(?!=)\s*[\w.]+\s*[,)]")  # an optimizer, say
_RANKS = pattern(r"DistributedDataParallel|FSDP|fully_shard")


class NanUnguardedBf16(Rule):
    """A bfloat16 loop has no guard anywhere: one batch with a NaN ends the run.

    ## What it does
    Notes bfloat16 training loops in files that have no scaler, no clipping and no check for finite values. A step that
    builds its own optimizer, as where it is measured, is left alone.

    ## Why is this bad
    bfloat16 needs no loss scale, but a GradScaler did one thing more: it skipped steps with NaN gradients. Without it a
    single bad batch makes every weight NaN. A note, not a warning: the loop is right as long as its data are.

    ## Example
    ```python
    with torch.autocast("cuda", dtype=torch.bfloat16):
        loss = criterion(model(x), y)
    loss.backward()
    optimizer.step()
    ```

    ## Use instead
    ```python
    if not torch.isfinite(loss):
        continue
    loss.backward()
    ```

    ## Fix safety
    Unsafe: a batch whose loss is not finite is left out, and each step waits for the loss. A guard in the loss itself
    is better where one is known.

    ## References
    - https://pytorch.org/docs/stable/generated/torch.isfinite.html
    """

    code, name, severity = "AMP411", "nan-unguarded-bf16", Severity.NOTE
    fix = Applicability.UNSAFE
    scenarios = ("bad-batch-in-bfloat16",)
    mentions: ClassVar[tuple[tuple[str, ...], ...]] = (
        ("autocast", "bfloat16"),
        (".backward(", "bfloat16()"),
        *((".backward(", *group) for group in REGION_ELSEWHERE),
    )
    needs = (TRAIN_WORDS,)

    VALID = (
        """\
import torch

layer = torch.nn.Linear(8, 8).cuda()

def train(loader, optimizer):
    for x, y in loader:
        with torch.autocast("cuda", dtype=torch.bfloat16):
            error = layer(x)
            loss = (error - y).square().mean()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(layer.parameters(), 1.0, error_if_nonfinite=True)
        optimizer.step()
        optimizer.zero_grad()
""",
    )
    INVALID = (
        Invalid(
            """\
import torch

def train(loader):
    model = torch.nn.Linear(512, 512).cuda().bfloat16()
    optimizer = torch.optim.Adam(model.parameters())
    for x, y in loader:
        optimizer.zero_grad()
        loss = torch.nn.functional.mse_loss(model(x), y)
        loss.backward()
        optimizer.step()
""",
            """\
import torch

def train(loader):
    model = torch.nn.Linear(512, 512).cuda().bfloat16()
    optimizer = torch.optim.Adam(model.parameters())
    for x, y in loader:
        optimizer.zero_grad()
        loss = torch.nn.functional.mse_loss(model(x), y)
        if not torch.isfinite(loss):
            continue
        loss.backward()
        optimizer.step()
""",
            (9,),
        ),
        Invalid(
            """\
import torch

layer = torch.nn.Linear(8, 8).cuda()

def train(loader, optimizer):
    for x, y in loader:
        with torch.autocast("cuda", dtype=torch.bfloat16):
            error = layer(x)
            loss = (error - y).square().mean()
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
""",
            """\
import torch

layer = torch.nn.Linear(8, 8).cuda()

def train(loader, optimizer):
    for x, y in loader:
        with torch.autocast("cuda", dtype=torch.bfloat16):
            error = layer(x)
            loss = (error - y).square().mean()
        if not torch.isfinite(loss):
            continue
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
""",
            (10,),
        ),
        Invalid(
            """\
import torch
from torch.nn.parallel import DistributedDataParallel

def train(loader, optimizer, rank):
    model = DistributedDataParallel(torch.nn.Linear(8, 8).to(rank))
    for x, y in loader:
        with torch.autocast("cuda", dtype=torch.bfloat16):
            loss = (model(x) - y).square().mean()
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
""",
            None,
            (9,),
        ),
    )

    def check(self, source: Source) -> Iterator[Finding]:
        if _GUARDS.search(source.text):
            return
        cast = any(model.certain and model.cast.dtype == "bfloat16" for model in cast_models(source))
        for routine in filter(_is_unguarded, source.routines):
            backward = _backward_in_bf16(routine, source, is_cast=cast)
            if backward is None or _TOLD_TO_CLIP.search(source.text):
                continue
            if not _is_measured(backward, source):
                yield self.finding(
                    source,
                    backward.site.span,
                    "nothing keeps a NaN from the weights in this bfloat16 loop: without a scaler no step is skipped, "
                    "and there is neither clipping nor a finite check",
                    proven=False,
                    symbol=backward.subject,
                    repair=_repair(backward, source),
                )


def _openings(source: Source) -> set[Position]:
    """Where training enters regions that may be in bfloat16, on a GPU."""
    on_the_cpu = {one.node for one in source.autocasts if switches.is_choice_of_device(one, source)}
    return {
        source.span(region.opening).start
        for region in source.regions
        if "bfloat16" in region.dtypes
        and region.device != "cpu"
        and region.enabled is not False
        and region.call not in on_the_cpu
        and not leaves_no_gradient(region, source)
    }


def _is_unguarded(routine: Routine) -> bool:
    """Whether an optimizer steps without a scaler and without clipping."""
    kinds = {do.event.kind for do in routine.events}
    return EventKind.OPTIMIZER_STEP in kinds and not kinds & {EventKind.CLIP, EventKind.SCALER_STEP}


def _backward_in_bf16(routine: Routine, source: Source, *, is_cast: bool) -> Do | None:
    """The backward of a loop in a bfloat16 region's wake, or over bfloat16 weights."""
    backwards = [do for do in routine.events if do.event.kind is EventKind.BACKWARD and do.site.loops]
    entered = [do for do in routine.events if do.event.kind is EventKind.AUTOCAST_ENTER]
    if not backwards or not (is_cast or entered):
        return None
    bf16 = is_cast or any(do.event.dtype == "bfloat16" for do in entered)
    if not bf16 and any(do.event.dtype == "unknown" for do in entered):
        openings = _openings(source)
        bf16 = any(do.site.span.start in openings for do in entered)
    return backwards[0] if bf16 else None


def _is_measured(backward: Do, source: Source) -> bool:
    """Whether the optimizer is built for this one step, which is run again and again to be timed: no run is lost."""
    call = source.call_at(backward.site.span)
    if call is None or loops(call, source):
        return False
    function = function_of(call, source)
    return any(function_of(one.call, source) is function for one in trained(source))


def _repair(backward: Do, source: Source) -> Repair | str:
    if _RANKS.search(source.text):
        return "every rank has to leave out the same batch, or the others wait for its gradients"
    if not backward.subject.isidentifier() or backward.site.caller is not None:
        return "the loss has no name here; check it with torch.isfinite before backward"
    return Repair(
        "skip_nonfinite_loss",
        Applicability.UNSAFE,
        "Leave out batches whose loss is not finite",
        backward.site.span,
        {"loss": backward.subject},
    )
