"""AMP602."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ampfix.findings import Applicability, Finding, Severity
from ampfix.program import Form, Source
from ampfix.program.tree import walk
from ampfix.rules._arguments import REGION, REGION_PARAMETERS, Given, Kind, Laid, given, lay_out, orders_of
from ampfix.rules._base import Invalid, NodeRule
from ampfix.rules._region_arguments import loss_scaled_without_region, repaired, why_wrong
from ampfix.rules._spellings import REGION_MISUSED

_NAMES = frozenset({"autocast"})
_GUESSES = (Kind.GUESS, Kind.NAMED_DEVICE)


class AutocastMisuse(NodeRule):
    """autocast is called, or used without a call, in a way that raises.

    ## What it does
    Finds autocast regions whose arguments are in the wrong places: no device for `torch.autocast`, a flag or a dtype
    where the device belongs, a device where `torch.cuda.amp.autocast` takes its flag, a dtype given as a string, a
    `torch.device` object, and a bare `@autocast` or `with autocast:` without parentheses. Also a loss that is scaled
    though the only region around its forward is `autocast(False)`.

    ## Why is this bad
    `torch.autocast()` and `torch.autocast(False)` raise at once; `torch.cuda.amp.autocast(torch.float16)` and
    `dtype="float16"` raise when the region is entered; a function under a bare `@autocast` of torch.cuda.amp is
    replaced by the region and raises when it is called. Code in a rarely taken branch hides it for long. The two
    families take their positional arguments in different orders, so these come with half-done migrations. In
    `torch.cuda.amp.autocast(False)` the flag is silent: the loop trains in float32 and pays for a scaler.

    ## Example
    ```python
    with torch.autocast(use_amp == "fp16", dtype="float16"):
        loss = model(x)
    ```

    ## Use instead
    ```python
    with torch.autocast("cuda", enabled=use_amp == "fp16", dtype=torch.float16):
        loss = model(x)
    ```

    ## Fix safety
    Safe where the file shows what each argument is: the code as it stands can only raise. Where a name alone says that
    an argument is a flag or a device, the finding is a note and the repair unsafe. A missing device becomes "cuda". A
    region that was switched off is switched on; fp32 islands, whose inputs are cast by `float()`, are left alone.

    ## References
    - https://pytorch.org/docs/stable/amp.html#torch.autocast
    """

    code, name, severity = "AMP602", "autocast-misuse", Severity.ERROR
    nodes = (ast.Call, ast.With, ast.AsyncWith, ast.FunctionDef, ast.AsyncFunctionDef)
    fix = Applicability.SAFE
    scenarios = ("region-switched-off",)
    mentions = REGION_MISUSED

    VALID = (
        """\
import torch
from torch.cuda.amp import autocast

def step(model, x, device, use_amp, dtype):
    with torch.autocast(device_type=device, dtype=dtype, enabled=use_amp):
        model(x)
    with torch.amp.autocast(device.type, torch.bfloat16, False):
        model(x)
    with autocast(use_amp, torch.float16), autocast(enabled=use_amp):
        model(x)
    with torch.autocast(**settings):
        model(x)

@autocast()
def forward(x):
    return x
""",
        """\
try:
    from precision import autocast
except ImportError:
    from torch.cuda.amp import autocast

with autocast("cuda"):
    pass
""",
        """\
import torch

def train(model, loader, criterion, optimizer):
    scaler = torch.amp.GradScaler("cuda")
    for x, y in loader:
        out = model(x)  # opens its region itself
        with torch.autocast("cuda", enabled=False):
            loss = criterion(out.float(), y)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
""",
    )
    INVALID = (
        Invalid(
            """\
import torch
from torch.cuda.amp import autocast

def train(model, loader, optimizer):
    scaler = torch.cuda.amp.GradScaler()
    for x, y in loader:
        with autocast(False):
            loss = model(x, y)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
""",
            """\
import torch
from torch.cuda.amp import autocast

def train(model, loader, optimizer):
    scaler = torch.cuda.amp.GradScaler()
    for x, y in loader:
        with autocast():
            loss = model(x, y)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
""",
            (7,),
        ),
        Invalid(
            """\
import torch

with torch.autocast():
    pass
with torch.amp.autocast(False), torch.autocast(torch.bfloat16, enabled=True):
    pass
""",
            """\
import torch

with torch.autocast("cuda"):
    pass
with torch.amp.autocast("cuda", enabled=False), torch.autocast("cuda", dtype=torch.bfloat16, enabled=True):
    pass
""",
            (3, 5, 5),
        ),
        Invalid(
            """\
import torch
from torch.amp import autocast

device = torch.device("cuda")

@autocast
def forward(x):
    with autocast(device, dtype="bf16"):
        return x
""",
            """\
