"""AMP303."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from itertools import combinations

from ampfix.findings import Applicability, Finding, Repair, Severity
from ampfix.program import CoveredRegion, Source
from ampfix.program.tree import walk
from ampfix.rules._base import Invalid, Rule
from ampfix.rules._shapes import LOOPS, function_of, inside, is_without_grad, method


class MixedDtypes(Rule):
    """One step runs in float16 and in bfloat16.

    ## What it does
    Finds autocast regions in float16 and in bfloat16 that run in the same training step, one after the other or one
    inside the other. Regions on different branches, on different devices or without gradients are left alone.

    ## Why is this bad
    The step has float16's narrow range and bfloat16's coarse rounding at once: it needs the scaler of the one and gains
    nothing from the other. What passes from one region to the next is rounded twice, and one overflowing float16 part
    makes the scaler throw away the whole step.

    ## Example
    ```python
    with torch.autocast("cuda", dtype=torch.float16):
        features = backbone(x)
    with torch.autocast("cuda", dtype=torch.bfloat16):
        loss = criterion(head(features), y)
    ```

    ## Use instead
    ```python
    with torch.autocast("cuda", dtype=torch.float16):
        features = backbone(x)
    with torch.autocast("cuda", dtype=torch.float16):
        loss = criterion(head(features), y)
    ```

    ## Fix safety
    Unsafe: the region takes the dtype of the step's first one, which may not be the dtype you meant.

    ## References
    - https://pytorch.org/docs/stable/amp.html#torch.autocast
    """

    code, name, severity = "AMP303", "mixed-dtypes", Severity.WARNING
    fix = Applicability.UNSAFE
    scenarios = ("float16-under-bfloat16",)
    mentions = (("autocast", "bfloat16", "backward"),)

    VALID = (
        """\
import torch

def train(model, teacher, loader, optimizer, scaler, bf16):
    for x, y in loader:
        with torch.no_grad(), torch.autocast("cuda", dtype=torch.bfloat16):
            target = teacher(x)
        if bf16:
            with torch.autocast("cuda", dtype=torch.bfloat16):
                loss = model(x, target)
            loss.backward()
        else:
            with torch.autocast("cuda", dtype=torch.float16):
                loss = model(x, target)
            scaler.scale(loss).backward()
        with torch.autocast("cpu", dtype=torch.bfloat16):
            statistics(x)
""",
        """\
import torch

def train(model, loader, optimizer, scaler):
    for x, y in loader:
        with torch.autocast("cuda", dtype=torch.float16):
            loss = model(x, y)
        scaler.scale(loss).backward()
    for x, y in loader:
        with torch.autocast("cuda", dtype=torch.bfloat16):
            evaluate(model, x, y)
""",
    )
    INVALID = (
        Invalid(
            """\
import torch

def train(backbone, head, loader, optimizer):
    scaler = torch.amp.GradScaler("cuda")
    for x, y in loader:
        optimizer.zero_grad()
        with torch.autocast("cuda", dtype=torch.float16):
            features = backbone(x)
        with torch.autocast("cuda", torch.bfloat16):
            loss = head(features, y)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
""",
            """\
import torch

def train(backbone, head, loader, optimizer):
    scaler = torch.amp.GradScaler("cuda")
    for x, y in loader:
        optimizer.zero_grad()
        with torch.autocast("cuda", dtype=torch.float16):
            features = backbone(x)
        with torch.autocast("cuda", torch.float16):
            loss = head(features, y)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
""",
            (9,),
        ),
        Invalid(
            """\
import torch

def step(backbone, head, optimizer, scaler, x, y):
    with torch.autocast("cuda"):
        features = backbone(x)
        with torch.autocast("cuda", dtype=torch.bfloat16):
            loss = head(features, y)
    scaler.scale(loss).backward()
    scaler.step(optimizer)
    scaler.update()
""",
            """\
import torch

