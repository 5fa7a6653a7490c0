"""AMP305."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from ampfix.findings import Applicability, Finding, Repair, Severity
from ampfix.patterns import pattern
from ampfix.program import Form, HalfCast, Source
from ampfix.records import replace
from ampfix.rules._base import Invalid, Rule
from ampfix.rules._chosen_casts import CHOICE_SPELLINGS, calls_reached, chosen_casts
from ampfix.rules._halfmodels import is_module_class
from ampfix.rules._halfnames import half_names
from ampfix.rules._left_alone import stays_float32
from ampfix.rules._lifted import cast_names
from ampfix.rules._optimizers import trained
from ampfix.rules._shapes import function_of, inside, method, owner_of, path, regions_around
from ampfix.rules._spellings import CASTS, HALF_MADE, REGION_ON


class HalfInputCast(Rule):
    """The input of a float32 model is cast to half by hand.

    ## What it does
    Finds `half()`, `bfloat16()` or `to(dtype)` on what a model is called with: under autocast, which casts by itself
    where half is safe, and outside of it where the model is float32. Models that the file casts to half or hands to
    code that may, and casts under a test, are left alone; so is a dtype that a flag chooses, except in a step of a
    GradScaler, whose model is float32 whatever the flag says.

    ## Why is this bad
    Under autocast the cast throws away bits before the first layer: inputs beyond 65504 become infinite, token
    positions and time steps are rounded, and normalisation, which autocast runs in float32, gets rounded numbers.
    Outside autocast torch raises, since the operands of a matrix product must have one dtype.

    ## Example
    ```python
    with torch.autocast("cuda", dtype=torch.float16):
        out = model(x.half())
    ```

    ## Use instead
    ```python
    with torch.autocast("cuda", dtype=torch.float16):
        out = model(x)
    ```

    ## Fix safety
    Safe: autocast casts the operands of matrix products and convolutions itself.

    ## References
    - https://pytorch.org/docs/stable/amp.html#torch.autocast
    """

    code, name, severity = "AMP305", "half-input-cast", Severity.WARNING
    fix = Applicability.SAFE
    scenarios = ("inputs-cast-to-half",)
    mentions = tuple((REGION_ON, half) for half in HALF_MADE)
    mentions += tuple(("optim", ".backward(", half) for half in HALF_MADE)
    mentions += tuple((".scale(", "autocast", choice) for choice in CHOICE_SPELLINGS)
    needs = (CASTS,)

    VALID = (
        """\
import torch

def predict(model, loader):
    model.half().eval()
    for x in loader:
        with torch.no_grad(), torch.autocast("cuda"):
            yield model(x.half())
""",
        """\
import torch

def predict(model, loader, half):
    for x in loader:
        x = x.half() if half else x.float()
        with torch.autocast("cuda", enabled=half):
            yield model(x), criterion(x.half(), 1)
        if half:
            x = x.half()
        yield model(x)
""",
        """\
import torch

def train(loader, model):
    with torch.autocast("cuda", enabled=False):
        out = model(torch.zeros(3).half())
    with torch.autocast("cuda"):
        out = model(torch.zeros(3)).half()
        return out.half()
""",
    )
    INVALID = (
        Invalid(
            """\
import torch

def train(loader):
    model = torch.nn.Linear(8, 2).cuda()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for x, y in loader:
        x, z = x.cuda().half(), y.half()
        with torch.autocast("cuda", dtype=torch.bfloat16):
            loss = torch.nn.functional.mse_loss(model(x), model(y.to("cuda", torch.bfloat16)))
        loss.backward()
        optimizer.step()
""",
            """\
import torch

def train(loader):
    model = torch.nn.Linear(8, 2).cuda()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for x, y in loader:
        x, z = x.cuda(), y.half()
        with torch.autocast("cuda", dtype=torch.bfloat16):
            loss = torch.nn.functional.mse_loss(model(x), model(y.to("cuda")))
        loss.backward()
        optimizer.step()
""",
            (7, 9),
        ),
        Invalid(
            """\
import torch

@torch.autocast("cuda", dtype=torch.float16)
def forward(model, x):
    x = x.half()
    return model(x)
""",
            """\
import torch

@torch.autocast("cuda", dtype=torch.float16)
def forward(model, x):
    return model(x)
""",
            (5,),
        ),
        Invalid(
            """\
import torch

model = torch.nn.Linear(8, 2).cuda()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for x in torch.randn(4, 8, 8, device="cuda"):
    optimizer.zero_grad()
    model(x.half()).float().mean().backward()
    optimizer.step()
""",
            """\
import torch

model = torch.nn.Linear(8, 2).cuda()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for x in torch.randn(4, 8, 8, device="cuda"):
    optimizer.zero_grad()
    model(x).float().mean().backward()
    optimizer.step()
