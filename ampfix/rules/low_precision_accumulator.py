"""AMP309."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ampfix.findings import Applicability, Finding, Repair, Severity
from ampfix.program import Source
from ampfix.program.tree import walk
from ampfix.rules._accumulators import Built, built_in_half, may_accumulate, tables_in_half
from ampfix.rules._base import Invalid, Rule
from ampfix.rules._shapes import function_of, loops, method, owner_of, path
from ampfix.rules._spellings import HALF_MADE, MAKES_HALF


class LowPrecisionAccumulator(Rule):
    """A running sum or average is kept in half.

    ## What it does
    Finds tensors built in float16 or bfloat16 that a loop, or a method, adds to; and averaged copies of a model (EMA)
    that are cast to half and updated in place.

    ## Why is this bad
    What is added is small beside what is there already, so it is rounded away: a float16 counter stops at 2048, a
    bfloat16 one at 256, and an average with decay 0.9995 moves by less than half a unit in the last place of its
    weights and stays where it began.

    ## Example
    ```python
    total = torch.zeros((), device="cuda", dtype=torch.float16)
    for x, y in loader:
        total += loss.detach()
    ```

    ## Use instead
    ```python
    total = torch.zeros((), device="cuda", dtype=torch.float32)
    for x, y in loader:
        total += loss.detach()
    ```

    ## Fix safety
    Safe: the accumulator alone becomes float32, and what is added to it is converted by torch.

    ## References
    - https://pytorch.org/docs/stable/notes/numerical_accuracy.html
    """

    code, name, severity = "AMP309", "low-precision-accumulator", Severity.WARNING
    fix = Applicability.SAFE
    scenarios = ("average-in-half", "reward-statistics-in-half")
    mentions = tuple(
        (word, half) for half in HALF_MADE for word in (".add_(", "lerp_", ".backward(", "autocast", " += ")
    )
    needs = (MAKES_HALF,)

    VALID = (
        """\
import torch

def evaluate(model, loader):
    total = torch.zeros((), device="cuda")
    cache = torch.empty(8, 8, dtype=torch.float16)
    half = torch.zeros(8, dtype=torch.float16)
    for i, x in enumerate(loader):
        total += model(x).mean()
        cache[i] = x
        half = model(half)
        shifted = torch.zeros(8, dtype=torch.float16)
        shifted += x
    return total, half + 1
""",
        """\
import copy
import torch

def save(ema, model):
    for average, weight in zip(ema.parameters(), model.parameters()):
        average.copy_(weight)
    ema = copy.deepcopy(ema).half()
    for average, weight in zip(ema.parameters(), model.parameters()):
        average.copy_(weight)
    small = copy.deepcopy(ema).half()
    torch.save(small.state_dict(), "ema.pt")
""",
    )
    INVALID = (
        Invalid(
            """\
import torch

total = torch.tensor(0, dtype=torch.float16)
for _ in range(1000):
    total += torch.tensor(0.01, dtype=torch.float16)
print(total)
""",
            """\
import torch

total = torch.tensor(0, dtype=torch.float32)
for _ in range(1000):
    total += torch.tensor(0.01, dtype=torch.float16)
print(total)
""",
            (3,),
        ),
        Invalid(
            """\
import torch

def evaluate(model, loader):
    total = torch.zeros((), device="cuda", dtype=torch.float16)
    seen = torch.tensor(0.0).to(torch.bfloat16)
    for x in loader:
        with torch.autocast("cuda"):
            total += model(x).mean()
        seen = seen + len(x)
    return total / seen
""",
            """\
import torch

def evaluate(model, loader):
    total = torch.zeros((), device="cuda", dtype=torch.float32)
    seen = torch.tensor(0.0)
    for x in loader:
        with torch.autocast("cuda"):
            total += model(x).mean()
        seen = seen + len(x)
    return total / seen
""",
            (4, 5),
        ),
        Invalid(
            """\
import torch

class Average(torch.nn.Module):
    def __init__(self, size):
        super().__init__()
        self.register_buffer("mean", torch.zeros(size, dtype=torch.half))

    def forward(self, x):
        self.mean.mul_(0.999).add_(x.mean(0), alpha=0.001)
        return x - self.mean
""",
            """\
import torch

class Average(torch.nn.Module):
    def __init__(self, size):
        super().__init__()
        self.register_buffer("mean", torch.zeros(size, dtype=torch.float32))

    def forward(self, x):
        self.mean.mul_(0.999).add_(x.mean(0), alpha=0.001)
        return x - self.mean
""",
            (6,),
        ),
        Invalid(
            """\
import copy
import torch

def train(model, loader, optimizer, decay=0.9995):
    ema = copy.deepcopy(model).half().eval()  # saves memory
    for x, y in loader:
        model(x, y).backward()
        optimizer.step()
        with torch.no_grad():
            for average, weight in zip(ema.parameters(), model.parameters()):
                average.mul_(decay).add_(weight, alpha=1 - decay)
    return ema
""",
            """\
import copy
import torch

def train(model, loader, optimizer, decay=0.9995):
    ema = copy.deepcopy(model).eval()  # saves memory
    for x, y in loader:
        model(x, y).backward()
        optimizer.step()
        with torch.no_grad():
            for average, weight in zip(ema.parameters(), model.parameters()):
                average.mul_(decay).add_(weight, alpha=1 - decay)
    return ema
""",
            (5,),
        ),
        Invalid(
            """\
import torch

