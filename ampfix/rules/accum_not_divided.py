"""AMP115."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ampfix.findings import Applicability, Finding, Repair, Severity
from ampfix.program import Site, Source
from ampfix.program.tree import walk
from ampfix.protocol import Violation
from ampfix.rules import _places as places
from ampfix.rules import _windows as windows
from ampfix.rules._base import AMP_WORDS, TRAIN_WORDS, Invalid, Rule
from ampfix.rules._divisions import is_divided, is_divided_elsewhere, is_handed_in
from ampfix.rules._losses import derivation, loss_of, reduction
from ampfix.rules._shapes import handed_in, own, path


class AccumNotDivided(Rule):
    """Micro-batch losses are accumulated without being divided by their number.

    ## What it does
    Finds loops that step once per k batches and never divide by k: not the loss, nor the gradients, nor the learning
    rate. A loss that is a mean for sure makes a warning, one of unknown kind a note; for a loss that is a sum, which
    many leave undivided on purpose, the division is only shown.

    ## Why is this bad
    The gradient is the sum of k means, k times too large. Under SGD the learning rate is k times what was asked for;
    adaptive optimizers hide it, while clipping thresholds and the loss scale do not.

    ## Example
    ```python
    scaler.scale(loss).backward()
    if (i + 1) % accum == 0:
        scaler.step(optimizer)
    ```

    ## Use instead
    ```python
    scaler.scale(loss / accum).backward()
    if (i + 1) % accum == 0:
        scaler.step(optimizer)
    ```

    ## Fix safety
    Unsafe: the gradients shrink by k, which a learning rate that was tuned without the division has to make up for.

    ## References
    - https://pytorch.org/docs/stable/notes/amp_examples.html#gradient-accumulation
    """

    code, name, severity = "AMP115", "accum-not-divided", Severity.WARNING
    fix = Applicability.UNSAFE
    violations = (Violation.WINDOW_UNDIVIDED,)
    scenarios = ("accumulation-not-divided",)
    mentions = AMP_WORDS
    needs = (TRAIN_WORDS,)

    VALID = (
        """\
import torch

def train(model, loader, optimizer, accum):
    scaler = torch.amp.GradScaler("cuda")
    for i, (x, y) in enumerate(loader):
        optimizer.zero_grad()
        scaler.scale(torch.nn.functional.cross_entropy(model(x), y)).backward()
        if (i + 1) % accum == 0:
            scaler.step(optimizer)
            scaler.update()
""",
        """\
import torch

def train(model, loader, optimizer, accum):
    scaler = torch.amp.GradScaler("cuda")
    for i, (x, y) in enumerate(loader):
        loss = torch.nn.functional.cross_entropy(model(x), y)
        loss = loss / accum
        scaler.scale(loss).backward()
        if (i + 1) % accum == 0:
            scaler.step(optimizer)
            scaler.update()
            optimizer.zero_grad()
""",
        """\
import torch

def train(model, loader, optimizer, accum):
    scaler = torch.amp.GradScaler("cuda")
    for i, (x, y) in enumerate(loader):
        scaler.scale(torch.nn.functional.cross_entropy(model(x), y)).backward()
        if (i + 1) % accum == 0:
            scaler.unscale_(optimizer)
            for p in model.parameters():
                p.grad.div_(accum)
            scaler.step(optimizer)
            scaler.update()
            optimizer.zero_grad()
""",
        """\
import torch

def divide(parameters, count):
    for p in parameters:
        p.grad.div_(count)

def train(model, loader, optimizer):
    scaler = torch.amp.GradScaler("cuda")
    seen = 0
    for i, (x, y) in enumerate(loader):
        scaler.scale(torch.nn.functional.cross_entropy(model(x), y, reduction="sum")).backward()
        seen += len(y)
        if (i + 1) % 4 == 0:
            divide(model.parameters(), seen)
            scaler.step(optimizer)
            scaler.update()
            optimizer.zero_grad()
            seen = 0
""",
        """\
import torch
from trainers import Trainer

class MyTrainer(Trainer):
    def backward(self, loss):
        self.scaler.scale(loss).backward()
        if (self.turn + 1) % self.accumulate == 0:
            self.scaler.step(self.optimizer)
            self.scaler.update()
            self.optimizer.zero_grad()
""",
    )
    INVALID = (
        Invalid(
            """\
import torch
from trainers import Trainer

class MyTrainer(Trainer):
    def setup(self, model, optimizer):
        self.model, self.optimizer = model, optimizer
        self.scaler = torch.amp.GradScaler("cuda")

    def train_step(self, x, y):
        with torch.autocast("cuda"):
            loss = self.criterion(self.model(x), y)
        self.scaler.scale(loss).backward()
        if (self.turn + 1) % self.accumulate == 0:
            self.scaler.step(self.optimizer)
            self.scaler.update()
            self.optimizer.zero_grad()
""",
            """\
import torch
from trainers import Trainer

class MyTrainer(Trainer):
    def setup(self, model, optimizer):
        self.model, self.optimizer = model, optimizer
        self.scaler = torch.amp.GradScaler("cuda")

    def train_step(self, x, y):
        with torch.autocast("cuda"):
            loss = self.criterion(self.model(x), y)
        self.scaler.scale(loss / self.accumulate).backward()
        if (self.turn + 1) % self.accumulate == 0:
            self.scaler.step(self.optimizer)
            self.scaler.update()
            self.optimizer.zero_grad()
