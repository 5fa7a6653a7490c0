"""AMP411."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import ClassVar

from ampfix.findings import Applicability, Finding, Repair, Severity
from ampfix.program import Do, Dtype, Routine, Source, Value
from ampfix.protocol import EventKind
from ampfix.rules._base import Invalid, Rule
from ampfix.rules._halves import guards, in_region

_GUARDS = re.compile(
    r"isfinite|isnan|isinf|nan_to_num|clip_grad|clip_grads|detect_anomaly|GradScaler|DistributedDataParallel|FSDP|fully_shard"
)
_REDUCED = frozenset({"sum", "mean", "std", "var", "norm", "sub", "max", "amax"})
_UNDEFINED_AT_0 = {"log": 0, "log2": 0, "log10": 0, "sqrt": 0, "rsqrt": 0, "reciprocal": 0, "div": 1}


class NanUnguardedBf16(Rule):
    """A bfloat16 loop computes a loss that can be NaN, and nothing keeps a NaN from the weights.

    ## What it does
    Finds bfloat16 training loops without a scaler, without clipping and without any check for finite values, whose loss
    takes a logarithm or a root of, or divides by, a difference, a sum, a norm or the like without a guard.

    ## Why is this bad
    bfloat16 needs no loss scale, but a GradScaler did one thing more: it skipped steps with NaN gradients. Without it a
    single batch in which the difference is 0 makes every weight NaN. The standard losses do not do that, so that the
    standard bfloat16 loop is not reported.

    ## Example
    ```python
    with torch.autocast("cuda", dtype=torch.bfloat16):
        loss = (error / error.std()).square().mean()
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
    mentions: ClassVar[tuple[tuple[str, ...], ...]] = (("autocast", "bfloat16"),)

    VALID = (
        """\
import torch

def train(model, loader, optimizer):
    for x, y in loader:
        with torch.autocast("cuda", dtype=torch.bfloat16):
            error = model(x) - y
            loss = error.square().mean() / 2 + (error / (error.std() + 1e-6)).mean()
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
            loss = (error / error.std()).mean()
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

layer = torch.nn.Linear(8, 8).cuda()

def train(loader, optimizer):
    for x, y in loader:
        with torch.autocast("cuda", dtype=torch.bfloat16):
            error = layer(x)
            loss = (error / error.std()).mean()
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
            loss = (error / error.std()).mean()
        if not torch.isfinite(loss):
            continue
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
""",
            (10,),
        ),
    )

    def check(self, source: Source) -> Iterator[Finding]:
        if _GUARDS.search(source.text):
            return
        risky = next((value for value in source.tensor_operations if _is_risky(value)), None)
        if risky is None:
            return
        for routine in source.routines:
            backward = _unguarded_backward(routine)
            if backward is not None:
                yield self.finding(
                    source,
                    backward.site.span,
                    f"{risky.op} without a guard (line {getattr(risky.node, 'lineno', 0)}) can make the loss NaN, and "
                    "this bfloat16 loop has neither scaler, clipping nor finite check between it and the weights",
                    proven=False,
                    symbol=backward.subject,
                    repair=_repair(backward),
                )


def _is_risky(value: Value) -> bool:
    position = _UNDEFINED_AT_0.get(value.op)
    if position is None or len(value.operands) <= position or not in_region(value):
        return False
    operand = value.operands[position]
    known = operand.dtype.is_half or operand.dtype is Dtype.FLOAT32
    return (
        value.context.dtype is Dtype.BFLOAT16
        and value.site is None
        and known
        and operand.op in _REDUCED
        and not any(True for _ in guards(operand))
    )


def _unguarded_backward(routine: Routine) -> Do | None:
    """The backward of a loop that steps an optimizer in a bfloat16 region's wake."""
    kinds = {do.event.kind for do in routine.events}
    bf16 = any(do.event.kind is EventKind.AUTOCAST_ENTER and do.event.dtype == "bfloat16" for do in routine.events)
    if not bf16 or EventKind.OPTIMIZER_STEP not in kinds or kinds & {EventKind.CLIP, EventKind.SCALER_STEP}:
        return None
    backwards = [do for do in routine.events if do.event.kind is EventKind.BACKWARD and do.site.loops]
    return backwards[0] if backwards else None


def _repair(backward: Do) -> Repair | str:
    if not backward.subject.isidentifier() or backward.site.caller is not None:
        return "the loss has no name here; check it with torch.isfinite before backward"
    return Repair(
        "skip_nonfinite_loss",
        Applicability.UNSAFE,
        "Leave out batches whose loss is not finite",
        backward.site.span,
        {"loss": backward.subject},
    )
