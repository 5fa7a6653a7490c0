"""AMP410."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ampfix.findings import Applicability, Finding, Repair, Severity, Span
from ampfix.program import AutocastOpened, Do, Source
from ampfix.program.tree import walk
from ampfix.protocol import EventKind
from ampfix.rules._base import TRAIN_WORDS, Invalid, Rule
from ampfix.rules._swaps import swaps_between_forwards

_STEPS = (EventKind.OPTIMIZER_STEP, EventKind.SCALER_STEP)
_LOOPS = (ast.For, ast.AsyncFor, ast.While)
_NESTED = (ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda, ast.ClassDef)
_OPENERS = (ast.With, ast.AsyncWith, ast.FunctionDef, ast.AsyncFunctionDef)


class StaleAutocastCache(Rule):
    """Several optimizer steps run inside one autocast region, whose cache keeps the half copies of old weights.

    ## What it does
    Finds loops inside an autocast region in which an optimizer or a scaler steps, and weights that are swapped inside
    one between two forwards of their model.

    ## Why is this bad
    Autocast casts each weight to half once and keeps the copy until the outermost region ends. Inside one region the
    second forward still uses the weights of the first: the optimizer steps, and the loss does not move, since every
    gradient is that of the starting point. Nothing raises or warns. The same holds for weights that are swapped in, as
    an average of them is for evaluation.

    ## Example
    ```python
    with torch.autocast("cuda"):
        for x, y in loader:
            loss = criterion(model(x), y)
            loss.backward()
            optimizer.step()
    ```

    ## Use instead
    ```python
    for x, y in loader:
        with torch.autocast("cuda"):
            loss = criterion(model(x), y)
        loss.backward()
        optimizer.step()
    ```

    ## Fix safety
    Safe: the repair empties the cache behind each step, which is all that leaving the region would do to it.

    ## References
    - https://pytorch.org/docs/stable/amp.html#torch.autocast
    """

    code, name, severity = "AMP410", "stale-autocast-cache", Severity.ERROR
    fix = Applicability.SAFE
    needs = (TRAIN_WORDS,)
    scenarios = ("several-steps-in-one-region",)

    VALID = (
        """\
import torch

def train(model, loader, optimizer):
    for x, y in loader:
        with torch.autocast("cuda", dtype=torch.bfloat16):
            loss = sum(model(part).mean() for part in x)
        loss.backward()
        optimizer.step()

def uncached(model, loader, optimizer):
    with torch.autocast("cuda", dtype=torch.bfloat16, cache_enabled=False):
        for x, y in loader:
            model(x).mean().backward()
            optimizer.step()

def off(model, loader, optimizer):
    with torch.autocast("cuda", enabled=False):
        for x, y in loader:
            model(x).mean().backward()
            optimizer.step()
""",
    )
    INVALID = (
        Invalid(
            """\
import torch

def step(optimizer):
    optimizer.step()

@torch.autocast("cuda", dtype=torch.bfloat16)
def tune(model, loader):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for x, y in loader:
        loss = model(x).mean()
        loss.backward()
        step(optimizer)  # applied
        optimizer.zero_grad()
""",
            """\
import torch

def step(optimizer):
    optimizer.step()

@torch.autocast("cuda", dtype=torch.bfloat16)
def tune(model, loader):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for x, y in loader:
        loss = model(x).mean()
        loss.backward()
        step(optimizer)  # applied
        torch.clear_autocast_cache()
        optimizer.zero_grad()
""",
            (12,),
        ),
    )

    def check(self, source: Source) -> Iterator[Finding]:
        opened = {id(region.node): region for region in source.autocasts}
        for holder in source.nodes(_OPENERS):
            region = _region(holder, opened, source)
            if region is not None and isinstance(holder, (ast.With, ast.AsyncWith)):
                yield from self._swapped(holder, source)
            loops = {loop.lineno: loop for loop in _inner_loops(holder)} if region is not None else {}
            for do, span in _steps(source, loops):
                yield self.finding(
                    source,
                    span,
                    "the optimizer steps inside a loop in one autocast region: later forwards use the half copies of "
                    "the weights that autocast cached before the first step",
                    proven=do.site.proven,
                    symbol=do.site.function,
                    repair=Repair(
                        "clear_autocast_cache", Applicability.SAFE, "Empty autocast's cache behind the step", span
                    ),
                )

    def _swapped(self, holder: ast.With | ast.AsyncWith, source: Source) -> Iterator[Finding]:
        for swap in swaps_between_forwards(holder, source):
            yield self.finding(
                source,
                source.span(swap.call),
                "weights are swapped between two forwards of one autocast region: the second one uses the half copies "
                "of the old weights that autocast cached for the first",
                proven=swap.named,
                symbol=source.segment(swap.call),
                repair="end the region in front of the swap, and open another one behind it",
            )


def _region(holder: ast.AST, opened: dict[int, AutocastOpened], source: Source) -> AutocastOpened | None:
    """The region that a `with` or a decorator opens, if it is on and caches."""
    entered = [item.context_expr for item in getattr(holder, "items", ())] + getattr(holder, "decorator_list", [])
    for expression in entered:
        for binding in source.resolve(expression):
            region = opened.get(id(binding.node))
            if region is not None and not _is_false(region.enabled) and not _is_false(_cache(region.node)):
                return region
    return None


def _cache(call: ast.Call) -> ast.expr | None:
    return next((keyword.value for keyword in call.keywords if keyword.arg == "cache_enabled"), None)


def _is_false(node: ast.expr | None) -> bool:
    return isinstance(node, ast.Constant) and node.value is False


def _inner_loops(holder: ast.AST) -> Iterator[ast.For | ast.AsyncFor | ast.While]:
    """The loops that run inside a region and do not empty the cache themselves."""
    pending: list[ast.AST] = list(getattr(holder, "body", []))
    while pending:
        node = pending.pop()
        if isinstance(node, _NESTED):
            continue
        if isinstance(node, _LOOPS) and not _empties_cache(node):
            yield node
        pending.extend(ast.iter_child_nodes(node))


def _empties_cache(loop: ast.AST) -> bool:
    return any("clear_autocast_cache" in (getattr(n, "attr", ""), getattr(n, "id", "")) for n in walk(loop))


def _steps(source: Source, loops: dict[int, ast.For | ast.AsyncFor | ast.While]) -> Iterator[tuple[Do, Span]]:
    """The optimizer steps that these loops run, each with its place, or that of the call leading to it, in the loop."""
    seen: set[Span] = set()
    for routine in source.routines if loops else ():
        for do in routine.events:
            if do.event.kind not in _STEPS:
                continue
            for site in do.site.frames():
                inside = any(_covers(loop, site.span) for loop in loops.values())
                if inside and site.span not in seen:
                    seen.add(site.span)
                    yield do, site.span
                    break


def _covers(loop: ast.For | ast.AsyncFor | ast.While, span: Span) -> bool:
    return loop.lineno < span.start.line and span.end.line <= (loop.end_lineno or loop.lineno)
