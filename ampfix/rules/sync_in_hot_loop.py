"""AMP502."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ampfix.findings import Applicability, Finding, Repair, Severity
from ampfix.program import Role, Source
from ampfix.program.tree import walk
from ampfix.records import dataclass
from ampfix.rules._base import Invalid, Rule
from ampfix.rules._losses import trained_names, weighs_a_loss
from ampfix.rules._shapes import LOOPS, inside, is_on_gpu, method, own, path, statement_of
from ampfix.rules._waits import is_check, is_every_turn, is_of_the_cpu, is_timed, waits_anyway, waits_beside


class SyncInHotLoop(Rule):
    """Every training step waits for the GPU, only to report a number.

    ## What it does
    Finds reads of device values in every turn of a training loop that uses AMP: `item()`, `print` of a loss,
    `get_scale()` for a log. One note a loop. Reads under a test (every N steps), for a skip guard or a finite check
    are left alone, as are those right beside a test that waits for the device itself, and a single `item()` in a loop
    whose GradScaler waits in every step anyway.

    ## Why is this bad
    The CPU queues work ahead of the GPU. Reading a value empties the queue, and the GPU idles until new work is
    launched. The faster half makes the kernels, the larger the share of a step that is lost like this.

    ## Example
    ```python
    for x, y in loader:
        loss = step(x, y)
        total += loss.item()
    ```

    ## Use instead
    ```python
    for x, y in loader:
        loss = step(x, y)
        total += loss.detach().float()
    total = float(total)
    ```

    ## Fix safety
    Unsafe: the sum is kept in float32 instead of Python's float64. Only sums that nothing else in the loop reads are
    repaired.

    ## References
    - https://pytorch.org/tutorials/recipes/recipes/tuning_guide.html
    """

    code, name, severity = "AMP502", "sync-in-hot-loop", Severity.NOTE
    fix = Applicability.UNSAFE
    unproven = "its harm is time on a GPU, and emulated CUDA has no queue to empty"
    mentions = (("autocast", "backward"), ("GradScaler", "backward"))

    VALID = (
        """\
import time
import torch

def train(model, loader, scaler, optimizer):
    sync = torch.cuda.synchronize
    total = forward = 0.0
    for x, y in loader:
        start = time.perf_counter()
        with torch.autocast("cuda"):
            loss = model(x, y)
        sync()
        forward += time.perf_counter() - start
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        total += loss.item() * len(x)
        seen = loss.item()
    return total, forward
""",
        """\
import torch

def train(model, loader, optimizer):
    for x, y in loader:
        normal = int(torch.count_nonzero(y == 0).item())
        weight = normal / len(x)
        with torch.autocast("cuda", dtype=torch.bfloat16):
            loss = model(x, y) * weight
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
""",
        """\
import math
import torch

def train(model, loader, optimizer, scheduler):
    scaler = torch.amp.GradScaler("cuda")
    for step, (x, y) in enumerate(loader):
        with torch.autocast("cuda"):
            loss = model(x, y)
        value = loss.item()
        if not math.isfinite(value):
            raise FloatingPointError(value)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        before = scaler.get_scale()
        scaler.update()
        if scaler.get_scale() >= before:
            scheduler.step()
        if step % 100 == 0:
            print(loss.item(), scaler.get_scale())
""",
        """\
import torch

def train(model, loader, scaler, optimizer):
    total = 0.0
    for x, y in loader:
        with torch.autocast("cuda"):
            loss = model(x, y)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        total += loss.item()
    with torch.no_grad():
        for x, y in loader:
            print(model(x, y).item())
    return total
""",
    )
    INVALID = (
        Invalid(
            """\
import torch

def train(model, loader, optimizer):
    total = 0.0
    hits = 0
    for x, y in loader:
        optimizer.zero_grad()
        with torch.autocast("cuda", dtype=torch.bfloat16):
            out = model(x)
            loss = torch.nn.functional.cross_entropy(out, y)
        loss.backward()
        optimizer.step()
        total += loss.item() * len(x)
        hits += (out.argmax(1) == y).sum().item()
    return total, hits
""",
            """\
import torch

def train(model, loader, optimizer):
    total = 0.0
    hits = 0
    for x, y in loader:
        optimizer.zero_grad()
        with torch.autocast("cuda", dtype=torch.bfloat16):
            out = model(x)
            loss = torch.nn.functional.cross_entropy(out, y)
        loss.backward()
        optimizer.step()
        total += loss.detach().float() * len(x)
        hits += (out.argmax(1) == y).sum().detach().float()
    total = float(total)
    hits = float(hits)
    return total, hits
""",
            (13,),
        ),
        Invalid(
            """\
import torch

def train(model, loader, scaler, optimizer):
    for x, y in loader:
        with torch.autocast("cuda"):
            loss = model(x, y)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        print(loss, scaler.get_scale())
