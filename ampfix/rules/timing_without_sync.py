"""AMP503."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ampfix.findings import Applicability, Finding, Repair, Severity
from ampfix.program import Source
from ampfix.program.tree import walk
from ampfix.rules._base import Invalid, Rule
from ampfix.rules._clocks import clock_reads, needs_no_wait, place, read
from ampfix.rules._shapes import (
    calls,
    function_of,
    is_on_gpu,
    looks_like_a_model,
    loops,
    method,
    own,
    path,
)
from ampfix.rules._spellings import REGION_ON


class TimingWithoutSync(Rule):
    """A clock is read while the GPU still works on what is timed.

    ## What it does
    Finds differences of `time.time()`, `perf_counter()` and the like around a forward under autocast or a backward,
    where nothing in between waits for the GPU. `item()`, `cpu()` and `synchronize()` wait; a scaler's `step` waits
    for the backward, so that a clock behind it gets a note. Clocks around a whole pass over a data loader are left
    alone: there the rest in the queue does not matter.

    ## Why is this bad
    CUDA calls return when the work is queued. The clock then measures the launches, which take the same time in
    float32 and in half, and the work itself is charged to whoever waits next. Speedups of AMP measured like this are
    noise.

    ## Example
    ```python
    start = time.perf_counter()
    with torch.autocast("cuda"):
        out = model(x)
    elapsed = time.perf_counter() - start
    ```

    ## Use instead
    ```python
    torch.cuda.synchronize()
    start = time.perf_counter()
    with torch.autocast("cuda"):
        out = model(x)
    torch.cuda.synchronize()
    elapsed = time.perf_counter() - start
    ```

    ## Fix safety
    Safe: nothing but the moment at which the clocks are read changes. Waiting costs overlap of CPU and GPU; take the
    clocks out where you no longer need the figures.

    ## References
    - https://pytorch.org/docs/stable/notes/cuda.html#asynchronous-execution
    """

    code, name, severity = "AMP503", "timing-without-sync", Severity.WARNING
    fix = Applicability.SAFE
    unproven = "its harm is a wrong figure on a GPU, and emulated CUDA has no queue to wait for"
    mentions = (("autocast",),)
    needs = (("time(", "perf_counter", "monotonic", "time_ns", "default_timer", "from time import"), (REGION_ON,))

    VALID = (
        """\
import time
import torch

def train(model, loader, optimizer, scaler):
    start = time.time()
    for x, y in loader:
        with torch.autocast("cuda", dtype=torch.bfloat16):
            loss = model(x, y)
        loss.backward()
        optimizer.step()
    print(time.time() - start)

def step(model, x, y, optimizer, scaler):
    start = time.time()
    with torch.autocast("cuda"):
        loss = model(x, y)
    scaler.scale(loss).backward()
    scaler.step(optimizer)
    scaler.update()
    return loss.item(), time.time() - start
""",
        """\
import time
import torch

def measure(model, x):
    start = time.perf_counter()
    batch = x.cuda()
    loading = time.perf_counter() - start
    start = time.perf_counter()
    with torch.autocast("cuda"):
        out = model(batch)
    total = out.sum().item()
    counting = time.perf_counter() - start
    with torch.autocast("cuda"):
        start = time.perf_counter()
        out = model(batch)
        torch.cuda.synchronize()
        end = time.perf_counter()
    return loading, counting, end - start
""",
    )
    INVALID = (
        Invalid(
            """\
import time
import torch

def measure(model, x, steps):
    start = time.perf_counter()
    for _ in range(steps):
        with torch.autocast("cuda"):
            out = model(x)
    return (time.perf_counter() - start) / steps
""",
            """\
import time
import torch

def measure(model, x, steps):
    torch.cuda.synchronize()
    start = time.perf_counter()
    for _ in range(steps):
        with torch.autocast("cuda"):
            out = model(x)
    torch.cuda.synchronize()
    return (time.perf_counter() - start) / steps
""",
            (9,),
        ),
        Invalid(
            """\
from time import time
import torch

device = "cuda" if torch.cuda.is_available() else "cpu"

def train(model, loader, optimizer):
    for x, y in loader:
        begin = time()
        with torch.autocast(device, dtype=torch.bfloat16):
            loss = model(x, y)
        loss.backward()
        optimizer.step()
        end = time()
        print(end - begin)
""",
            """\
from time import time
import torch

device = "cuda" if torch.cuda.is_available() else "cpu"

def train(model, loader, optimizer):
    for x, y in loader:
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        begin = time()
        with torch.autocast(device, dtype=torch.bfloat16):
            loss = model(x, y)
        loss.backward()
        optimizer.step()
        if torch.cuda.is_available():
            torch.cuda.synchronize()
        end = time()
        print(end - begin)
""",
            (13,),
        ),
        Invalid(
            """\
import time
import torch

class Trainer:
    def __init__(self, net, optimizer):
        self.net, self.optimizer, self.scaler = net, optimizer, torch.amp.GradScaler("cuda")

    def step(self, x, y):
        start = time.perf_counter()
        with torch.autocast("cuda"):
            loss = self.net(x, y)
        self.scaler.scale(loss).backward()
        self.scaler.unscale_(self.optimizer)
        torch.nn.utils.clip_grad_norm_(self.net.parameters(), 1.0)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        return time.perf_counter() - start