def step(backbone, head, optimizer, scaler, x, y):
    with torch.autocast("cuda"):
        features = backbone(x)
        with torch.autocast("cuda", dtype=torch.float16):
            loss = head(features, y)
    scaler.scale(loss).backward()
    scaler.step(optimizer)
    scaler.update()
""",
            (6,),
        ),
    )

    def check(self, source: Source) -> Iterator[Finding]:
        regions = [region for region in source.regions if _is_half(region, source)]
        regions.sort(key=lambda region: (region.opening.lineno, region.opening.col_offset))
        reported: set[int] = set()
        for first, second in combinations(regions, 2):
            if first.dtype == second.dtype or id(second.node) in reported or not _in_one_step(first, second, source):
                continue
            reported.add(id(second.node))
            yield self.finding(
                source,
                source.span(second.opening),
                f"this region runs in {second.dtype} and the one in line {first.opening.lineno} of the same step in "
                f"{first.dtype}: the step has the narrow range of the one and the coarse rounding of the other",
                symbol=source.segment(second.opening),
                repair=_repair(first, second, source),
            )


def _is_half(region: CoveredRegion, source: Source) -> bool:
    is_known = region.dtype in ("float16", "bfloat16") and region.device == "cuda" and region.enabled is not False
    if not is_known or not isinstance(region.node, (ast.With, ast.AsyncWith)):
        return False
    return not is_without_grad(region.node.body[0], source)


def _in_one_step(first: CoveredRegion, second: CoveredRegion, source: Source) -> bool:
    """Whether both regions run between two backward passes of one loop or function."""
    step = _step(first.node, source)
    if step is not _step(second.node, source):
        return False
    function = function_of(first.node, source)
    trains = any(method(call)[1] == "backward" and function_of(call, source) is function for call in walk(step))
    return trains and not _are_exclusive(first.node, second.node, source)


def _step(node: ast.AST, source: Source) -> ast.AST:
    """The innermost loop around a region, or its function."""
    return next((a for a in inside(node, source) if isinstance(a, LOOPS)), function_of(node, source))


def _are_exclusive(first: ast.AST, second: ast.AST, source: Source) -> bool:
    """Whether a test, a match or an exception runs one of them instead of the other."""
    around = {id(node): node for node in inside(first, source)}
    below: ast.AST = second
    for node in inside(second, source):
        if id(node) in around and isinstance(node, (ast.If, ast.Match, ast.Try)):
            branches = [getattr(node, part, []) for part in ("body", "orelse", "handlers", "cases")]
            arms = [{id(child) for child in walk(arm)} for branch in branches for arm in _arms(branch)]
            if not any(id(first) in arm and id(below) in arm for arm in arms):
                return True
        below = node
    return _leaves_between(first, second, source)


def _arms(branch: list[ast.AST]) -> list[ast.AST]:
    if branch and isinstance(branch[0], (ast.ExceptHandler, ast.match_case)):
        return branch
    return [ast.Module(branch, [])] if branch else []  # type: ignore[arg-type]


def _leaves_between(first: ast.AST, second: ast.AST, source: Source) -> bool:
    """`if bf16: with ...; return` in front of the other region."""
    for node in inside(first, source):
        if isinstance(node, ast.If) and node not in set(inside(second, source)):
            last = node.body[-1]
            if isinstance(last, (ast.Return, ast.Continue, ast.Break, ast.Raise)):
                return True
    return False


def _repair(first: CoveredRegion, second: CoveredRegion, source: Source) -> Repair | str:
    if second.call is None or second.call is not second.opening:
        return "the region is made elsewhere; choose one dtype where both are"
    dtype = next((k.value for k in second.call.keywords if k.arg == "dtype"), None)
    written = dtype if dtype is not None else (second.call.args[1] if len(second.call.args) > 1 else None)
    if not isinstance(written, ast.Attribute):
        return "the region's dtype is not written out here; choose one dtype where both are"
    return Repair(
        "set_region_dtype",
        Applicability.UNSAFE,
        f"Use {first.dtype} for the whole step",
        source.span(second.call),
        {"dtype": f"{source.segment(written.value)}.{first.dtype}"},
    )