""",
            (12,),
        ),
        Invalid(
            """\
import torch

def train(model, loader, optimizer, window):
    scaler = torch.amp.GradScaler("cuda")
    for x, y in loader:
        loss = torch.nn.functional.cross_entropy(model(x), y)
        scaler.scale(loss).backward()
        if window.seen + 1 >= window.length:
            scaler.step(optimizer)
            scaler.update()
            optimizer.zero_grad()
            window.seen = 0
        else:
            window.seen += 1
""",
            """\
import torch

def train(model, loader, optimizer, window):
    scaler = torch.amp.GradScaler("cuda")
    for x, y in loader:
        loss = torch.nn.functional.cross_entropy(model(x), y)
        scaler.scale(loss / window.length).backward()
        if window.seen + 1 >= window.length:
            scaler.step(optimizer)
            scaler.update()
            optimizer.zero_grad()
            window.seen = 0
        else:
            window.seen += 1
""",
            (7,),
        ),
        Invalid(
            """\
import torch

def train(model, loader, optimizer, accum):
    scaler = torch.amp.GradScaler("cuda")
    criterion = torch.nn.CrossEntropyLoss()
    for i, (x, y) in enumerate(loader):
        loss = criterion(model(x), y)
        scaler.scale(loss).backward()
        if (i + 1) % accum == 0:
            scaler.step(optimizer)
            scaler.update()
            optimizer.zero_grad()
""",
            """\
import torch

def train(model, loader, optimizer, accum):
    scaler = torch.amp.GradScaler("cuda")
    criterion = torch.nn.CrossEntropyLoss()
    for i, (x, y) in enumerate(loader):
        loss = criterion(model(x), y)
        scaler.scale(loss / accum).backward()
        if (i + 1) % accum == 0:
            scaler.step(optimizer)
            scaler.update()
            optimizer.zero_grad()
""",
            (8,),
        ),
    )

    def check(self, source: Source) -> Iterator[Finding]:
        every = [*windows.windows(source), *windows.inner_windows(source)]
        of_backward = {window.backward.site.span: window for window in reversed(every)}
        for window in reversed(of_backward.values()):
            call, loss = _run_backward(window.backward.site, source)
            if call is None or loss is None or is_divided(window.count, loss, source):
                continue
            if not places.loops_around(call, source) and (is_handed_in(loss, source) or _is_weighed(loss, source)):
                continue
            if windows.is_zeroed_each_turn(window, source) or windows.is_of_one_turn(window, source):
                continue
            if is_divided_elsewhere(call, source):
                continue
            kind = reduction(loss, source)
            yield self.finding(
                source,
                source.span(call),
                f"{window.count} losses are added up for each step and never divided by {window.count}: the gradient "
                "is that many times the mean's",
                proven=kind == "mean" and window.step.site.proven,
                symbol=window.backward.site.function,
                repair=self._repair(source, window.count, loss, call, kind),
            )

    def _repair(self, source: Source, count: str, loss: ast.expr, call: ast.Call, kind: str) -> Repair | str:
        root = count.partition(".")[0].partition("[")[0]
        if not count.isdigit() and not (root.isidentifier() and places.in_reach(root, call, source)):
            return f"{count} is not known where the loss runs backward"
        applicability = Applicability.DISPLAY if kind == "sum" else Applicability.UNSAFE
        return Repair("divide_loss", applicability, f"Divide the loss by {count}", source.span(loss), {"count": count})


def _run_backward(site: Site, source: Source) -> tuple[ast.Call | None, ast.expr | None]:
    """The call that runs a backward pass, or hands its loss to a helper that does, with the loss."""
    call = windows.node_at(site, source)
    if call is None:
        return None, None
    if site.origin is not None:
        return call, None if _divides_inside(call, source) else _loss_among(call)
    loss, caller = loss_of(call), windows.node_at(site.caller, source) if site.caller is not None else None
    function = places.function_of(call, source)
    if not isinstance(loss, ast.Name) or caller is None or function is None:
        return call, loss
    given = places.given_for(loss.id, function, caller)
    is_set_anew = any(
        loss.id in map(places.spelled, node.targets) for node in own(function) if isinstance(node, ast.Assign)
    )
    return (call, loss) if given is None or is_set_anew else (caller, given)


def _is_weighed(loss: ast.expr, source: Source) -> bool:
    """Whether a loss is multiplied by something, as a method is handed `1 / k`."""
    return any(isinstance(value, ast.BinOp) and isinstance(value.op, ast.Mult) for value in derivation(loss, source))


def _divides_inside(call: ast.Call, source: Source) -> bool:
    """Whether a helper of another file divides anything, as it may the loss."""
    return any(
        isinstance(getattr(node, "op", None), ast.Div) or getattr(node, "attr", "") in ("div", "div_")
        for to in source.called_elsewhere(call)
        for node in walk(to.definition)
    )


def _loss_among(call: ast.Call) -> ast.expr | None:
    """What a helper is handed under the name of a loss."""
    losses = [one for one in handed_in(call) if "loss" in path(one).rpartition(".")[2].lower()]
    return losses[0] if len(losses) == 1 else None