""",
            """\
import time
import torch

class Trainer:
    def __init__(self, net, optimizer):
        self.net, self.optimizer, self.scaler = net, optimizer, torch.amp.GradScaler("cuda")

    def step(self, x, y):
        torch.cuda.synchronize()
        start = time.perf_counter()
        with torch.autocast("cuda"):
            loss = self.net(x, y)
        self.scaler.scale(loss).backward()
        self.scaler.unscale_(self.optimizer)
        torch.nn.utils.clip_grad_norm_(self.net.parameters(), 1.0)
        self.scaler.step(self.optimizer)
        self.scaler.update()
        torch.cuda.synchronize()
        return time.perf_counter() - start
""",
            (17,),
        ),
    )

    def check(self, source: Source) -> Iterator[Finding]:
        if not any(True for _ in clock_reads(source)) or not is_on_gpu(source):
            return
        for node in source.nodes((ast.BinOp,)):
            assert isinstance(node, ast.BinOp)
            if not isinstance(node.op, ast.Sub):
                continue
            start, end = read(node.right, node, source), read(node.left, node, source)
            if start is None or end is None or needs_no_wait(start, end, path(node.right), source):
                continue
            if _queues_work(start, end, source):
                first = source.span(start).start
                scaled = _scaler_waits(start, end, source)
                yield self.finding(
                    source,
                    source.span(end),
                    "the clock is read while the GPU still works: " + (_REST if scaled else _ALL),
                    proven=not scaled,
                    symbol=source.segment(node),
                    repair=Repair(
                        "synchronize_timing",
                        Applicability.SAFE,
                        "Wait for the GPU before the clock is read",
                        source.span(end),
                        {"start": f"{first.line}:{first.column}"},
                    ),
                )


_ALL = "CUDA calls return when the work is queued, so this measures the launches"
_REST = "the scaler's step waited for the backward, and the optimizer's update is still queued"
_WAITS = frozenset(
    {
        "item", "cpu", "tolist", "numpy", "synchronize", "elapsed_time", "get_scale", "wait", "barrier", "all_reduce",
        "reduce", "record", "equal", "allclose", "nonzero",
    }
)  # fmt: skip
_HARMLESS = frozenset(
    {
        "step", "zero_grad", "update", "append", "backward", "range", "len", "enumerate", "zip", "min", "max",
        "clip_grad_norm_", "clip_grad_value_", "unscale_", "parameters", "time", "perf_counter",
    }
)  # fmt: skip


def _queues_work(start: ast.Call, end: ast.Call, source: Source) -> bool:
    """Whether between two clock reads the GPU gets work and nothing waits for it."""
    function = function_of(start, source)
    if function is not function_of(end, source):
        return False
    between = [
        node
        for node in own(function)
        if isinstance(node, ast.Call) and place(start) < place(node) < place(end) and node is not start
    ]
    work = [node for node in between if _is_work(node) and not _waits(node)]
    if not work:
        return False
    outside = {id(loop) for loop in loops(start, source)} | {id(loop) for loop in loops(end, source)}
    passes = [loop for node in work for loop in loops(node, source) if id(loop) not in outside]
    if any(not _counts(loop) for loop in passes):
        return False
    last = max(work, key=place)
    again = {id(loop) for loop in loops(last, source)} - outside
    for node in between:
        if _waits(node) and (place(node) > place(last) or again & {id(loop) for loop in loops(node, source)}):
            return False
    inside_last = set(walk(last))
    behind = (node for node in between if place(node) > place(last) and node not in inside_last)
    return all(_is_harmless(node) for node in behind)


def _scaler_waits(start: ast.Call, end: ast.Call, source: Source) -> bool:
    """Whether a scaler's step stands between: it reads from the device whether gradients overflowed."""
    return any(place(start) < place(call) < place(end) and call.args for call in _steps(start, source))


def _steps(node: ast.AST, source: Source) -> Iterator[ast.Call]:
    return calls(function_of(node, source), "step")


def _is_work(call: ast.Call) -> bool:
    """A backward, or a model's forward."""
    return method(call)[1] == "backward" or looks_like_a_model(path(call.func))


def _waits(call: ast.Call) -> bool:
    receiver, name = method(call)
    if name == "to":
        return any(isinstance(argument, ast.Constant) and argument.value == "cpu" for argument in call.args)
    is_number = isinstance(call.func, ast.Name) and call.func.id in ("float", "int", "bool", "print")
    return name in _WAITS or (is_number and bool(call.args)) or path(receiver).startswith("dist")


def _is_harmless(call: ast.Call) -> bool:
    return path(call.func).rpartition(".")[2] in _HARMLESS


def _counts(loop: ast.AST) -> bool:
    """Whether a loop repeats the same work a number of times, as benchmarks do."""
    iterated = getattr(loop, "iter", None)
    if isinstance(iterated, ast.Call):
        return path(iterated.func).rpartition(".")[2] in ("range", "trange")
    return isinstance(loop, ast.While)
