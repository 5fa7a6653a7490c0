"""AMP210."""

from __future__ import annotations

import ast
import builtins
import re
import sys
from collections.abc import Iterable, Iterator
from enum import IntEnum

from ampfix.findings import Applicability, Finding, Repair, Severity
from ampfix.patterns import pattern
from ampfix.program import Binding, Do, Form, Source
from ampfix.program.tree import walk
from ampfix.protocol import EventKind
from ampfix.rules import _places as places
from ampfix.rules import _windows as windows
from ampfix.rules._base import Invalid, Rule
from ampfix.rules._losses import derivation, loss_of

_KNOWN_LIBRARIES = ("torch.", "torchvision.", "math.", "numpy.")
# What may open a region or make a tensor half, but for names that are imported and not used.
_OPENING = (
    r"^(?!\s*(?:from\s+torch\S*\s+import\b|import\s)).*(?:autocast|\.half\b|float16|fp16|\bbf16|amp\.initialize)"
    r"|deepspeed|accelerat|lightning|fabric|composer"
)
_OPENS = pattern(_OPENING, re.MULTILINE)
_OPENS_SOMEWHERE = pattern(_OPENING.encode(), re.MULTILINE)
_MAX_DEPTH = 6  # modules inside modules inside one file
_HARMLESS_LIBRARIES = frozenset({"torch", "torchvision", "numpy", "tqdm", "pandas", "PIL", "matplotlib", "sklearn"})
# Methods of tensors and modules that compute in the dtype of what they are called on.
_METHODS = frozenset(
    {
        "to",
        "cuda",
        "cpu",
        "view",
        "reshape",
        "flatten",
        "mean",
        "sum",
        "size",
        "detach",
        "squeeze",
        "unsqueeze",
        "float",
    }
    | {
        "transpose",
        "permute",
        "contiguous",
        "chunk",
        "split",
        "repeat",
        "expand",
        "long",
        "add",
        "mul",
        "div",
        "matmul",
    }
    | {"clone", "type", "item", "items", "values", "append", "get", "parameters", "train", "eval", "relu", "sigmoid"}
)


class Sight(IntEnum):
    """How much is seen of what the forward runs: FOREIGN code could open a region, an OPEN value was looked up."""

    FOREIGN = 0
    OPEN = 1
    WHOLE = 2


class ScalerWithoutAutocast(Rule):
    """A GradScaler scales the loss of a loop whose forward never enters an autocast region.

    ## What it does
    Finds scaled losses in files without any autocast region and without half tensors, where all code that the forward
    runs is seen. Imported code and parameters, which may open a region themselves, keep this rule silent unless no file
    of a small project opens one, which makes it a note, as a model does that is looked up somewhere.

    ## Why is this bad
    The forward runs in float32: nothing is faster or smaller, while every step pays for scaling, a check of all
    gradients and a wait for the device, and may be skipped. Mixed precision was wanted and half of it is missing.

    ## Example
    ```python
    loss = criterion(model(x), y)
    scaler.scale(loss).backward()
    ```

    ## Use instead
    ```python
    with torch.autocast("cuda"):
        loss = criterion(model(x), y)
    scaler.scale(loss).backward()
    ```

    ## Fix safety
    Unsafe: the forward changes its precision. Where float32 is what you want, take the scaler out instead.

    ## References
    - https://pytorch.org/docs/stable/amp.html#autocasting
    """

    code, name, severity = "AMP210", "scaler-without-autocast", Severity.WARNING
    fix = Applicability.UNSAFE
    scenarios = ("scaler-without-autocast",)
    mentions = (("GradScaler", ".scale("),)

    VALID = (
        """\
import torch
from networks import build

def train(loader, optimizer, criterion):
    model, scaler = build(), torch.amp.GradScaler("cuda")
    for x, y in loader:
        loss = criterion(model(x), y)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
""",
        """\
import torch

class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = torch.nn.Linear(4, 1)

    @torch.autocast("cuda")
    def forward(self, x):
        return self.fc(x)

def train(loader, optimizer):
    net, scaler = Net().cuda(), torch.amp.GradScaler("cuda")
    for x, y in loader:
        loss = torch.nn.functional.mse_loss(net(x), y)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
""",
    )
    INVALID = (
        Invalid(
            """\
import torch

class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = torch.nn.Linear(4, 1)

    def forward(self, x):
        return self.fc(x)

def train(loader):
    net = Net().cuda()
    optimizer = torch.optim.SGD(net.parameters(), 0.1)
    criterion = torch.nn.MSELoss()
    scaler = torch.amp.GradScaler("cuda")
    for x, y in loader:
        optimizer.zero_grad()
        out = net(x.cuda())
        loss = criterion(out, y.cuda())
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
""",
            """\
import torch

class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.fc = torch.nn.Linear(4, 1)

    def forward(self, x):
        return self.fc(x)

def train(loader):
    net = Net().cuda()
    optimizer = torch.optim.SGD(net.parameters(), 0.1)
    criterion = torch.nn.MSELoss()
    scaler = torch.amp.GradScaler("cuda")
    for x, y in loader:
        optimizer.zero_grad()
        with torch.autocast("cuda"):
            out = net(x.cuda())
            loss = criterion(out, y.cuda())
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
""",
            (20,),
        ),
    )

    def check(self, source: Source) -> Iterator[Finding]:
        if "autocast(" in source.text or _OPENS.search(source.text):
            return
        seen: set[object] = set()
        for routine in source.routines:
            for do in routine.events:
                if do.event.kind is EventKind.BACKWARD and do.event.scaler and do.site.span not in seen:
                    seen.add(do.site.span)
                    yield from self._backward(do, source)

    def _backward(self, do: Do, source: Source) -> Iterator[Finding]:
        call = windows.node_at(do.site, source)
        loss = loss_of(call) if call is not None else None
        if call is None or loss is None:
            return
        values = derivation(loss, source)
        calls = [node for value in values for node in walk(value) if isinstance(node, ast.Call)]
        forwards = [node for node in calls if _is_forward(node, source)]
        sight = min((_sight(node, source, 0) for node in calls), default=Sight.FOREIGN)
        is_seen = forwards and (sight is Sight.WHOLE or (sight is Sight.OPEN and not _imports_modules(source)))
        if not is_seen and source.in_project(_OPENS_SOMEWHERE) is not False:
            return
        yield self.finding(
            source,
            do.site.span,
            f"{do.event.scaler} scales a loss whose forward never enters an autocast region: it runs in float32",
            proven=do.site.proven and sight is Sight.WHOLE,
            symbol=do.site.function,
            repair=_repair(call, forwards, values, source),
        )