""",
            (7,),
        ),
    )

    def check(self, source: Source) -> Iterator[Finding]:
        yield from self._chosen(source)
        if not source.half_casts:
            return
        halved = {*cast_names(source), *half_names(source)}
        updated = {(one.name, one.owner) for one in trained(source)}
        fed = list(_fed(source))
        inputs = {cast.node for cast, _ in fed}
        for cast, call in fed:
            name = path(call.func)
            if name.partition("[")[0] in halved or _is_decided(cast, call, source):
                continue
            proven = (name, owner_of(call, name, source)) in updated or _is_module(call.func, source)
            regions = [region for region in regions_around(call, source) if region.enabled is not False]
            is_off = bool(regions_around(call, source)) and not _is_on(call, source)
            if is_off or not (regions or (proven and _is_training(call, source))):
                continue
            if not regions and not stays_float32(name, call, inputs, source):
                continue
            if proven or _NETWORK.search(name):
                yield self._finding(cast, name, source, is_region=bool(regions), proven=proven)

    def _chosen(self, source: Source) -> Iterator[Finding]:
        """One for each call of a network under autocast whose input was cast to a dtype that a flag chose."""
        seen = set[ast.Call]()
        for cast in chosen_casts(source):
            name, assign = _given(cast.node, source)
            for call in calls_reached(name, assign, source) if name and assign is not None else ():
                network = path(call.func)
                if call in seen or not _NETWORK.search(network) or not regions_around(call, source):
                    continue
                if _is_on(call, source) and not _is_decided(cast, call, source):
                    seen.add(call)
                    reason = f"what chooses the dtype may serve other tensors; hand {network} float32 inputs here"
                    found = self._finding(cast, network, source, is_region=True, proven=False)
                    yield replace(found, repair=None, no_fix_reason=reason)

    def _finding(self, cast: HalfCast, name: str, source: Source, *, is_region: bool, proven: bool) -> Finding:
        why = (
            "autocast casts where half is safe, and this cast rounds the input before layers that run in float32"
            if is_region
            else "the model is float32 and no autocast region is open, so torch raises"
        )
        return self.finding(
            source,
            source.span(cast.node),
            f"the input of {name} is cast to {cast.dtype}: {why}",
            proven=proven,
            symbol=name,
            repair=Repair("remove_cast", Applicability.SAFE, "Leave the cast to autocast", source.span(cast.node)),
        )


_NETWORK = pattern(r"(^|[._])(\w*model|\w*net|backbone|encoder|decoder|generator|discriminator|unet|vae)$", re.I)


def _is_on(call: ast.Call, source: Source) -> bool:
    """Whether the innermost region around is not switched off."""
    return regions_around(call, source)[0].enabled is not False


def _fed(source: Source) -> Iterator[tuple[HalfCast, ast.Call]]:
    """Casts whose result is an argument of a call, directly or by the name it is assigned to right before."""
    for cast in source.half_casts:
        parent = next(source.ancestors(cast.node), None)
        if isinstance(parent, ast.Call) and cast.node in parent.args and method(parent)[1] != "append":
            yield cast, parent
        else:
            name, assign = _given(cast.node, source)
            if name and assign is not None:
                yield from ((cast, call) for call in _callers(name, assign, source))


def _given(node: ast.AST, source: Source) -> tuple[str, ast.Assign | None]:
    """The name that a value is assigned to, alone or as one of several, and the assignment."""
    value: ast.AST = node
    for parent in source.ancestors(node):
        if isinstance(parent, ast.Assign) and len(parent.targets) == 1:
            target = parent.targets[0]
            if isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple) and len(target.elts) == len(value.elts):
                target = target.elts[value.elts.index(node)]  # type: ignore[arg-type]
            return (target.id, parent) if isinstance(target, ast.Name) else ("", None)
        if not isinstance(parent, ast.Tuple):
            break
        value = parent
    return "", None


def _callers(name: str, assign: ast.Assign, source: Source) -> Iterator[ast.Call]:
    """Calls with a name as an argument, behind its assignment and before the next one, in the same function."""
    function = function_of(assign, source)
    uses = sorted(
        (node for node in source.nodes((ast.Name,)) if isinstance(node, ast.Name) and node.id == name),
        key=lambda node: (node.lineno, node.col_offset),
    )
    for use in uses:
        if (use.lineno, use.col_offset) <= (assign.end_lineno or 0, assign.end_col_offset or 0):
            continue
        if function_of(use, source) is not function:
            continue
        if isinstance(use.ctx, ast.Store):
            return
        parent = next(source.ancestors(use), None)
        if isinstance(parent, ast.Call) and use in parent.args:
            yield parent


def _is_decided(cast: HalfCast, call: ast.Call, source: Source) -> bool:
    """Whether a test decides on the cast that does not decide on the call as well."""
    shared = set(inside(call, source))
    tests = (ast.If, ast.IfExp, ast.BoolOp)
    return any(isinstance(node, tests) and node not in shared for node in inside(cast.node, source))


def _is_module(function: ast.expr, source: Source) -> bool:
    for binding in source.resolve(function):
        if binding.form is Form.INSTANCE and binding.symbol.startswith("torch.nn."):
            return not binding.symbol.endswith("Loss") and "functional" not in binding.symbol
        if binding.form is Form.OBJECT:
            return is_module_class(binding.symbol, Form.CLASS, binding.node, source)
    return False


def _is_training(call: ast.Call, source: Source) -> bool:
    """Whether the loop or function around runs a backward pass itself, so that no caller opens a region for it."""
    function = function_of(call, source)
    return any(
        method(node)[1] == "backward" and function_of(node, source) is function for node in source.nodes((ast.Call,))
    )
