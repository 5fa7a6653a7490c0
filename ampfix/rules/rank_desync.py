"""AMP209."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ampfix.findings import Applicability, Finding, Severity
from ampfix.program import Do, Form, Source
from ampfix.program.tree import walk
from ampfix.protocol import EventKind
from ampfix.rules import _places as places
from ampfix.rules import _windows as windows
from ampfix.rules._base import Invalid, Rule
from ampfix.rules._finite_tests import judges, lost_in

_WRAPPERS = ("DistributedDataParallel", "FullyShardedDataParallel", "fully_shard", "init_process_group")
_ASKED = ("torch.distributed.is_initialized", "torch.distributed.get_world_size", "torch.distributed.get_rank")
_NAMES = frozenset((*_WRAPPERS, *(symbol.rpartition(".")[2] for symbol in _ASKED)))
_AGREEING = ("all_reduce", "all_gather", "reduce_", "allreduce", "broadcast", "ReduceOp", "gather(", "_reduce")
_ADVICE = (
    "let the ranks agree first: `bad = (~torch.isfinite(loss)).float()`, `dist.all_reduce(bad, dist.ReduceOp.MAX)`, "
    "and skip on all of them or on none; or leave it to the scaler, whose verdict DDP makes the same on every rank"
)


class RankDesync(Rule):
    """One rank of a distributed run skips a step on its own judgement.

    ## What it does
    Finds, in files that set up DistributedDataParallel, FSDP or a process group or ask torch.distributed for one, tests
    of the local loss for infinities or NaN that skip the backward pass, in loops where the ranks exchange nothing. A
    metric that is summed behind the loop tells no rank of another's verdict.

    ## Why is this bad
    Each rank sees another batch. When one of them skips backward, the others wait in the gradient exchange for it: the
    run hangs, or pairs gradients of different steps, and the weights and scales of the ranks drift apart.

    ## Example
    ```python
    if not torch.isfinite(loss):
        continue
    scaler.scale(loss).backward()
    ```

    ## Use instead
    ```python
    bad = (~torch.isfinite(loss)).float()
    torch.distributed.all_reduce(bad, torch.distributed.ReduceOp.MAX)
    if bad.item():
        continue
    scaler.scale(loss).backward()
    ```

    ## Fix safety
    None is made: how the ranks should agree depends on the process groups in use.

    ## References
    - https://pytorch.org/docs/stable/notes/ddp.html
    """

    code, name, severity = "AMP209", "rank-desync", Severity.WARNING
    fix = Applicability.DISPLAY
    scenarios = ("rank-skips-alone",)
    mentions = tuple((name, ".backward(", word) for name in sorted(_NAMES) for word in ("autocast", "GradScaler"))

    VALID = (
        """\
import torch
import torch.distributed as dist

def train(model, loader, optimizer, scaler):
    model = torch.nn.parallel.DistributedDataParallel(model)
    for x, y in loader:
        optimizer.zero_grad()
        with torch.autocast("cuda"):
            loss = model(x, y)
        bad = (~torch.isfinite(loss)).float()
        dist.all_reduce(bad, dist.ReduceOp.MAX)
        if bad.item():
            continue
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
""",
        """\
import math
import sys
import torch

def train(model, loader, optimizer, scaler):
    model = torch.nn.parallel.DistributedDataParallel(model)
    for x, y in loader:
        optimizer.zero_grad()
        with torch.autocast("cuda"):
            loss = model(x, y)
        if not math.isfinite(loss.item()):
            sys.exit(1)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
""",
        """\
import torch
import torch.distributed as dist

def train(model, loader, optimizer, scaler):
    model = torch.nn.parallel.DistributedDataParallel(model)
    for x, y in loader:
        optimizer.zero_grad()
        with torch.autocast("cuda"):
            loss = model(x, y)
        if torch.isnan(loss):
            dist.destroy_process_group()
            return
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
""",
        """\
import torch

def is_close(value, other):
    return bool(value < other)

def train(model, loader, optimizer, scaler):
    model = torch.nn.parallel.DistributedDataParallel(model)
    for x, y in loader:
        optimizer.zero_grad()
        with torch.autocast("cuda"):
            loss = model(x, y)
        if is_close(loss, 1.0):
            continue
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
""",
    )
    INVALID = (
        Invalid(
            """\
import torch
import torch.distributed as dist

def train(model, loader, optimizer, scaler, epochs):
    model = torch.nn.parallel.DistributedDataParallel(model)
    for epoch in range(epochs):
        total = torch.zeros(1, device="cuda")
        for x, y in loader:
            optimizer.zero_grad()
            with torch.autocast("cuda"):
                loss = model(x, y)
            if not torch.isfinite(loss):
                continue
            scaler.scale(loss).backward()
            scaler.step(optimizer)
            scaler.update()
            total += loss.detach()
        dist.all_reduce(total)
""",
            None,
            (12,),
        ),
        Invalid(
            """\
import torch

def train(model, loader, optimizer, scaler):
    model = torch.nn.parallel.DistributedDataParallel(model)
    for x, y in loader:
        optimizer.zero_grad()
        with torch.autocast("cuda"):
            loss = model(x, y)
        if not torch.isfinite(loss):
            continue
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
""",
            None,
            (9,),
        ),
        Invalid(
            """\
