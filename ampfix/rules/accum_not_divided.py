"""AMP115."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ampfix.findings import Applicability, Finding, Repair, Severity
from ampfix.program import Form, Source
from ampfix.program.tree import walk
from ampfix.protocol import Violation
from ampfix.rules import _places as places
from ampfix.rules import _windows as windows
from ampfix.rules._base import AMP_WORDS, TRAIN_WORDS, Invalid, Rule
from ampfix.rules._losses import derivation, loss_of, reduction

# Calls that only count, show or store the length of the window.
_HARMLESS = frozenset(
    {"print", "range", "int", "float", "str", "len", "max", "min", "ceil", "floor", "round", "info", "debug", "log"}
    | {"add_argument", "setattr", "format", "write", "update", "set_description", "set_postfix", "warning", "divmod"}
)


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
        of_backward = {window.backward.site.span: window for window in reversed(list(windows.windows(source)))}
        for window in reversed(of_backward.values()):
            call = windows.node_at(window.backward.site, source)
            loss = loss_of(call) if call is not None else None
            if call is None or loss is None or _divided(window.count, loss, source):
                continue
            if not window.backward.site.loops and _is_handed_in(loss, source):
                continue
            if windows.is_zeroed_each_turn(window, source) or _is_divided_elsewhere(call, source):
                continue
            kind = reduction(loss, source)
            yield self.finding(
                source,
                window.backward.site.span,
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


def _divided(count: str, loss: ast.expr, source: Source) -> bool:
    """Whether the loss or the gradients are divided by anything, or the count is calculated with or given away."""
    for value in derivation(loss, source):
        for node in walk(value):
            if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Div, ast.FloorDiv)):
                return True
            if isinstance(node, ast.Attribute) and node.attr in ("div", "div_", "divide", "true_divide"):
                return True
    if any(_divides_gradients(node) for node in walk(source.tree)):
        return True
    word = count.rpartition(".")[2]
    used = (node for node in walk(source.tree) if _calculates(node, word, source))
    return any(not places.are_alternatives(node, loss, source) for node in used)


def _calculates(node: ast.AST, word: str, source: Source) -> bool:
    if isinstance(node, ast.BinOp) and isinstance(node.op, (ast.Div, ast.Mult)):
        if isinstance(node.op, ast.Div) and _counts_steps(node.left):
            return False
        sides = [node.right] if isinstance(node.op, ast.Div) else [node.left, node.right]
        return any(_mentions(side, word) for side in sides)
    if isinstance(node, ast.AugAssign) and isinstance(node.op, (ast.Div, ast.Mult)):
        return _mentions(node.value, word)
    if not isinstance(node, ast.Call) or word.isdigit():
        return isinstance(node, ast.Call) and _is_division(node) and any(_mentions(a, word) for a in node.args)
    given = [*node.args, *(keyword.value for keyword in node.keywords)]
    if not any(places.spelled(value).rpartition(".")[2] == word for value in given):
        return False
    name = getattr(node.func, "attr", getattr(node.func, "id", ""))
    known = any(b.form in (Form.FUNCTION, Form.CLASS) for b in source.resolve(node.func))
    return name not in _HARMLESS and not known


def _counts_steps(node: ast.expr) -> bool:
    """Whether steps are counted, as for a schedule: `epochs * len(loader)`."""
    return any(isinstance(inner, ast.Call) and getattr(inner.func, "id", "") == "len" for inner in walk(node))


def _is_handed_in(loss: ast.expr, source: Source) -> bool:
    """Whether the loss is a parameter, or the attribute of an object, that callers may have divided."""
    function = places.function_of(loss, source)
    arguments = function.args if function is not None else None
    parameters = (
        {one.arg for one in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs)} if arguments else set()
    )
    values = derivation(loss, source)
    if all(isinstance(one, (ast.Name, ast.Attribute, ast.Subscript)) for one in values):
        return True
    return any(isinstance(one, ast.Name) and one.id in parameters for one in values)


def _divides_gradients(node: ast.AST) -> bool:
    """Whether gradients are multiplied or divided in place: what is accumulated may be normalised by all it counts."""
    if isinstance(node, ast.AugAssign) and isinstance(node.op, (ast.Div, ast.Mult)):
        return isinstance(node.target, ast.Attribute) and node.target.attr == "grad"
    if not isinstance(node, ast.Call) or not _is_division(node) or not isinstance(node.func, ast.Attribute):
        return False
    return isinstance(node.func.value, ast.Attribute) and node.func.value.attr == "grad"


def _is_divided_elsewhere(backward: ast.Call, source: Source) -> bool:
    """Whether a function of another file that is called for what it does divides the gradients."""
    function = places.function_of(backward, source)
    done = (one.value for one in walk(function or source.tree) if isinstance(one, ast.Expr))
    called = (to for call in done if isinstance(call, ast.Call) for to in source.called_elsewhere(call))
    return any(_divides_gradients(node) for to in called for node in walk(to.definition))


def _is_division(call: ast.Call) -> bool:
    return isinstance(call.func, ast.Attribute) and call.func.attr in ("div", "div_", "mul", "mul_", "true_divide")


def _mentions(node: ast.expr, word: str) -> bool:
    if word.isdigit():
        return isinstance(node, ast.Constant) and node.value == int(word)
    return any(word in (getattr(child, "id", ""), getattr(child, "attr", "")) for child in walk(node))
