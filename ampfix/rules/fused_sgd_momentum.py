"""AMP124."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ampfix.findings import Applicability, Finding, Repair, Severity
from ampfix.program import Form, Role, Source
from ampfix.rules import _places as places
from ampfix.rules._base import Invalid, Rule

_SGD = frozenset({"torch.optim.SGD", "torch.optim.sgd.SGD"})
_MOMENTUM_AT = 2  # SGD(params, lr, momentum, ...)


class FusedSgdMomentum(Rule):
    """A GradScaler steps torch's fused SGD with momentum, which a skipped first step leaves with unwritten memory.

    ## What it does
    Finds `torch.optim.SGD(..., momentum=..., fused=True)` that a GradScaler steps. Where the momentum is not written as
    a number, or somebody chose the scaler's `init_scale`, which the first step may survive, the finding is a note.

    ## Why is this bad
    The fused SGD makes its momentum buffers with `torch.empty_like` and counts on the kernel to fill them in the first
    step. With a scaler the step is called even if gradients overflowed, and the kernel then returns at once: the
    buffers hold what happened to lie in that memory, and no later step is a first one. The first step that is applied
    adds it to the weights. At the default scale of 65536 a skipped first step is usual. So it is in torch 2.4 to 2.13;
    the fused Adam and AdamW begin with zeros and are fine.

    ## Example
    ```python
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, fused=True)
    ```

    ## Use instead
    ```python
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    ```

    ## Fix safety
    Safe: the other implementations compute the same, and the scaler does not call them on a step that it skips.

    ## References
    - https://pytorch.org/docs/stable/generated/torch.optim.SGD.html
    - https://github.com/LibreYOLO/libreyolo/pull/771
    """

    code, name, severity = "AMP124", "fused-sgd-momentum", Severity.WARNING
    fix = Applicability.SAFE
    scenarios = ("fused-momentum-unwritten",)
    mentions = (("fused", "SGD", ".step("),)

    VALID = (
        """\
import torch

def train(model, loader, scaler):
    plain = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, fused=False)
    still = torch.optim.SGD(model.parameters(), 0.1, 0.0, fused=True)
    adam = torch.optim.AdamW(model.parameters(), fused=True)
    for x, y in loader:
        scaler.scale(model(x, y)).backward()
        scaler.step(plain)
        scaler.step(still)
        scaler.step(adam)
        scaler.update()
""",
        """\
import torch

def train(model, loader):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, fused=True)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 10)
    for x, y in loader:
        with torch.autocast("cuda", dtype=torch.bfloat16):
            loss = model(x, y)
        loss.backward()
        optimizer.step()
        scheduler.step()
""",
        """\
import torch

def train(model, loader):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, fused=True)
    for parameter in model.parameters():
        optimizer.state[parameter]["momentum_buffer"] = torch.zeros_like(parameter)
    scaler = torch.amp.GradScaler("cuda")
    for x, y in loader:
        scaler.scale(model(x, y)).backward()
        scaler.step(optimizer)
        scaler.update()
""",
        """\
import torch

def train(model, loader):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, fused=True)
    scaler = torch.amp.GradScaler("cuda", enabled=False)
    for x, y in loader:
        scaler.scale(model(x, y)).backward()
        scaler.step(optimizer)
        scaler.update()
""",
    )
    INVALID = (
        Invalid(
            """\
import torch

def train(model, loader):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, fused=True)
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

def train(model, loader):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    scaler = torch.amp.GradScaler("cuda")
    for x, y in loader:
        optimizer.zero_grad()
        with torch.autocast("cuda"):
            loss = model(x, y)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
""",
            (4,),
        ),
        Invalid(
            """\
from torch.amp import GradScaler, autocast
from torch.optim import SGD

class Trainer:
    def __init__(self, model, args):
        self.model = model
        self.optimizer = SGD(model.parameters(), args.lr, args.momentum, fused=True, nesterov=True)
        self.scaler = GradScaler()

    def step(self, x, y):
        with autocast("cuda"):
            loss = self.model(x, y)
        self.scaler.scale(loss).backward()
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.optimizer.zero_grad()
""",
            """\
from torch.amp import GradScaler, autocast
from torch.optim import SGD

class Trainer:
    def __init__(self, model, args):
        self.model = model
        self.optimizer = SGD(model.parameters(), args.lr, args.momentum, nesterov=True)
        self.scaler = GradScaler()

    def step(self, x, y):
        with autocast("cuda"):
            loss = self.model(x, y)
        self.scaler.scale(loss).backward()
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.optimizer.zero_grad()
""",
            (7,),
        ),
    )

    def check(self, source: Source) -> Iterator[Finding]:
        if _never_overflows(source) or "momentum_buffer" in source.text:  # somebody writes it before the first step
            return
        chosen = any("init_scale" in (scaler.arguments or {}) for scaler in source.scalers)
        for built in _stepped_by_a_scaler(source):
            fused, momentum = _argument(built, "fused"), _argument(built, "momentum")
            if momentum is None or fused is None or not places.is_constant(fused, True):
                continue
            amount = source.number(momentum)
            if amount == 0:
                continue
            yield self.finding(
                source,
                source.span(fused),
                "if the scaler skips the first step, this fused SGD keeps memory that nothing has written as its "
                "momentum, and adds it to the weights in the next",
                proven=amount is not None and not chosen,
                symbol="torch.optim.SGD",
                repair=Repair(
                    "default_setting",
                    Applicability.SAFE,
                    "Leave fused at torch's default",
                    source.span(built),
                    {"value": source.segment(fused), "keyword": "fused"},
                ),
            )


def _never_overflows(source: Source) -> bool:
    """Whether the file trains in bfloat16 alone: its gradients have float32's range."""
    return bool(source.autocasts) and all(region.dtypes == {"bfloat16"} for region in source.autocasts)


def _stepped_by_a_scaler(source: Source) -> Iterator[ast.Call]:
    """The constructions of SGD in this file whose optimizer a scaler steps, each once."""
    found: dict[int, ast.Call] = {}
    for call in source.nodes((ast.Call,)):
        if not isinstance(call, ast.Call) or not isinstance(call.func, ast.Attribute):
            continue
        if call.func.attr != "step" or len(call.args) != 1 or not _is_scaler(call.func.value, source):
            continue
        for binding in source.resolve(call.args[0]):
            if binding.form is Form.INSTANCE and binding.symbol in _SGD and isinstance(binding.node, ast.Call):
                found[id(binding.node)] = binding.node
    yield from found.values()


def _is_scaler(node: ast.expr, source: Source) -> bool:
    """Whether it is surely a scaler, and not one that is switched off."""
    held = source.held(node)
    if held.role is not Role.SCALER or not held.proven:
        return False
    built = (binding.node for binding in source.resolve(node))
    return not all(isinstance(call, ast.Call) and places.is_switched_off(call) for call in built)


def _argument(call: ast.Call, name: str) -> ast.expr | None:
    given = next((keyword.value for keyword in call.keywords if keyword.arg == name), None)
    if given is None and name == "momentum" and len(call.args) > _MOMENTUM_AT:
        return call.args[_MOMENTUM_AT]
    return given