import torch
from torch.amp import autocast

device = torch.device("cuda")

@autocast("cuda")
def forward(x):
    with autocast(device.type, dtype=torch.bfloat16):
        return x
""",
            (6, 8),
        ),
        Invalid(
            """\
import torch
from torch.cuda.amp import autocast

with autocast("cuda", dtype=torch.float16):
    pass
with autocast(torch.float16):
    pass
with autocast:
    pass
""",
            """\
import torch
from torch.cuda.amp import autocast

with autocast(dtype=torch.float16):
    pass
with autocast(dtype=torch.float16):
    pass
with autocast():
    pass
""",
            (4, 6, 8),
        ),
    )

    def visit(self, node: ast.AST, source: Source) -> Iterator[Finding]:
        if isinstance(node, ast.Call):
            yield from self._call(node, source)
            return
        bare = [item.context_expr for item in getattr(node, "items", ())] + getattr(node, "decorator_list", [])
        for expression in bare:
            if not isinstance(expression, (ast.Name, ast.Attribute)):
                continue
            is_imported = isinstance(expression, ast.Name) and expression.id in source.import_aliases
            if source.may_be(expression, _NAMES) or not is_imported:
                yield from self._uncalled(expression, node, source)

    def _uncalled(self, expression: ast.expr, node: ast.AST, source: Source) -> Iterator[Finding]:
        order = orders_of(expression, REGION_PARAMETERS, source)
        if order is None:
            return
        place = "as a decorator" if hasattr(node, "decorator_list") else "in a with statement"
        arguments = [Laid(text='"cuda"')] if order == REGION else []
        span = source.span(expression)
        repair = lay_out(span, arguments, "Call autocast", Applicability.SAFE)
        message = f"autocast stands {place} without being called, which raises: the class itself opens no region"
        yield self.finding(source, span, message, repair=repair)

    def _call(self, call: ast.Call, source: Source) -> Iterator[Finding]:
        if not source.may_be(call.func, _NAMES):
            return
        order = orders_of(call.func, REGION_PARAMETERS, source)
        arguments = given(call, order, source) if order is not None else None
        if order is None or arguments is None:
            return
        wrong = [(argument, reason) for argument in arguments if (reason := why_wrong(argument, order))]
        reasons = [reason for _, reason in wrong]
        lacks_device = order == REGION and "device_type" not in {argument.parameter for argument in arguments}
        if lacks_device:
            reasons.insert(0, "torch.autocast needs a device")
        if not reasons:
            yield from self._switched_off(call, arguments, source)
            return
        proven = lacks_device or any(argument.kind not in _GUESSES for argument, _ in wrong)
        message = f"autocast raises here: {'; '.join(reasons)}"
        repair = repaired(call, arguments, order, proven, source)
        yield self.finding(source, source.span(call), message, proven=proven, repair=repair)

    def _switched_off(self, call: ast.Call, arguments: list[Given], source: Source) -> Iterator[Finding]:
        run = list(_calls_under(call, source))
        if not loss_scaled_without_region(call, arguments, source) or any(_casts_itself(one, source) for one in run):
            return
        kept = [
            Laid(a.place, a.parameter if a.place >= len(call.args) else "")
            for a in arguments
            if a.parameter != "enabled"
        ]
        span = source.span(call)
        repair = lay_out(span, kept, "Switch autocast on", Applicability.SAFE)
        message = "autocast(False) switches the only region of this loop off: it trains in float32, under a scaler"
        proven = bool(source.scalers) and not any(_is_imported(one, source) for one in run)
        yield self.finding(source, span, message, proven=proven, repair=repair)


def _calls_under(opening: ast.Call, source: Source) -> Iterator[ast.Call]:
    """The calls in the `with` statement that opens a region."""
    around = next((a for a in source.ancestors(opening) if isinstance(a, (ast.With, ast.AsyncWith))), None)
    for statement in around.body if around is not None else ():
        yield from (node for node in walk(statement) if isinstance(node, ast.Call))


def _casts_itself(call: ast.Call, source: Source) -> bool:
    """Whether a call runs code of another file that opens regions: a forward that casts its last layers, say."""
    for to in source.called_elsewhere(call):
        file = (to.definition, *source.ancestors(to.definition))[-1]
        if any("autocast" in (getattr(node, "id", ""), getattr(node, "attr", "")) for node in walk(file)):
            return True
    return False


def _is_imported(call: ast.Call, source: Source) -> bool:
    """Whether a call runs something of another library, or of a file that is not seen: it may open a region."""
    if any(True for _ in source.called_elsewhere(call)):
        return False
    return any(
        binding.form is Form.UNKNOWN or (binding.form is Form.INSTANCE and not binding.symbol.startswith("torch."))
        for binding in source.resolve(call.func)
    )
