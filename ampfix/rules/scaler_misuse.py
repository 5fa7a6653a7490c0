"""AMP605."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ampfix.findings import Applicability, Finding, Repair, Severity
from ampfix.program import Source
from ampfix.rules._arguments import SCALER, SCALER_PARAMETERS, Given, Kind, Laid, given, lay_out, orders_of
from ampfix.rules._base import Invalid, NodeRule

_OLD_ORDER = SCALER[1:]  # of torch.cuda.amp.GradScaler, which takes no device

_NAMES = frozenset({"GradScaler"})


class ScalerMisuse(NodeRule):
    """GradScaler's first argument is a number or a flag where a device belongs, or the other way round.

    ## What it does
    Finds `torch.amp.GradScaler(1024.0)`, `GradScaler(False)` and `torch.cuda.amp.GradScaler("cuda")`: positional
    arguments written for the other of the two classes, or a flag in the first place of either.

    ## Why is this bad
    Nothing raises where it is written. `torch.amp.GradScaler(1024.0)` takes 1024.0 for a device and starts at 65536;
    `torch.amp.GradScaler(False)` is enabled; `torch.cuda.amp.GradScaler(False)` multiplies every loss by 0 and divides
    the gradients by 0, which makes the weights NaN, and with True by 1, so that nothing is scaled.
    `torch.cuda.amp.GradScaler("cuda")` raises at the first `scale`.

    ## Example
    ```python
    from torch.amp import GradScaler

    scaler = GradScaler(use_fp16)
    ```

    ## Use instead
    ```python
    from torch.amp import GradScaler

    scaler = GradScaler("cuda", enabled=use_fp16)
    ```

    ## Fix safety
    Safe where the file shows what the argument is: it then means what it says, so the scale may start elsewhere than
    before. Where a name alone says that it is a flag, the finding is a note and the repair unsafe.

    ## References
    - https://pytorch.org/docs/stable/amp.html#gradient-scaling
    """

    code, name, severity = "AMP605", "scaler-misuse", Severity.ERROR
    nodes = (ast.Call,)
    fix = Applicability.SAFE
    scenarios = ("flag-as-loss-scale",)
    mentions = (("GradScaler",),)

    VALID = (
        """\
import torch

scaler = torch.amp.GradScaler()
scaler = torch.amp.GradScaler("cuda", 1024.0, enabled=False)
scaler = torch.amp.GradScaler(device, init_scale=1024.0)
scaler = torch.amp.GradScaler(device=torch.device("cuda"))
scaler = torch.cuda.amp.GradScaler(2.0**14, 2.0, 0.5, 2000, False)
scaler = torch.cuda.amp.GradScaler(enabled=use_amp)
""",
        """\
class GradScaler:
    def __init__(self, enabled):
        self.enabled = enabled

scaler = GradScaler(False)
""",
    )
    INVALID = (
        Invalid(
            """\
import torch
from torch.amp import GradScaler

scaler = GradScaler(2.0**14)
scaler = GradScaler(False, init_scale=8.0)
scaler = torch.GradScaler(1024.0, 2.0, 0.5, 2000, True)
""",
            """\
import torch
from torch.amp import GradScaler

scaler = GradScaler("cuda", init_scale=2.0**14)
scaler = GradScaler("cuda", enabled=False, init_scale=8.0)
scaler = torch.GradScaler(
    "cuda", init_scale=1024.0, growth_factor=2.0, backoff_factor=0.5, growth_interval=2000, enabled=True
)
""".replace("(\n    ", "(").replace("\n)", ")"),
            (4, 5, 6),
        ),
        Invalid(
            """\
from torch.cuda.amp import GradScaler

scaler = GradScaler("cuda", enabled=True)
scaler = GradScaler(not debug)
""",
            """\
from torch.cuda.amp import GradScaler

scaler = GradScaler(enabled=True)
scaler = GradScaler(enabled=not debug)
""",
            (3, 4),
        ),
    )

    def visit(self, node: ast.AST, source: Source) -> Iterator[Finding]:
        assert isinstance(node, ast.Call)
        if not node.args or not source.may_be(node.func, _NAMES):
            return
        order = orders_of(node.func, SCALER_PARAMETERS, source)
        arguments = given(node, order, source) if order is not None else None
        if order is None or not arguments:
            return
        first = arguments[0]
        effect = _EFFECTS.get((first.parameter, first.kind))
        if effect is None:
            return
        proven = first.kind is not Kind.GUESS
        message = f"GradScaler's {first.parameter} is {first.kind.value}: {effect}"
        repair = _repaired(node, arguments, proven, source)
        yield self.finding(source, source.span(node), message, proven=proven, repair=repair)


_ENABLED = "the scaler is enabled whatever it says"
_SCALE = "every loss is multiplied by it"
_EFFECTS = {
    ("device", Kind.NUMBER): "it is taken for a device, and the scale starts at 65536",
    ("device", Kind.FLAG): _ENABLED,
    ("device", Kind.GUESS): _ENABLED,
    ("init_scale", Kind.FLAG): _SCALE,
    ("init_scale", Kind.GUESS): _SCALE,
    ("init_scale", Kind.TEXT): "the first scale() raises",
}


def _repaired(call: ast.Call, arguments: list[Given], proven: bool, source: Source) -> Repair | str:
    first, positional = arguments[0], arguments[1 : len(call.args)]
    keywords = arguments[len(call.args) :]
    made = [Laid(text='"cuda"')] if first.parameter == "device" else []
    if first.kind is Kind.NUMBER:  # written in the order of the other class
        names = _OLD_ORDER[: len(call.args)]
        made += [Laid(argument.place, name) for argument, name in zip(arguments, names, strict=False)]
        if len(call.args) > len(_OLD_ORDER):
            return "there are more arguments than GradScaler takes"
    elif positional and first.kind is not Kind.TEXT:
        return "what the other positional arguments shall be is not known here"
    elif first.kind is Kind.TEXT:
        names = SCALER[1:]
        made += [Laid(argument.place, name) for argument, name in zip(positional, names, strict=False)]
    else:
        made.append(Laid(first.place, "enabled"))
    made += [Laid(argument.place, argument.parameter) for argument in keywords]
    chosen = [laid.keyword for laid in made if laid.keyword]
    if len(chosen) > len(set(chosen)):
        return "an argument would be given twice; keep one of them"
    how = Applicability.SAFE if proven else Applicability.UNSAFE
    return lay_out(source.span(call), made, "Give GradScaler its arguments by name", how)
