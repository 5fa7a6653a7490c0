"""AMP603."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ampfix.findings import Applicability, Finding, Repair, Severity
from ampfix.program import Form, Source
from ampfix.rules._base import Invalid, Rule
from ampfix.rules._successors import SUCCESSORS

_INITIALIZE, _SCALE_LOSS = "apex.amp.initialize", "apex.amp.scale_loss"
_NATIVE = {"torch.GradScaler", "torch.amp.GradScaler"} | {n for n in SUCCESSORS if n.endswith("GradScaler")}


class ApexAmp(Rule):
    """Mixed precision comes from apex, which torch's own has replaced.

    ## What it does
    Finds `apex.amp.initialize` and `apex.amp.scale_loss`, or else the import of apex.amp, in files that have no native
    GradScaler beside them.

    ## Why is this bad
    apex.amp is no longer maintained. It patches torch's functions when `initialize` runs, knows none of the operations
    that came since, keeps its scaler out of reach of the checkpoint unless `amp.state_dict()` is saved, does not work
    with torch.compile, and has to be built from source for each CUDA.

    ## Example
    ```python
    model, optimizer = amp.initialize(model, optimizer, opt_level="O1")
    for x, y in loader:
        loss = criterion(model(x), y)
        with amp.scale_loss(loss, optimizer) as scaled_loss:
            scaled_loss.backward()
        torch.nn.utils.clip_grad_norm_(amp.master_params(optimizer), 1.0)
        optimizer.step()
    ```

    ## Use instead
    ```python
    scaler = torch.amp.GradScaler("cuda")
    for x, y in loader:
        with torch.autocast("cuda", dtype=torch.float16):
            loss = criterion(model(x), y)
        scaler.scale(loss).backward()
        scaler.unscale_(optimizer)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        scaler.step(optimizer)
        scaler.update()
    ```

    ## Fix safety
    Unsafe: O2 and O3 kept half weights, native AMP keeps float32 ones under autocast; apex also cast forwards outside
    this loop, such as an evaluation's; `loss_scale=` is dropped in favour of dynamic scaling. Loops that also run
    without apex, several models, and steps in other functions than the backward are left to the author, with the
    reason.

    ## References
    - https://github.com/NVIDIA/apex/issues/818
    - https://pytorch.org/docs/stable/notes/amp_examples.html
    """

    code, name, severity = "AMP603", "apex-amp", Severity.WARNING
    fix = Applicability.UNSAFE
    scenarios = ("apex-amp",)
    mentions = (("from apex", "amp"), ("apex.amp",))

    VALID = (
        """\
import torch

scaler = torch.amp.GradScaler("cuda")
scaler.scale(loss).backward()
""",
        """\
import torch
try:
    from apex import amp
except ImportError:
    amp = None

def backward(loss, optimizer, scaler=None):
    if amp is not None:
        with amp.scale_loss(loss, optimizer) as scaled_loss:
            scaled_loss.backward()
    else:
        torch.cuda.amp.GradScaler().scale(loss).backward()
""",
        """\
from mylib.apex import amp

model, optimizer = amp.initialize(model, optimizer)
""",
    )
    INVALID = (
        Invalid(
            """\
import torch
from apex import amp

def train(model, optimizer, criterion, loader):
    model, optimizer = amp.initialize(model, optimizer, opt_level="O1")
    for x, y in loader:
        optimizer.zero_grad()
        loss = criterion(model(x), y)
        with amp.scale_loss(loss, optimizer) as scaled_loss:
            scaled_loss.backward()
        torch.nn.utils.clip_grad_norm_(amp.master_params(optimizer), 1.0)
        optimizer.step()
""",
            """\
import torch

def train(model, optimizer, criterion, loader):
    scaler = torch.amp.GradScaler("cuda")
    for x, y in loader:
        optimizer.zero_grad()
        with torch.autocast("cuda", dtype=torch.float16):
            loss = criterion(model(x), y)
        scaler.scale(loss).backward()
        scaler.unscale_(optimizer)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        scaler.step(optimizer)
        scaler.update()
""",
            (5,),
        ),
        Invalid(
            """\
from apex import amp

def backward(loss, optimizer):
    with amp.scale_loss(loss, optimizer) as scaled_loss:
        scaled_loss.backward()
""",
            None,
            (4,),
        ),
        Invalid(
            """\
import torch
from apex import amp, optimizers

def norm(optimizer):
    return torch.stack([p.grad.norm() for p in amp.master_params(optimizer)]).norm()
""",
            None,
            (2,),
        ),
    )

    def check(self, source: Source) -> Iterator[Finding]:
        calls = {_INITIALIZE: list[ast.Call](), _SCALE_LOSS: list[ast.Call]()}
        for node in source.nodes((ast.Call,)):
            if isinstance(node, ast.Call) and _last(node) in ("initialize", "scale_loss", "GradScaler"):
                symbols = {b.symbol for b in source.resolve(node.func) if b.form is Form.SYMBOL}
                if symbols & _NATIVE:
                    return  # the file offers both
                for symbol in symbols & calls.keys():
                    calls[symbol].append(node)
        first = next(iter(calls[_INITIALIZE] or calls[_SCALE_LOSS]), None)
        message = "apex.amp is not maintained any more; torch.autocast and torch.amp.GradScaler do the same"
        if first is not None:
            yield self.finding(source, source.span(first), message, repair=_repaired(first, calls[_INITIALIZE], source))
            return
        imported = next((node for node in source.nodes((ast.ImportFrom, ast.Import)) if _brings_apex(node)), None)
        text = "" if imported is None else ast.unparse(source.tree)  # without comments
        if imported is not None and not any(word in text for word in ("torch.amp", "torch.cuda.amp", "autocast")):
            reason = "nothing here starts apex.amp; drop the import, or change the file that calls amp.initialize"
            yield self.finding(source, source.span(imported), message, repair=reason)


def _brings_apex(node: ast.AST) -> bool:
    """Whether a statement imports apex.amp or something of it."""
    if isinstance(node, ast.ImportFrom):
        whole = node.module == "apex" and any(alias.name == "amp" for alias in node.names)
        return not node.level and (whole or (node.module or "").partition(".amp")[:2] == ("apex", ".amp"))
    return isinstance(node, ast.Import) and any(f"{alias.name}.".startswith("apex.amp.") for alias in node.names)


def _last(call: ast.Call) -> str:
    return call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")


def _repaired(first: ast.Call, initialized: list[ast.Call], source: Source) -> Repair | str:
    if not initialized:
        return "amp.initialize runs in another file; change both together"
    if len(initialized) > 1:
        return "amp.initialize is called in several places"
    message = "Use torch.autocast and torch.amp.GradScaler"
    return Repair("replace_apex", Applicability.UNSAFE, message, source.span(first))
