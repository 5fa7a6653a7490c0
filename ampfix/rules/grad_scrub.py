"""AMP117."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ampfix.findings import Applicability, Finding, Repair, Severity
from ampfix.program import Do, Routine, Source
from ampfix.program.tree import walk
from ampfix.protocol import EventKind, Violation
from ampfix.rules import _places as places
from ampfix.rules._base import Invalid, Rule

_CHECKS = frozenset({"isnan", "isinf", "isfinite", "isneginf", "isposinf"})
_FILLS = frozenset({"masked_fill", "masked_fill_", "where", "nan_to_num", "nan_to_num_"})
_DECIDING = (EventKind.BACKWARD, EventKind.UNSCALE, EventKind.SCALER_STEP, EventKind.OPTIMIZER_STEP)


class GradScrub(Rule):
    """Infinities and NaN are wiped out of scaled gradients before the scaler looks for them.

    ## What it does
    Finds `nan_to_num`, masked fills and `where` on gradients between a scaled backward and the scaler's `unscale_` or
    `step`. Behind `unscale_`, which has looked by then, they are left alone.

    ## Why is this bad
    The scaler lowers its scale and skips the step when it finds an infinity. Wiped gradients look clean: the step is
    taken with zeros or huge values in them, and the scale never backs off, so every following step overflows as well.

    ## Example
    ```python
    scaler.scale(loss).backward()
    for p in model.parameters():
        p.grad = torch.nan_to_num(p.grad)
    scaler.step(optimizer)
    ```

    ## Use instead
    ```python
    scaler.scale(loss).backward()
    scaler.step(optimizer)
    ```

    ## Fix safety
    Unsafe: steps that overflow are now skipped where they were taken with altered gradients before.

    ## References
    - https://pytorch.org/docs/stable/amp.html#torch.amp.GradScaler.step
    """

    code, name, severity = "AMP117", "grad-scrub", Severity.ERROR
    fix = Applicability.UNSAFE
    violations = (Violation.SCRUB_WHILE_SCALED,)
    scenarios = ("gradients-scrubbed",)
    mentions = tuple((".scale(", "grad", word) for word in ("nan_to_num", "isnan", "isfinite", "isinf"))

    VALID = (
        """\
import torch

def train(model, loader, optimizer):
    scaler = torch.amp.GradScaler("cuda")
    for x, y in loader:
        optimizer.zero_grad()
        scaler.scale(torch.nan_to_num(model(x, y))).backward()
        scaler.unscale_(optimizer)
        for p in model.parameters():
            p.grad.nan_to_num_()
        scaler.step(optimizer)
        scaler.update()
""",
        """\
import torch

def train(model, loader, optimizer):
    scaler = torch.amp.GradScaler("cuda")
    for x, y in loader:
        optimizer.zero_grad()
        scaler.scale(model(x, y)).backward()
        bad = any(not torch.isfinite(p.grad).all() for p in model.parameters())
        scaler.step(optimizer)
        scaler.update()
""",
    )
    INVALID = (
        Invalid(
            """\
import torch

def train(model, loader, optimizer):
    scaler = torch.amp.GradScaler("cuda")
    for x, y in loader:
        optimizer.zero_grad()
        scaler.scale(model(x, y)).backward()
        for p in model.parameters():
            if p.grad is not None:
                p.grad = torch.nan_to_num(p.grad, nan=0.0)
        scaler.step(optimizer)
        scaler.update()
""",
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
            (10,),
        ),
        Invalid(
            """\
import torch

def clean(model):
    for p in model.parameters():
        p.grad[torch.isnan(p.grad)] = 0

def train(model, loader, optimizer):
    scaler = torch.amp.GradScaler("cuda")
    for x, y in loader:
        optimizer.zero_grad()
        scaler.scale(model(x, y)).backward()
        clean(model)
        scaler.step(optimizer)
        scaler.update()