def _is_forward(call: ast.Call, source: Source) -> bool:
    """Whether it runs a module, or something handed in that may be one."""
    found = source.resolve(call.func)
    if any(one.form is Form.OBJECT or (one.form is Form.INSTANCE and one.symbol.startswith("torch")) for one in found):
        return True
    is_value = all(one.form is Form.UNKNOWN for one in found)
    return is_value and _sight(call, source, 0) is Sight.OPEN


def _sight(call: ast.Call, source: Source, depth: int) -> Sight:
    """How much is seen of what a call runs."""
    if depth >= _MAX_DEPTH:
        return Sight.FOREIGN
    return min(_sight_of(one, call, source, depth) for one in source.resolve(call.func))


def _sight_of(binding: Binding, call: ast.Call, source: Source, depth: int) -> Sight:
    if binding.form in (Form.SYMBOL, Form.PARTIAL, Form.INSTANCE):
        if not binding.symbol.startswith(_KNOWN_LIBRARIES):
            return Sight.FOREIGN
        inside = walk(binding.node)[1:] if binding.form is Form.INSTANCE else ()
        return _least(inside, source, depth)
    if binding.form in (Form.CLASS, Form.NONE):
        return Sight.WHOLE
    if binding.form in (Form.FUNCTION, Form.OBJECT):
        body = _body(binding)
        if body is None or not _lies_in(body, source):
            return Sight.FOREIGN
        return _least(walk(body), source, depth)
    if isinstance(call.func, ast.Attribute) and call.func.attr in _METHODS:
        return Sight.WHOLE
    if isinstance(call.func, ast.Name) and hasattr(builtins, call.func.id):
        return Sight.WHOLE
    return Sight.FOREIGN if binding.form is Form.PARAMETER else Sight.OPEN


def _least(nodes: Iterable[ast.AST], source: Source, depth: int) -> Sight:
    calls = (node for node in nodes if isinstance(node, ast.Call))
    return min((_sight(call, source, depth + 1) for call in calls), default=Sight.WHOLE)


def _imports_modules(source: Source) -> bool:
    """Whether the file imports code that could bring a model with a region of its own."""
    for node in source.nodes((ast.Import, ast.ImportFrom)):
        if isinstance(node, ast.ImportFrom) and node.level:
            return True
        names = [node.module or ""] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]  # type: ignore[attr-defined]
        roots = {name.partition(".")[0] for name in names}
        if roots - sys.stdlib_module_names - _HARMLESS_LIBRARIES:
            return True
    return False


def _body(binding: Binding) -> ast.AST | None:
    if binding.form is Form.FUNCTION:
        return binding.node  # type: ignore[no-any-return]
    methods = (one for one in getattr(binding.node, "body", []) if isinstance(one, ast.FunctionDef))
    return next((method for method in methods if method.name in ("forward", "__call__")), None)


def _lies_in(node: ast.AST, source: Source) -> bool:
    return any(ancestor is source.tree for ancestor in source.ancestors(node))


def _repair(call: ast.Call, forwards: list[ast.Call], values: list[ast.expr], source: Source) -> Repair | str:
    if "torch" not in source.import_aliases:
        return "torch is not imported by its name; import it, and put the forward under torch.autocast"
    backward = places.statement_of(call, source)
    block = _block(backward, source)
    inside = [statement for value in values if (statement := _in_block(value, block, source)) is not None]
    start = [statement for one in forwards if (statement := _in_block(one, block, source)) is not None]
    if not forwards:
        return "the model is made in another file; run its forward and the loss under torch.autocast"
    if not start or backward in start:
        return "the forward stands in the backward statement; give the loss a name, and compute it under torch.autocast"
    first = min(start, key=lambda statement: statement.lineno)
    last = max((one for one in inside if one is not backward), key=lambda statement: statement.lineno)
    quote = "'" if source.text.count("'") > source.text.count('"') else '"'
    arguments = {"opening": f"torch.autocast({quote}cuda{quote})", "last": str(last.lineno)}
    message = "Run the forward and the loss under autocast"
    return Repair("extend_region", Applicability.UNSAFE, message, source.span(first), arguments)


def _block(statement: ast.stmt, source: Source) -> list[ast.stmt]:
    holder = next(source.ancestors(statement))
    blocks = (getattr(holder, name, []) for name in ("body", "orelse", "finalbody"))
    return next((block for block in blocks if isinstance(block, list) and statement in block), [])


def _in_block(node: ast.AST, block: list[ast.stmt], source: Source) -> ast.stmt | None:
    around = (node, *source.ancestors(node))
    return next((one for one in around if isinstance(one, ast.stmt) and one in block), None)
