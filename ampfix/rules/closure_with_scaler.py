"""AMP119."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ampfix.findings import Applicability, Finding, Severity
from ampfix.program import Form, Source
from ampfix.rules import _places as places
from ampfix.rules._base import Invalid, NodeRule

_ADVICE = "step this optimizer without a scaler, with the forward in bfloat16 or float32"


class ClosureWithScaler(NodeRule):
    """A GradScaler steps an optimizer that evaluates a closure, such as LBFGS.

    ## What it does
    Finds closures handed to `scaler.step`, and optimizers that need one, stepped by a scaler.

    ## Why is this bad
    The closure runs backward inside the step, where nobody unscales or checks its gradients. torch refuses the keyword
    `closure=`; a positional one slips through, and the optimizer then minimises with gradients that carry the scale.

    ## Example
    ```python
    scaler.step(optimizer, closure)
    ```

    ## Use instead
    ```python
    with torch.autocast("cuda", dtype=torch.bfloat16):  # inside the closure, around forward and loss
        ...
    optimizer.step(closure)
    ```

    ## Fix safety
    There is no edit that keeps float16 here: such an optimizer needs a forward that works without a scaler.

    ## References
    - https://pytorch.org/docs/stable/amp.html#torch.amp.GradScaler.step
    """

    code, name, severity = "AMP119", "closure-with-scaler", Severity.ERROR
    fix = Applicability.DISPLAY
    scenarios = ("lbfgs-with-scaler",)
    mentions = (("GradScaler", ".step("), (".scale(", ".step("))
    nodes = (ast.Call,)

    VALID = (
        """\
import torch

def train(model, loader, optimizer):
    scaler = torch.amp.GradScaler("cuda")
    for x, y in loader:
        optimizer.zero_grad()
        scaler.scale(model(x, y)).backward()
        scaler.step(optimizer)
        scaler.update()
""",
        """\
import torch

def fit(model, x, y):
    optimizer = torch.optim.LBFGS(model.parameters())

    def closure():
        optimizer.zero_grad()
        with torch.autocast("cuda", dtype=torch.bfloat16):
            loss = model(x, y)
        loss.backward()
        return loss

    optimizer.step(closure)
""",
        """\
import torch

class Scaling:
    def __init__(self):
        self.scaler = torch.amp.GradScaler("cuda")

    def step(self, optimizer, closure=None):
        loss = self.scaler.step(optimizer, closure)
        self.scaler.update()
        return loss
""",
    )
    INVALID = (
        Invalid(
            """\
import torch

def fit(model, x, y, optimizer):
    scaler = torch.amp.GradScaler("cuda")

    def closure():
        optimizer.zero_grad()
        with torch.autocast("cuda"):
            loss = model(x, y)
        scaler.scale(loss).backward()
        return loss

    scaler.step(optimizer, closure)
    scaler.update()
""",
            None,
            (13,),
        ),
        Invalid(
            """\
import torch

def train(model, loader):
    optimizer = torch.optim.LBFGS(model.parameters())
    scaler = torch.amp.GradScaler("cuda")
    for x, y in loader:
        optimizer.zero_grad()
        scaler.scale(model(x, y)).backward()
        scaler.step(optimizer)
        scaler.update()
""",
            None,
            (9,),
        ),
    )

    def visit(self, node: ast.AST, source: Source) -> Iterator[Finding]:
        assert isinstance(node, ast.Call)
        if not isinstance(node.func, ast.Attribute) or node.func.attr != "step" or not node.args:
            return
        message = _message(node, source)
        if message and _is_torch_scaler(node.func.value, source):
            function = places.function_of(node, source)
            yield self.finding(source, source.span(node), message, symbol=getattr(function, "name", ""), repair=_ADVICE)


def _is_torch_scaler(node: ast.expr, source: Source) -> bool:
    """Whether it is one of torch's; frameworks have scalers of their own that take closures."""
    found = source.resolve(node)
    return any(b.form is Form.INSTANCE and b.symbol.endswith(".GradScaler") for b in found)


def _message(call: ast.Call, source: Source) -> str:
    if any(keyword.arg == "closure" for keyword in call.keywords):
        return "a closure is handed to the scaler's step: torch raises where the scaler is enabled"
    if len(call.args) > 1 and _is_closure(call.args[1], source):
        return "a closure is handed to the scaler's step: the optimizer then sees gradients that still carry the scale"
    if len(call.args) == 1 and _needs_closure(call.args[0], source):
        return "LBFGS needs a closure, which a scaler cannot step through"
    return ""


def _is_closure(node: ast.expr, source: Source) -> bool:
    return any(binding.form is Form.FUNCTION for binding in source.resolve(node))


def _needs_closure(node: ast.expr, source: Source) -> bool:
    found = source.resolve(node)
    return bool(found) and all(b.form is Form.INSTANCE and b.symbol.endswith(".LBFGS") for b in found)
