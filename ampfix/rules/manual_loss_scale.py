"""AMP205."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ampfix.findings import Applicability, Finding, Repair, Severity
from ampfix.program import Form, Role, Source
from ampfix.program.tree import walk
from ampfix.rules import _places as places
from ampfix.rules._base import AMP_WORDS, Invalid, Rule
from ampfix.rules._handmade import Product, is_loss_scale, product_of


class ManualLossScale(Rule):
    """The loss of a float16 run is multiplied by a constant in place of a GradScaler.

    ## What it does
    Finds losses multiplied by a constant scale in front of backward, in code that runs in float16 and uses no scaler:
    those whose gradients are divided by it again, and powers of two that nobody divides by. A weight of a loss is left
    alone; a scale that the code adapts by itself makes a note at most.

    ## Why is this bad
    No constant fits a whole run: too high, and one overflow writes infinities into the weights, for nothing skips the
    step; too low, and small gradients vanish. Where the gradients are not divided, the learning rate is multiplied too.

    ## Example
    ```python
    (loss * 1024).backward()
    for p in model.parameters():
        p.grad.div_(1024)
    optimizer.step()
    ```

    ## Use instead
    ```python
    scaler.scale(loss).backward()
    scaler.unscale_(optimizer)
    scaler.step(optimizer)
    scaler.update()
    ```

    ## Fix safety
    Unsafe: the scale is now dynamic and steps with overflows are skipped; where nothing divided by the constant before,
    the learning rate has to be raised in turn.

    ## References
    - https://pytorch.org/docs/stable/amp.html#gradient-scaling
    """

    code, name, severity = "AMP205", "manual-loss-scale", Severity.WARNING
    fix = Applicability.UNSAFE
    scenarios = ("manual-loss-scale",)
    mentions = (*AMP_WORDS, (".half(", ".backward("))
    needs = ((".backward(",),)

    VALID = (
        """\
import torch

def train(model, loader, optimizer, loss_scale):
    scaler = torch.amp.GradScaler("cuda")
    for x, y in loader:
        optimizer.zero_grad()
        with torch.autocast("cuda", dtype=torch.float16):
            loss = model(x, y)
        scaler.scale(loss * loss_scale).backward()
        scaler.step(optimizer)
        scaler.update()
""",
        """\
import torch

def train(model, loader, optimizer, loss_scale=10.0):
    for x, y in loader:
        optimizer.zero_grad()
        with torch.autocast("cuda", dtype=torch.bfloat16):
            loss = model(x, y) * loss_scale
        loss.backward()
        optimizer.step()
""",
    )
    INVALID = (
        Invalid(
            """\
import torch

SCALE = 1024.0

def train(model, loader, optimizer):
    for x, y in loader:
        optimizer.zero_grad()
        with torch.autocast("cuda", dtype=torch.float16):
            loss = model(x, y)
        (loss * SCALE).backward()
        for p in model.parameters():
            if p.grad is not None:
                p.grad.div_(SCALE)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
""",
            """\
import torch

SCALE = 1024.0

def train(model, loader, optimizer):
    scaler = torch.amp.GradScaler("cuda")
    for x, y in loader:
        optimizer.zero_grad()
        with torch.autocast("cuda", dtype=torch.float16):
            loss = model(x, y)
        scaler.scale(loss).backward()
        scaler.unscale_(optimizer)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        scaler.step(optimizer)
        scaler.update()
""",
            (10,),
        ),
        Invalid(
            """\
import torch

def train(model, loader, optimizer):
    for x, y in loader:
        optimizer.zero_grad()
        with torch.autocast("cuda", dtype=torch.float16):
            loss = model(x, y)
        scaled_loss = loss * 2**14
        scaled_loss.backward()
        optimizer.step()
""",
            """\
import torch

def train(model, loader, optimizer):
    scaler = torch.amp.GradScaler("cuda")
    for x, y in loader:
        optimizer.zero_grad()
        with torch.autocast("cuda", dtype=torch.float16):
            loss = model(x, y)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
