"""AMP505."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from ampfix.findings import Applicability, Finding, Severity
from ampfix.patterns import pattern
from ampfix.program import Source
from ampfix.rules._base import Invalid, Rule
from ampfix.rules._shapes import is_on_gpu
from ampfix.rules._spellings import REGION_ON


class UnverifiedSpeedup(Rule):
    """A speedup of AMP is measured against float32 without TF32.

    ## What it does
    Finds ratios of a float32 time and a mixed-precision time in files that use autocast and leave TF32 off, as it is by
    default for matrix products.

    ## Why is this bad
    On Ampere and later float32 products without TF32 do not touch the tensor cores. A figure like 2.8x then compares
    tensor cores with none: against TF32, which costs one line and no scaler, the same measurement gave 1.11x.

    ## Example
    ```python
    print("AMP speedup", fp32_time / amp_time)
    ```

    ## Use instead
    ```python
    torch.set_float32_matmul_precision("high")
    tf32_time = measure(amp=False)
    print("AMP speedup over float32", fp32_time / amp_time, "over TF32", tf32_time / amp_time)
    ```

    ## Fix safety
    Nothing is changed: report IEEE float32, TF32 and AMP side by side.

    ## References
    - https://pytorch.org/docs/stable/notes/cuda.html#tensorfloat-32-tf32-on-ampere-and-later-devices
    """

    code, name, severity = "AMP505", "unverified-speedup", Severity.NOTE
    fix = Applicability.DISPLAY
    mentions = (("autocast", "time"), ("autocast", "speedup"))
    needs = (
        (REGION_ON,),
        (r"re:/[^\n]{0,80}?(?i:mp|fp16|bf16|half|mixed|autocast)",),
    )
    unproven = "its harm is a wrong figure on a GPU with TF32, which emulated CUDA does not have"

    VALID = (
        """\
import torch

torch.backends.cuda.matmul.allow_tf32 = True

def compare(measure):
    with torch.autocast("cuda"):
        amp_time = measure()
    fp32_time = measure()
    return fp32_time / amp_time
""",
        """\
import torch

def report(total_time, amp_steps, fp16_loss, step_time):
    with torch.autocast("cuda"):
        pass
    return total_time / amp_steps, fp16_loss / step_time
""",
    )
    INVALID = (
        Invalid(
            """\
import torch

def compare(measure, model, x):
    fp32_time = measure(model, x)
    with torch.autocast("cuda"):
        amp_time = measure(model, x)
    print(f"speedup: {fp32_time / amp_time:.2f}x")
""",
            None,
            (7,),
        ),
    )

    def check(self, source: Source) -> Iterator[Finding]:
        if _TF32_ON.search(source.text):
            return
        for node in source.nodes((ast.BinOp,)):
            assert isinstance(node, ast.BinOp)
            if isinstance(node.op, ast.Div) and _is_speedup(node) and is_on_gpu(source):
                yield self.finding(
                    source,
                    source.span(node),
                    "this speedup compares AMP with float32 products that do not use the tensor cores: TF32 is off",
                    symbol=source.segment(node),
                    repair='measure a third arm under torch.set_float32_matmul_precision("high")',
                )
                return


_TF32_ON = pattern(
    r"allow_tf32\s*=\s*(?!False)|set_float32_matmul_precision\(\s*[\"'](high|medium)[\"']|fp32_precision\s*=\s*[\"']tf32"
)
_FULL = pattern(r"fp32|float32|full|baseline|no_?amp|without_amp|ieee", re.IGNORECASE)
_MIXED = pattern(r"amp|fp16|bf16|half|mixed|mp(_|$)|autocast", re.IGNORECASE)
_TIME = pattern(r"time|elapsed|latency|seconds|secs|(^|_)(ms|s|t)(_|$|\[)|duration", re.IGNORECASE)


def _is_speedup(node: ast.BinOp) -> bool:
    """`fp32_time / amp_time`, or a ratio of throughputs the other way round."""
    above, below = _name(node.left), _name(node.right)
    is_mixed = bool(_MIXED.search(below)) and not _FULL.search(below)
    return bool(_FULL.search(above) and _TIME.search(above) and is_mixed and _TIME.search(below))


def _name(node: ast.expr) -> str:
    if isinstance(node, (ast.Name, ast.Attribute, ast.Subscript)):
        return ast.unparse(node)
    return ""
