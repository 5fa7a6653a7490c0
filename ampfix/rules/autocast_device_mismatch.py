"""AMP307."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ampfix.findings import Applicability, Finding, Repair, Severity
from ampfix.program import CoveredRegion, Source
from ampfix.rules._base import Invalid, Rule
from ampfix.rules._halfmodels import assigned
from ampfix.rules._shapes import method, own, owner_of, path
from ampfix.rules._spellings import REGION_ON


class AutocastDeviceMismatch(Rule):
    """An autocast region is opened for another device than its tensors are on.

    ## What it does
    Finds regions for "cpu" whose model the file moves to a GPU, and regions for "cuda" whose model it keeps on the CPU.
    Devices that are chosen at run time are left alone.

    ## Why is this bad
    A region changes the ops of its own device alone. `autocast("cpu")` around a CUDA model leaves every op in float32:
    the loop is correct, and gains neither speed nor memory. No warning says so.

    ## Example
    ```python
    model = Net().cuda()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        out = model(x)
    ```

    ## Use instead
    ```python
    model = Net().cuda()
    with torch.autocast("cuda", dtype=torch.bfloat16):
        out = model(x)
    ```

    ## Fix safety
    Unsafe: the region starts to work, so the loop now runs in half. Its dtype stays what it was for the other device.

    ## References
    - https://pytorch.org/docs/stable/amp.html#torch.autocast
    """

    code, name, severity = "AMP307", "autocast-device-mismatch", Severity.ERROR
    fix = Applicability.UNSAFE
    scenarios = ("region-for-another-device",)
    mentions = (("autocast", "cuda", "cpu"),)
    needs = ((REGION_ON,), (r"re:[\"']cpu|\.cpu\(|cpu\.amp",))

    VALID = (
        """\
import torch

device = "cuda" if torch.cuda.is_available() else "cpu"
model = torch.nn.Linear(8, 2).to(device)
with torch.autocast(device):
    model(torch.zeros(8, device=device))
with torch.autocast("cuda", enabled=device == "cuda"):
    model(torch.zeros(8, device=device))
""",
        """\
import torch

model = torch.nn.Linear(8, 2).cuda()
with torch.autocast("cuda"):
    model(torch.zeros(8, device="cuda"))
model = model.cpu()
with torch.autocast("cpu"):
    model(torch.zeros(8))
""",
        """\
import torch

def train(model, encoder, loader, device):
    encoder.to(device)
    for x in loader:
        with torch.autocast("cuda"):
            model(encoder(x)).sum().backward()
    encoder.to("cpu")  # to free memory
    model.cpu()
""",
    )
    INVALID = (
        Invalid(
            """\
import torch

def train(loader, optimizer):
    device = torch.device("cuda:0")
    model = torch.nn.Linear(8, 2).to(device)
    for x in loader:
        with torch.autocast(device_type="cpu", dtype=torch.bfloat16):
            loss = model(x).sum()
        with torch.autocast("cpu"):
            loss = loss + model(x).sum()
""",
            """\
import torch

def train(loader, optimizer):
    device = torch.device("cuda:0")
    model = torch.nn.Linear(8, 2).to(device)
    for x in loader:
        with torch.autocast(device_type="cuda", dtype=torch.bfloat16):
            loss = model(x).sum()
        with torch.autocast("cuda", dtype=torch.bfloat16):
            loss = loss + model(x).sum()