""",
            (9,),
        ),
    )

    def check(self, source: Source) -> Iterator[Finding]:
        if not _runs_in_float16(source):
            return
        for call in places.all_methods_called(source, "backward"):
            product = product_of(call, source)
            if product is None:
                continue
            adapted = _adapted(product, source)
            value = source.number(product.scale)
            if product.divided is None and (adapted or value is None or not is_loss_scale(value)):
                continue
            is_handed_in = any(b.form is Form.PARAMETER for b in source.resolve(product.scale))
            if value is None and is_handed_in and not _adapts_too_late(product, source):
                continue  # the caller may adapt it
            scale = places.spelled(product.scale)
            effect = (
                "no step with an overflow is skipped"
                if product.divided is not None
                else "nothing divides the gradients by it, so the learning rate is multiplied too"
            )
            yield self.finding(
                source,
                source.span(call),
                f"the loss is scaled by hand with {scale} in a float16 run: {effect}",
                proven=not adapted,
                symbol=getattr(product.function, "name", ""),
                repair=_repair(product, source, adapted=adapted),
            )


def _runs_in_float16(source: Source) -> bool:
    opened = [(one.dtypes, one.device) for one in source.autocasts] + [
        (one.dtypes, one.device) for one in source.regions
    ]
    regions = any("float16" in dtypes and device != "cpu" for dtypes, device in opened)
    return regions or any(cast.dtype == "float16" for cast in source.half_casts)


def _adapted(product: Product, source: Source) -> bool:
    """Whether code changes the scale as it goes."""
    if not isinstance(product.scale, (ast.Name, ast.Attribute)):
        return False
    last = places.spelled(product.scale).rpartition(".")[2]
    changes = (
        node
        for node in source.nodes((ast.AugAssign, ast.Assign))
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])  # type: ignore[attr-defined]
        if places.spelled(target).rpartition(".")[2] == last
    )
    return any(isinstance(node, ast.AugAssign) or _computes(node, last) for node in changes)


def _adapts_too_late(product: Product, source: Source) -> bool:
    """Whether the function itself changes the scale, and steps whatever the gradients hold."""
    name = places.spelled(product.scale)
    if not isinstance(product.scale, ast.Name) or name not in places.assigned_in(product.function):
        return False
    changes = (node for node in walk(product.function) if isinstance(node, ast.AugAssign))
    if not any(places.spelled(change.target) == name for change in changes):
        return False
    steps = _steps(product, source)
    return bool(steps) and not any(_may_be_skipped(step, source) for step in steps)


def _may_be_skipped(step: ast.Call, source: Source) -> bool:
    """Whether a test stands around a step, or may leave the loop's round in front of it."""
    loop = next(iter(places.loops_around(step, source)), None)
    if loop is None or places.tests_around(step, source, until=loop):
        return True
    leaves = (node for node in walk(loop) if isinstance(node, (ast.Continue, ast.Break, ast.Return, ast.Raise)))
    return any(leave.lineno < step.lineno for leave in leaves)


def _steps(product: Product, source: Source) -> list[ast.Call]:
    return [
        call
        for call in places.methods_called(product.function, "step")
        if isinstance(call.func, ast.Attribute) and source.held(call.func.value).role is Role.OPTIMIZER
    ]


def _computes(assign: ast.AST, last: str) -> bool:
    return isinstance(assign, ast.Assign) and any(n.rpartition(".")[2] == last for n in places.names_in(assign.value))


def _repair(product: Product, source: Source, *, adapted: bool) -> Repair | str:
    if adapted:
        return "the scale adapts by code of its own; GradScaler does that, and skips steps that overflow"
    optimizers = sorted({places.receiver(call) for call in _steps(product, source)})
    if len(optimizers) != 1:
        return "which optimizer steps on these gradients is not clear here"
    arguments = {
        "optimizer": optimizers[0],
        "loss": source.segment(product.loss),
        "scale": places.spelled(product.scale),
    }
    if product.divided is not None:
        loop = next((one for one in source.ancestors(product.divided) if isinstance(one, places.LOOPS)), None)
        arguments["unscale_line"] = str(getattr(loop, "lineno", 0))
    statement = places.statement_of(product.backward, source)
    message = "Let a GradScaler scale the loss and skip steps that overflow"
    return Repair("replace_manual_scale", Applicability.UNSAFE, message, source.span(statement), arguments)
