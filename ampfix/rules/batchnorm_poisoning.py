"""AMP409."""

from __future__ import annotations

from collections.abc import Iterator

from ampfix.findings import Applicability, Finding, Severity
from ampfix.program import Dtype, Source, Value, meetings
from ampfix.rules._base import Invalid
from ampfix.rules._halves import FLOAT16_MAX, TensorRule, in_region, proven_float16

_DEPTH = 12


class BatchnormPoisoning(TensorRule):
    """Values that overflow float16 reach a BatchNorm, whose running statistics keep the infinity for good.

    ## What it does
    Finds BatchNorm layers in float16 regions whose input comes from an operation that leaves float16's range: a factor
    beyond 65504, a square of a half tensor, an in-place exponential. Files that only evaluate are left alone.

    ## Why is this bad
    The scaler skips the step of a batch whose gradients are not finite, but the forward pass has already put the
    batch's mean and variance into running_mean and running_var. One infinite batch makes them inf and NaN: training,
    which uses the batch's own statistics, goes on as if nothing had happened, and every evaluation is NaN.

    ## Example
    ```python
    with torch.autocast("cuda"):
        x = self.bn(self.conv(x) * 1e5)
    ```

    ## Use instead
    ```python
    with torch.autocast("cuda"):
        x = self.bn(self.conv(x).float() * 1e5)
    ```

    ## Fix safety
    There is nothing to repair at the BatchNorm itself: a float32 island around it would still be handed the infinity.
    Repair the operation in front of it.

    ## References
    - https://github.com/pytorch/pytorch/issues/115500
    """

    code, name, severity = "AMP409", "batchnorm-poisoning", Severity.WARNING
    fix = Applicability.DISPLAY
    scenarios = ("batchnorm-poisoned",)

    VALID = (
        """\
import torch

conv, norm = torch.nn.Conv2d(3, 8, 3).cuda(), torch.nn.BatchNorm2d(8).cuda()

def train(loader):
    for x, y in loader:
        with torch.autocast("cuda"):
            out = norm(conv(x)) + norm(conv(x).float() * 1e5) + norm(conv(x) * 255.0)
            layered = torch.nn.functional.layer_norm(conv(x) * 1e5, (8,))
        with torch.autocast("cuda", dtype=torch.bfloat16):
            out = norm(conv(x) * 1e5)
""",
    )
    INVALID = (
        Invalid(
            """\
import torch

class Block(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.conv, self.norm = torch.nn.Conv2d(3, 8, 3), torch.nn.BatchNorm2d(8)

    def forward(self, x):
        energy = self.conv(x) * self.conv(x)
        out = self.conv(x)
        return self.norm(torch.relu(out * out)) + energy

def train(loader):
    block = Block().cuda()
    for x, y in loader:
        with torch.autocast("cuda"):
            loss = block(x).mean()
""",
            None,
            (11,),
        ),
    )

    def found(self, source: Source) -> Iterator[Finding]:
        if _only_evaluates(source):
            return
        for value in source.tensor_operations:
            cause = _overflow(value.operands[0]) if value.op == "batch_norm" and value.operands else None
            if cause is not None and in_region(value):
                yield self.at(
                    source,
                    value,
                    f"{cause.op} in front of this BatchNorm overflows float16: the scaler skips the step, and the "
                    "running statistics keep the infinity",
                    proven=proven_float16(cause),
                    repair=lambda: "repair the operation that overflows; the BatchNorm can only pass it on",
                )


def _only_evaluates(source: Source) -> bool:
    """Whether the file switches models to evaluation, which leaves their statistics alone, and none back to train."""
    return bool(source.calls_to("eval")) and not (source.calls_to("train") or source.calls_to("backward"))


def _overflow(value: Value, depth: int = _DEPTH) -> Value | None:
    """The operation on the way to `value` that leaves float16's range."""
    if value.dtype is Dtype.FLOAT16 and _leaves_range(value):
        return value
    found = (_overflow(operand, depth - 1) for operand in value.operands if depth and operand.op != "number")
    return next((cause for cause in found if cause is not None), None)


def _leaves_range(value: Value) -> bool:
    if value.op == "mul" and len(value.operands) == 2 and value.operands[0] is value.operands[1]:
        return True
    if value.op in ("exp", "pow", "square") and value.in_place:
        return True
    return any(m.sign != "/" and abs(m.number) > FLOAT16_MAX for m in meetings(value))