""",
            (7, 9),
        ),
    )

    def check(self, source: Source) -> Iterator[Finding]:
        for region in source.regions:
            if region.device not in ("cuda", "cpu") or region.enabled is False or region.call is None:
                continue
            if _OTHER[region.device] not in source.text:
                continue
            named = {path(call.func): call for call in own(region.node) if isinstance(call, ast.Call)}
            for name, call in named.items():
                device = _device_of(name, call, source) if name else ""
                if device and device != region.device:
                    yield self._finding(region, name, device, source)
                    break

    def _finding(self, region: CoveredRegion, name: str, device: str, source: Source) -> Finding:
        assert region.call is not None
        return self.finding(
            source,
            source.span(region.opening),
            f"this region is for {region.device} and {name} is on {device}: its ops stay float32",
            symbol=name,
            repair=_repair(region, device, source),
        )


_OTHER = {"cuda": "cpu", "cpu": "cuda"}
_ANYWHERE = "?"  # a device that is chosen at run time, or one that the module is on later


def _repair(region: CoveredRegion, device: str, source: Source) -> Repair | str:
    call = region.call
    if call is None or not isinstance(call.func, (ast.Name, ast.Attribute)) or call is not region.opening:
        return "the region is made elsewhere; give it the model's device there"
    given = next((k.value for k in call.keywords if k.arg == "device_type"), call.args[0] if call.args else None)
    if not (isinstance(given, ast.Constant) and isinstance(given.value, str)):
        return f'the region\'s class stands for {region.device}; write torch.autocast("{device}", ...)'
    if device == "cpu":
        return "float16 on a CPU is slow and needs no scaler; choose bfloat16, or move the model to the GPU"
    torch = _torch_of(source)
    has_dtype = len(call.args) > 1 or any(k.arg == "dtype" for k in call.keywords)
    if torch is None and not has_dtype:
        return "torch is not spelled here; give the region the model's device and a dtype"
    return Repair(
        "set_region_device",
        Applicability.UNSAFE,
        f"Open the region for {device}",
        source.span(call),
        {"device": device, **({} if has_dtype else {"dtype": f"{torch}.bfloat16"})},
    )


def _torch_of(source: Source) -> str | None:
    """How the file spells torch."""
    for node in source.nodes((ast.Import,)):
        assert isinstance(node, ast.Import)
        for alias in node.names:
            if alias.name == "torch" or (alias.name.startswith("torch.") and alias.asname is None):
                return alias.asname or "torch"
    return None


def _device_of(name: str, call: ast.AST, source: Source) -> str:
    """Where every assignment and move of a module puts it; empty where they differ or leave it open."""
    if f"{name}.to(" not in source.text and f"{name} = " not in source.text and f"{name}.c" not in source.text:
        return ""
    owner = owner_of(call, name, source)
    found = {_moved_to(value, source) for value in assigned(name, owner, source)}
    for move in source.nodes((ast.Expr,)):
        assert isinstance(move, ast.Expr)
        receiver, moved = method(move.value)
        if moved in ("cuda", "cpu", "to") and path(receiver) == name and owner_of(move, name, source) is owner:
            is_before = move.lineno < getattr(call, "lineno", 0)
            found = (found - {""}) | {_moved_to(move.value, source) if is_before else _ANYWHERE}
    return "" if len(found) != 1 or found == {_ANYWHERE} else found.pop()


def _moved_to(value: ast.expr, source: Source) -> str:
    """The device that a chain of calls leaves a module on, where it is written out; empty where none moves it."""
    while isinstance(value, ast.Call) and isinstance(value.func, ast.Attribute):
        name = value.func.attr
        if name in ("cuda", "cpu"):
            return name
        if name == "to":
            for argument in (*value.args[:1], *(k.value for k in value.keywords if k.arg == "device")):
                literal = _literal(argument, source)
                if literal != "dtype":
                    return literal or _ANYWHERE
        value = value.func.value
    return ""


def _literal(node: ast.expr, source: Source) -> str:
    """ "cuda" or "cpu" for a device that is written out; "dtype" for a dtype; empty for anything else."""
    if isinstance(node, ast.Call) and path(node.func).endswith("device") and len(node.args) == 1:
        node = node.args[0]
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        device = node.value.partition(":")[0]
        return device if device in ("cuda", "cpu") else ""
    if source.half_dtype(node) or path(node).endswith(("float32", "float64", "channels_last")):
        return "dtype"
    values = list(assigned(path(node), owner_of(node, path(node), source), source)) if path(node) else []
    return _literal(values[0], source) if len(values) == 1 and not isinstance(values[0], ast.Name) else ""