def train(model, loader, optimizer, decay=0.99):
    shadow = {name: p.detach().half() for name, p in model.named_parameters()}
    copies = [p.detach().clone().bfloat16() for p in model.parameters()]
    for x, y in loader:
        model(x, y).backward()
        optimizer.step()
        for name, p in model.named_parameters():
            shadow[name].mul_(decay).add_(p.data, alpha=1 - decay)
        for copy, p in zip(copies, model.parameters()):
            copy.data.lerp_(p.data, 1 - decay)
""",
            """\
import torch

def train(model, loader, optimizer, decay=0.99):
    shadow = {name: p.detach().clone() for name, p in model.named_parameters()}
    copies = [p.detach().clone() for p in model.parameters()]
    for x, y in loader:
        model(x, y).backward()
        optimizer.step()
        for name, p in model.named_parameters():
            shadow[name].mul_(decay).add_(p.data, alpha=1 - decay)
        for copy, p in zip(copies, model.parameters()):
            copy.data.lerp_(p.data, 1 - decay)
""",
            (4, 5),
        ),
    )

    @classmethod
    def may_find_in(cls, code: str) -> bool:
        return may_accumulate(code)

    def check(self, source: Source) -> Iterator[Finding]:
        sums = {name for node in source.nodes(_ADDING) if (name := _added_to(node))}
        for built in (*built_in_half(source, sums), *tables_in_half(source)):
            is_average = built.is_copy and _is_averaged(built, source)
            if is_average or (not built.is_copy and _is_added_to(built, source)):
                yield self.finding(
                    source,
                    source.span(built.half),
                    f"{built.name} is kept in {built.dtype} and {'averaged' if is_average else 'added to'} again and "
                    "again: what is added is rounded away once the sum is large beside it",
                    symbol=built.name,
                    repair=Repair(
                        "widen_accumulator",
                        Applicability.SAFE,
                        f"Keep {built.name} in float32",
                        source.span(built.half),
                        {"copy": "the cast makes it"} if built.is_copy and not _is_copied(built.half) else {},
                    ),
                )


_ADDING = (ast.AugAssign, ast.Assign, ast.Call)


def _is_copied(half: ast.expr) -> bool:
    """Whether something other than the cast makes a copy."""
    return any("copy" in path(getattr(node, "func", None)) or method(node)[1] == "clone" for node in ast.walk(half))


def _is_added_to(built: Built, source: Source) -> bool:
    return any(_added_to(node) == built.name and _repeats(node, built, source) for node in source.nodes(_ADDING))


def _added_to(node: ast.AST) -> str:
    """The name that a statement or a call adds to."""
    if isinstance(node, ast.AugAssign):
        return path(node.target) if isinstance(node.op, (ast.Add, ast.Sub)) else ""
    if isinstance(node, ast.Assign):
        is_sum = isinstance(node.value, ast.BinOp) and isinstance(node.value.op, (ast.Add, ast.Sub))
        name = path(node.targets[0]) if is_sum else ""
        return name if name and any(path(side) == name for side in walk(node.value)) else ""
    receiver, method_name = method(node)
    if method_name not in ("add_", "sub_", "lerp_"):
        return ""
    while method(receiver)[1] in ("mul_", "add_", "data"):
        receiver = method(receiver)[0]
    return path(receiver)


def _repeats(node: ast.AST, built: Built, source: Source) -> bool:
    """Whether the sum goes on after it was built: in a loop that does not build it anew, or in another method."""
    if owner_of(node, built.name, source) is not built.owner:
        return False
    around = set(loops(built.at, source))
    if any(loop not in around for loop in loops(node, source)):
        return True
    return built.name.startswith("self.") and function_of(node, source) is not function_of(built.at, source)


def _is_averaged(built: Built, source: Source) -> bool:
    """Whether a loop over the copy's parameters changes them in place, or `update_parameters` does."""
    for node in source.nodes((ast.Call,)):
        receiver, name = method(node)
        if name == "update_parameters" and path(receiver) == built.name:
            return True
        if name not in _IN_PLACE or not isinstance(node, ast.Call) or not _follows(node, built, source):
            continue
        if name == "copy_" and path(receiver) not in {path(child) for a in node.args for child in walk(a)}:
            continue  # overwritten, not averaged
        while method(receiver)[1] in _IN_PLACE:
            receiver = method(receiver)[0]
        if isinstance(receiver, ast.Attribute) and receiver.attr == "data":
            receiver = receiver.value
        if isinstance(receiver, ast.Subscript) and path(receiver.value) == built.name:
            return owner_of(node, built.name, source) is built.owner
        if any(_walks(loop, path(receiver), built, source) for loop in loops(node, source)):
            return True
    return False


def _follows(node: ast.AST, built: Built, source: Source) -> bool:
    """Whether a node may run behind the making of the copy: in another function, later, or in a loop around both."""
    if function_of(node, source) is not function_of(built.at, source):
        return True
    is_later = getattr(node, "lineno", 0) > getattr(built.at, "lineno", 0)
    return is_later or bool(set(loops(node, source)) & set(loops(built.at, source)))


_IN_PLACE = ("mul_", "lerp_", "add_", "copy_")


def _walks(loop: ast.AST, element: str, built: Built, source: Source) -> bool:
    """Whether a loop over the copy gives the elements this name."""
    if not isinstance(loop, (ast.For, ast.AsyncFor)) or not element:
        return False
    if owner_of(loop, built.name, source) is not built.owner:
        return False
    if element not in {path(target) for target in ast.walk(loop.target)}:
        return False
    for node in ast.walk(loop.iter):
        receiver, called = method(node)
        if called in ("parameters", "named_parameters", "state_dict", "buffers", "values", "items"):
            found = path(receiver) == built.name
        else:
            found = path(node) == built.name and isinstance(getattr(built.at, "value", None), ast.ListComp)
        if found:
            return True
    return False
