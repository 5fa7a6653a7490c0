"""AMP308."""

from __future__ import annotations

from collections.abc import Iterator

from ampfix.findings import Applicability, Finding, Repair, Severity
from ampfix.program import Dtype, Meeting, Source, meetings
from ampfix.rules._base import Invalid, Rule
from ampfix.rules._halves import IN_HALF

FLOAT16_MAX = 65504.0  # torch.finfo(torch.float16).max


class DtypeRisk(Rule):
    """A half tensor meets a number that float16 cannot hold.

    ## What it does
    Finds, inside float16 autocast regions and the functions of the file they call, half tensors that are multiplied by,
    added to, or divided by a number that takes them out of float16's range (beyond 65504).

    ## Why is this bad
    A half tensor stays half when a Python number meets it. Values of order one times 101325 are infinite in float16,
    the loss becomes inf or nan, and no loss scale can help, because the overflow is in the forward pass: the scaler
    skips every step. bfloat16 has float32's range.

    ## Example
    ```python
    with torch.autocast("cuda", dtype=torch.float16):
        pressure = net(x) * 101325.0
    ```

    ## Use instead
    ```python
    bf16 = torch.cuda.is_bf16_supported(including_emulation=False)
    dtype = torch.bfloat16 if bf16 else torch.float16
    scaler = torch.amp.GradScaler("cuda", enabled=dtype == torch.float16)
    with torch.autocast("cuda", dtype=dtype):
        pressure = net(x) * 101325.0
    ```

    Where bfloat16's 8 bits are too few, compute this part in float32: `net(x).float() * 101325.0`.

    ## Fix safety
    Unsafe: bfloat16 keeps 8 bits of a value where float16 keeps 11. The check does not count emulation, so that older
    GPUs keep float16 and its scaler.

    ## References
    - https://pytorch.org/docs/stable/amp.html#autocast-op-reference
    """

    code, name, severity = "AMP308", "dtype-risk", Severity.WARNING
    fix = Applicability.UNSAFE
    needs = (IN_HALF,)
    scenarios = ("dtype-range",)

    VALID = (
        """\
import torch

def train(net, loader):
    for x, y in loader:
        with torch.autocast("cuda", dtype=torch.float16):
            loss = torch.nn.functional.mse_loss(net(x), y) * 1e6
""",
        """\
import torch

def train(net, loader):
    for x, y in loader:
        with torch.autocast("cuda", dtype=torch.float16):
            pressure = net(x).float() * 101325.0
""",
        """\
import torch

def train(net, loader):
    for x, y in loader:
        with torch.autocast("cuda", dtype=torch.bfloat16):
            pressure = net(x) * 101325.0
""",
    )
    INVALID = (
        Invalid(
            """\
import torch

PASCALS = 101325.0
layer = torch.nn.Linear(4, 1).cuda()

def train(loader):
    for x, y in loader:
        with torch.autocast("cuda", dtype=torch.float16):
            pressure = layer(x) * PASCALS
""",
            """\
import torch

PASCALS = 101325.0
layer = torch.nn.Linear(4, 1).cuda()

def train(loader):
    amp_dtype = torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float16
    for x, y in loader:
        with torch.autocast("cuda", dtype=amp_dtype):
            pressure = layer(x) * PASCALS
""",
            (9,),
        ),
    )

    def check(self, source: Source) -> Iterator[Finding]:
        for meeting in (meeting for value in source.tensor_operations for meeting in meetings(value)):
            region = meeting.value.context.region
            if region is not None and meeting.tensor.dtype is Dtype.FLOAT16 and _leaves_range(meeting):
                yield self.finding(
                    source,
                    source.span(meeting.value.node),
                    f"a float16 tensor {_VERBS[meeting.sign]} {meeting.number:g}: float16 holds nothing beyond "
                    "65504, so the result overflows to inf where no loss scale can help",
                    proven=meeting.tensor.sure,
                    symbol=source.segment(region),
                    repair=Repair(
                        "portable_dtype",
                        Applicability.UNSAFE,
                        "Use bfloat16 where the hardware has it, float16 with a scaler elsewhere",
                        source.span(region),
                    ),
                )


_VERBS = {"+": "is added to", "-": "is subtracted from or by", "*": "is multiplied by", "/": "is divided by"}


def _leaves_range(meeting: Meeting) -> bool:
    if meeting.sign == "/":
        return 0 < abs(meeting.number) < 1 / FLOAT16_MAX
    return abs(meeting.number) > FLOAT16_MAX