import torch
import torch.distributed as dist

def train(model, loader, optimizer, scaler):
    for x, y in loader:
        optimizer.zero_grad()
        with torch.autocast("cuda"):
            loss = model(x, y)
        if not torch.isfinite(loss):
            if not dist.is_initialized() or dist.get_rank() == 0:
                print("skipped")
            continue
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
""",
            None,
            (9,),
        ),
        Invalid(
            """\
import torch
from torch.nn.parallel import DistributedDataParallel as DDP

def train(model, loader, optimizer, scaler):
    model = DDP(model)
    for x, y in loader:
        optimizer.zero_grad()
        with torch.autocast("cuda"):
            loss = model(x, y)
        if torch.isfinite(loss).all():
            scaler.scale(loss).backward()
            scaler.step(optimizer)
            scaler.update()
""",
            None,
            (10,),
        ),
        Invalid(
            """\
import torch
from torch.nn.parallel import DistributedDataParallel as DDP

def train(model, loader, optimizer, scaler, task):
    model = DDP(model)
    for x, y in loader:
        optimizer.zero_grad()
        with torch.autocast("cuda"):
            if task == "sum":
                loss = model(x, y).sum()
            else:
                loss = model(x, y).mean()
                if not torch.isfinite(loss):
                    continue
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
""",
            None,
            (13,),
        ),
        Invalid(
            """\
import torch
from torch.nn.parallel import DistributedDataParallel as DDP

def is_bad(value, label="loss"):
    return bool(torch.isnan(value) or torch.isinf(value))

def train(model, loader, optimizer, scaler):
    model = DDP(model)
    for x, y in loader:
        optimizer.zero_grad()
        with torch.autocast("cuda"):
            loss = model(x, y)
        if is_bad(loss):
            continue
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
""",
            None,
            (13,),
        ),
    )

    def check(self, source: Source) -> Iterator[Finding]:
        if not _is_distributed(source):
            return
        seen: set[ast.AST] = set()
        for routine in source.routines:
            for do in routine.events:
                if do.event.kind is EventKind.BACKWARD:
                    yield from self._skips(do, source, seen)

    def _skips(self, do: Do, source: Source, seen: set[ast.AST]) -> Iterator[Finding]:
        call = windows.node_at(do.site, source)
        if call is None:
            return
        loss = lost_in(call, source)
        for test in _skipping(call, source):
            if test not in seen and judges(test.test, loss, source) and not _ranks_agree(call, test.test, source):
                seen.add(test)
                yield self.finding(
                    source,
                    source.span(test.test),
                    "each rank decides by its own loss whether to run backward, and the others wait for its gradients",
                    proven=do.site.proven,
                    symbol=do.site.function,
                    repair=_ADVICE,
                )


def _is_distributed(source: Source) -> bool:
    return any(
        binding.form is Form.SYMBOL and (binding.symbol in _ASKED or binding.symbol.rpartition(".")[2] in _WRAPPERS)
        for node in source.nodes((ast.Call,))
        if isinstance(node, ast.Call) and source.may_be(node.func, _NAMES)
        for binding in source.resolve(node.func)
    )


def _ranks_agree(call: ast.Call, test: ast.expr, source: Source) -> bool:
    """Whether the ranks exchange anything in the loop around the backward, or in the function that does one turn,
    before a test is asked; what they average behind it, for the log or once an epoch, is no verdict."""
    turn = next(iter(places.loops_around(call, source)), places.function_of(call, source) or source.tree)
    before = [node for node in walk(turn) if getattr(node, "lineno", test.lineno) <= (test.end_lineno or 0)]
    names = {getattr(node, "attr", getattr(node, "id", "")) for node in before}
    if any(word.rstrip("(") in name for name in names for word in _AGREEING):
        return True
    functions = source.nodes((ast.FunctionDef, ast.AsyncFunctionDef))
    exchanging = {
        getattr(one, "name", "") for one in functions if any(word in source.segment(one) for word in _AGREEING)
    }
    return bool(names & exchanging)


def _skipping(call: ast.Call, source: Source) -> Iterator[ast.If]:
    """The `if` statements that keep a call from running: around it, or in front of it with a `continue`."""
    inner: ast.AST = places.statement_of(call, source)
    function = places.function_of(inner, source)
    for ancestor in (*places.within_function(inner, source), *([function] if function is not None else ())):
        if isinstance(ancestor, ast.If):
            yield ancestor
        for block in (getattr(ancestor, "body", []), getattr(ancestor, "orelse", [])):
            for statement in block[: block.index(inner)] if inner in block else ():
                yield from _leaving(statement)
        if isinstance(ancestor, places.LOOPS):
            return
        inner = ancestor


def _leaving(statement: ast.stmt) -> Iterator[ast.If]:
    """The tests in a statement, on any branch, that go on with the next batch."""
    if isinstance(statement, ast.If):
        if isinstance(statement.body[-1], (ast.Continue, ast.Return)):
            if not any("destroy_process_group" in ast.unparse(one) for one in statement.body):  # else the run ends
                yield statement
            return
        for inner in (*statement.body, *statement.orelse):
            yield from _leaving(inner)
    elif isinstance(statement, (ast.With, ast.AsyncWith)):
        for inner in statement.body:
            yield from _leaving(inner)