""",
            None,
            (10,),
        ),
    )

    def check(self, source: Source) -> Iterator[Finding]:
        if not is_on_gpu(source):
            return
        for loop in dict.fromkeys(_training_loops(source)):
            reads = sorted(_reads(loop, source), key=lambda read: (read.node.lineno, read.node.col_offset))
            if not reads or (waits_anyway(loop, source) and len(reads) == 1 and reads[0].is_item):
                continue
            if is_timed(loop, source):
                continue
            lines = sorted({read.node.lineno for read in reads})
            where = f" (lines {', '.join(map(str, lines))})" if len(lines) > 1 else ""
            yield self.finding(
                source,
                source.span(reads[0].node),
                f"every step waits for the GPU to report a value{where}; report every N steps, or sum on the device",
                symbol=source.segment(reads[0].node),
                repair=_repair(reads, source),
            )


@dataclass(frozen=True)
class _Read:
    """A device value that is read. is_item: by `item()`, which may be summed instead."""

    node: ast.Call
    is_item: bool


def _training_loops(source: Source) -> Iterator[ast.AST]:
    """The innermost loops around backward passes that use AMP: a region, or a scaled loss."""
    for call in source.nodes((ast.Call,)):
        if method(call)[1] != "backward":
            continue
        loop = next((around for around in inside(call, source) if isinstance(around, LOOPS)), None)
        if loop is None:
            continue
        opened = any(region.enabled is not False and loop in inside(region.node, source) for region in source.regions)
        if opened or method(method(call)[0])[1] == "scale":
            yield loop


def _reads(loop: ast.AST, source: Source) -> Iterator[_Read]:
    for node in own(loop):
        if not isinstance(node, ast.Call) or not is_every_turn(node, loop, source):
            continue
        receiver, name = method(node)
        prints = path(node.func) == "print" and any(_is_loss(argument, loop) for argument in node.args)
        scales = name == "get_scale" and source.held(receiver).role is Role.SCALER and _is_logged(node, source)
        is_item = name == "item" and not node.args and not is_of_the_cpu(receiver, loop, source)
        if (prints or ((scales or is_item) and not _decides(node, loop, source))) and not waits_beside(
            node, loop, source
        ):
            yield _Read(node, is_item)


_LOGS = frozenset(
    ["print", "log", "info", "debug", "add_scalar", "set_postfix", "append", "write", "update", "log_metrics"]
)


def _is_logged(node: ast.AST, source: Source) -> bool:
    """Whether the value goes into a message, a record or a logger, and into no computation."""
    for around in source.ancestors(node):
        if isinstance(around, (ast.stmt, ast.BinOp)):
            return False
        if isinstance(around, (ast.JoinedStr, ast.Dict)):
            return True
        if isinstance(around, ast.Call) and path(around.func).rpartition(".")[2] in _LOGS:
            return True
    return False


def _decides(node: ast.Call, loop: ast.AST, source: Source) -> bool:
    """Whether the value, or the name it is given, is compared, checked for being finite, or weighs the loss."""
    names: set[str] = set()
    for around in (node, *inside(node, source)):
        if isinstance(around, (ast.Compare, ast.If, ast.While)) or is_check(around):
            return True
        if isinstance(around, ast.Assign):
            names = {path(target) for target in around.targets} - {""}
            if weighs_a_loss(around, loop):
                return True
        if isinstance(around, ast.stmt):
            break
    if not names:
        return False
    names |= _judgements(names, loop)
    checks = (_check(other) for other in walk(loop))
    return any(path(child) in names for check in checks if check is not None for child in walk(check))


def _check(node: ast.AST) -> ast.AST | None:
    """What is asked about in a comparison, an assertion, a test of a branch, a check for being finite."""
    if isinstance(node, (ast.Compare, ast.Assert)) or is_check(node):
        return node
    return node.test if isinstance(node, (ast.If, ast.IfExp)) else None


def _judgements(names: set[str], loop: ast.AST) -> set[str]:
    """What a helper says of them: `healthy, why = check_loss(value)`."""
    return {
        path(target)
        for node in own(loop)
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call)
        if names & set(map(path, node.value.args))
        for one in node.targets
        for target in getattr(one, "elts", [one])
    } - {""}


def _is_loss(node: ast.expr, loop: ast.AST) -> bool:
    """A name whose backward runs in the loop, printed as it is or in an f-string."""
    names = {path(child) for child in walk(node)} - {""}
    if any(method(child)[1] for child in walk(node)):
        return False
    return bool(names & trained_names(loop))


def _repair(reads: list[_Read], source: Source) -> Repair | str:
    for read in reads:
        statement = statement_of(read.node, source)
        if not read.is_item or not isinstance(statement, ast.AugAssign) or not isinstance(statement.target, ast.Name):
            return f"line {read.node.lineno} reports every step; put it under a test such as `if step % 100 == 0:`"
    places = [source.span(read.node).start for read in reads]
    return Repair(
        "defer_item",
        Applicability.UNSAFE,
        "Sum on the device and read the sum behind the loop",
        source.span(reads[0].node),
        {"places": " ".join(f"{place.line}:{place.column}" for place in places)},
    )