""",
            None,
            (5,),
        ),
    )

    def check(self, source: Source) -> Iterator[Finding]:
        seen: set[ast.AST] = set()
        for node in source.nodes((ast.Call, ast.Assign)):
            if not _is_scrub(node):
                continue
            statement = places.statement_of(node, source)
            if statement in seen:
                continue
            seen.add(statement)
            found = _step_behind(node, source)
            if found is None:
                continue
            step, spot = found
            function = places.function_of(node, source)
            yield self.finding(
                source,
                source.span(statement),
                f"gradients are wiped of what {step.event.scaler} looks for: it never skips a step or backs off",
                proven=step.site.proven,
                symbol=getattr(function, "name", ""),
                repair=_repair(statement, source)
                if spot is node
                else f"{places.spelled(spot)} runs it; call that behind unscale_, or not at all",
            )


def _repair(statement: ast.stmt, source: Source) -> Repair:
    message = "Leave the gradients as they are: the scaler skips the steps that overflow"
    return Repair("drop_scrub", Applicability.UNSAFE, message, source.span(statement))


def _is_scrub(node: ast.AST) -> bool:
    if isinstance(node, ast.Assign):
        target = node.targets[0]
        return isinstance(target, ast.Subscript) and _is_gradient(target.value) and _asks(target.slice)
    assert isinstance(node, ast.Call)
    name = getattr(node.func, "attr", getattr(node.func, "id", ""))
    if name not in _FILLS:
        return False
    receiver = [node.func.value] if isinstance(node.func, ast.Attribute) else []
    if name.startswith("nan_to_num"):
        return any(_is_gradient(value) for value in (*receiver, *node.args[:1]))
    return any(_asks(argument) for argument in node.args) and any(_is_gradient(v) for v in (*receiver, *node.args[1:]))


def _is_gradient(node: ast.expr) -> bool:
    """`p.grad`, `p.grad.data`."""
    while isinstance(node, ast.Attribute):
        if node.attr == "grad":
            return True
        node = node.value
    return False


def _asks(mask: ast.expr) -> bool:
    """Whether a mask is of values that are not finite: `isnan(g)`, `g != g`."""
    for node in walk(mask):
        if isinstance(node, ast.Call) and getattr(node.func, "attr", getattr(node.func, "id", "")) in _CHECKS:
            return True
        if isinstance(node, ast.Compare) and isinstance(node.ops[0], ast.NotEq):
            return places.spelled(node.left) == places.spelled(node.comparators[0])
    return False


def _step_behind(node: ast.AST, source: Source) -> tuple[Do, ast.AST] | None:
    """The scaler's unscale_ or step that follows on a scaled backward, where this, or a call of its function, stands
    between the two; and which of them it is."""
    for spot in (node, *_calls_of_helper(node, source)):
        for routine in source.routines:
            found = _between(spot, routine, source)
            if found is not None:
                return found, spot
    return None


def _calls_of_helper(node: ast.AST, source: Source) -> Iterator[ast.Call]:
    function = places.function_of(node, source)
    if isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef)):
        yield from places.calls_of(function, source)


def _between(spot: ast.AST, routine: Routine, source: Source) -> Do | None:
    function = getattr(places.function_of(spot, source), "name", "<module>")
    place = source.span(spot).start
    before: list[Do] = []
    after: list[Do] = []
    for do in routine.events:
        frame = next((one for one in do.site.frames() if one.function.rpartition(".")[2] == function), None)
        if frame is not None and do.event.kind in _DECIDING:
            (before if frame.span.start < place else after).append(do)
    if not before or not after or before[-1].event.kind is not EventKind.BACKWARD:
        return None
    scaled = before[-1].event.scaler is not None or any(do.event.kind is EventKind.SCALE for do in routine.events)
    follows = after[0].event.kind in (EventKind.UNSCALE, EventKind.SCALER_STEP)
    return after[0] if scaled and follows else None
