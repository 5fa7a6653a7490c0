"""AMP204."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ampfix.findings import Applicability, Finding, Repair, Severity, Span, TracePoint
from ampfix.patterns import pattern
from ampfix.program import AutocastOpened, Form, ScalerBuilt, Source
from ampfix.rules import _places as places
from ampfix.rules import _switches as switches
from ampfix.rules._base import Invalid, Rule
from ampfix.rules._scalers_elsewhere import scalers_elsewhere

_FLOAT16 = ("torch.float16", "torch.half")
_BFLOAT16 = pattern(r"^['\"]?(torch\.)?(bf16|bfloat16)['\"]?$")


class ScalerWithBf16(Rule):
    """A GradScaler scales the loss of a bfloat16 run, which needs no scaling.

    ## What it does
    Finds scalers that are on while the file's autocast regions run in bfloat16, or may do so, and whose switch does not
    look at the dtype; of a small project also those that other files build and hand in.

    ## Why is this bad
    bfloat16 has the range of float32, so there is nothing to rescue. The scaler still reads every gradient for
    infinities and waits for the device each step, its scale grows without bound, and its state sits in checkpoints.

    ## Example
    ```python
    scaler = torch.amp.GradScaler("cuda")
    ...
    with torch.autocast("cuda", dtype=amp_dtype):  # bfloat16 where the GPU has it
    ```

    ## Use instead
    ```python
    scaler = torch.amp.GradScaler("cuda", enabled=amp_dtype == torch.float16)
    ```

    ## Fix safety
    Safe: a disabled scaler passes the loss through and steps the optimizer as it is, so the protocol around it may
    stay. It no longer skips steps whose gradients are not finite.

    ## References
    - https://pytorch.org/docs/stable/amp.html#gradient-scaling
    """

    code, name, severity = "AMP204", "scaler-with-bf16", Severity.WARNING
    fix = Applicability.SAFE
    mentions = (("GradScaler",), (".scale(", "autocast", "bfloat16"))
    unproven = "the scaled loop reaches the same weights: a scale that is a power of two is exact in bfloat16"

    VALID = (
        """\
import torch

def train(model, loader, optimizer, dtype):
    amp_dtype = {"float16": torch.float16, "bfloat16": torch.bfloat16}[dtype]
    scaler = torch.amp.GradScaler("cuda", enabled=(dtype == "float16"))
    for x, y in loader:
        with torch.autocast("cuda", dtype=amp_dtype):
            loss = model(x, y)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        optimizer.zero_grad()
""",
        """\
import torch

def train(model, loader, optimizer, use_bf16):
    scaler = torch.amp.GradScaler("cuda")
    for x, y in loader:
        with torch.autocast("cuda", dtype=torch.bfloat16 if use_bf16 else torch.float16):
            loss = model(x, y)
        if use_bf16:
            loss.backward()
            optimizer.step()
        else:
            scaler.scale(loss).backward()
            scaler.step(optimizer)
            scaler.update()
        optimizer.zero_grad()
""",
        """\
import torch

def train(model, loader, optimizer, device):
    scaler = torch.amp.GradScaler(device.type, enabled=device.type == "cuda")
    dtype = torch.float16 if device.type == "cuda" else torch.bfloat16
    for x, y in loader:
        with torch.autocast(device.type, dtype=dtype):
            loss = model(x, y)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        optimizer.zero_grad()
""",
    )
    INVALID = (
        Invalid(
            """\
import torch

def train(model, loader, optimizer):
    scaler = torch.amp.GradScaler("cuda")
    for x, y in loader:
        with torch.autocast("cuda", dtype=torch.bfloat16):
            loss = model(x, y)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        optimizer.zero_grad()
""",
            """\
import torch

def train(model, loader, optimizer):
    scaler = torch.amp.GradScaler("cuda", enabled=False)
    for x, y in loader:
        with torch.autocast("cuda", dtype=torch.bfloat16):
            loss = model(x, y)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        optimizer.zero_grad()
""",
            (4,),
        ),
        Invalid(
            """\
import torch

def train(model, loader, optimizer, use_amp):
    dtype = torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float16
    scaler = torch.amp.GradScaler("cuda", enabled=use_amp)
    for x, y in loader:
        with torch.autocast("cuda", dtype=dtype, enabled=use_amp):
            loss = model(x, y)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        optimizer.zero_grad()
""",
            """\
import torch

def train(model, loader, optimizer, use_amp):
    dtype = torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float16
    scaler = torch.amp.GradScaler("cuda", enabled=use_amp and dtype == torch.float16)
    for x, y in loader:
        with torch.autocast("cuda", dtype=dtype, enabled=use_amp):
            loss = model(x, y)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        optimizer.zero_grad()
""",
            (5,),
        ),
        Invalid(
            """\
import torch

def train(model, loader, optimizer, cfg):
    scaler = torch.amp.GradScaler("cuda", enabled=(cfg.dtype == "bfloat16"))
    for x, y in loader:
        with torch.autocast("cuda", dtype=getattr(torch, cfg.dtype)):
            loss = model(x, y)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        optimizer.zero_grad()
""",
            """\
import torch

def train(model, loader, optimizer, cfg):
    scaler = torch.amp.GradScaler("cuda", enabled=cfg.dtype != "bfloat16")
    for x, y in loader:
        with torch.autocast("cuda", dtype=getattr(torch, cfg.dtype)):
            loss = model(x, y)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        optimizer.zero_grad()
""",
            (4,),
        ),
        Invalid(
            """\
import torch

def train(model, loader, optimizer, cfg):
    use_amp = cfg.get("dtype") in ("bf16", "fp16")
    dtype = torch.bfloat16 if cfg.get("dtype") == "bf16" else torch.float16
    scaler = torch.amp.GradScaler("cuda", enabled=use_amp)
    for x, y in loader:
        with torch.autocast("cuda", dtype=dtype, enabled=use_amp):
            loss = model(x, y)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        optimizer.zero_grad()
""",
            """\
import torch

def train(model, loader, optimizer, cfg):
    use_amp = cfg.get("dtype") in ("bf16", "fp16")
    dtype = torch.bfloat16 if cfg.get("dtype") == "bf16" else torch.float16
    scaler = torch.amp.GradScaler("cuda", enabled=use_amp and dtype == torch.float16)
    for x, y in loader:
        with torch.autocast("cuda", dtype=dtype, enabled=use_amp):
            loss = model(x, y)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        optimizer.zero_grad()
""",
            (6,),
        ),
    )

    def check(self, source: Source) -> Iterator[Finding]:
        yield from self._inverted(source)
        regions = switches.entered_regions(source)
        chosen = {region.dtypes - {"float32"} for region in regions}  # a region in float32 does nothing
        dtypes = {dtype for several in chosen for dtype in several}
        if "bfloat16" not in dtypes:
            return
        if "unknown" in dtypes and not all(isinstance(region.dtype, ast.Attribute) for region in regions):
            return  # of a setting the default is known, of anything else nothing
        if len(chosen) > 1:
            return  # some steps of the file may be float16's, and which ones is not known
        if dtypes != {"bfloat16"} and any(switches.is_choice_of_device(region, source) for region in regions):
            return
        if dtypes == {"bfloat16"} and not source.scalers:
            yield from self._built_elsewhere(source, regions)
        for scaler in source.scalers:
            enabled = (scaler.arguments or {}).get("enabled")
            if scaler.arguments is None or places.is_constant(enabled, False):
                continue
            certain, name = dtypes == {"bfloat16"}, scaler.target or "the scaler"
            tests = switches.deciding_tests(scaler, source)
            if not switches.scale_calls(scaler, source) and not switches.is_handed_back(scaler, regions, source):
                continue
            if switches.looks_at_dtype(tests, regions if certain else [], source):
                continue
            if not certain and switches.has_own_switch(scaler, source):
                continue
            yield self.finding(
                source,
                source.span(scaler.node),
                f"{name} scales a run in bfloat16, which has float32's range and needs no scaler"
                if certain
                else f"{name} is on in a bfloat16 run too: its switch does not look at the dtype",
                symbol=getattr(places.function_of(scaler.node, source), "name", ""),
                repair=self._repair(source, scaler, regions, certain),
            )

    def _built_elsewhere(self, source: Source, regions: list[AutocastOpened]) -> Iterator[Finding]:
        """A scaler that another file builds and a bfloat16 step of this one uses, once for each."""
        seen = set[tuple[str, Span]]()
        for call in places.all_methods_called(source, "scale"):
            assert isinstance(call.func, ast.Attribute)
            if switches.looks_at_dtype(places.tests_around(call, source), regions, source):
                continue
            built = next((one for one in scalers_elsewhere(call.func.value, source) if one.is_for_bfloat16_too), None)
            if built is None or (built.path, built.span) in seen:
                continue
            seen.add((built.path, built.span))
            scaler = places.receiver(call)
            yield self.finding(
                source,
                source.span(call),
                f"{scaler} scales a run in bfloat16, which has float32's range and needs no scaler",
                symbol=getattr(places.function_of(call, source), "name", ""),
                trace=(TracePoint("the scaler is built", built.path, built.span),),
                repair=f"{scaler} is built in another file; build it with enabled=False there, or for float16 alone",
            )

    def _inverted(self, source: Source) -> Iterator[Finding]:
        """`enabled=dtype == torch.bfloat16`: on in the runs that need no scaler, and off in the others."""
        for scaler in source.scalers:
            enabled = (scaler.arguments or {}).get("enabled")
            if not isinstance(enabled, ast.Compare) or not isinstance(enabled.ops[0], (ast.Eq, ast.Is)):
                continue
            if not _BFLOAT16.search(places.spelled(enabled.comparators[0])) or len(enabled.ops) > 1:
                continue
            unequal = "!=" if isinstance(enabled.ops[0], ast.Eq) else "is not"
            value = f"{source.segment(enabled.left)} {unequal} {source.segment(enabled.comparators[0])}"
            yield self.finding(
                source,
                source.span(scaler.node),
                f"{scaler.target or 'the scaler'} is on for bfloat16 alone, which needs none, and off for float16",
                symbol=getattr(places.function_of(scaler.node, source), "name", ""),
                repair=Repair(
                    "set_enabled",
                    Applicability.SAFE,
                    "Switch the scaler on for float16",
                    source.span(scaler.node),
                    {"value": value, "old": source.segment(enabled)},
                ),
            )

    def _repair(
        self, source: Source, scaler: ScalerBuilt, regions: list[AutocastOpened], certain: bool
    ) -> Repair | str:
        enabled = (scaler.arguments or {}).get("enabled")
        value = "False"
        if not certain:
            dtype, float16 = regions[0].dtype, _float16(source)
            if dtype is None or not isinstance(dtype, (ast.Name, ast.Attribute)) or float16 is None:
                return "the dtype has no name that the scaler could look at; name it in front of both"
            if not switches.reachable(dtype, scaler.node, source):
                return (
                    f"{places.spelled(dtype)} is not known where the scaler is built; choose the dtype in front of it"
                )
            value = f"{places.spelled(dtype)} == {float16}"
            if enabled is not None and not switches.is_on(enabled):
                text = source.segment(enabled)
                value = f"{text if isinstance(enabled, (ast.Name, ast.Attribute)) else f'({text})'} and {value}"
        arguments = {"value": value, **({"old": source.segment(enabled)} if enabled is not None else {})}
        message = f"Switch {scaler.target or 'the scaler'} on for float16 alone"
        return Repair("set_enabled", Applicability.SAFE, message, source.span(scaler.node), arguments)


def _float16(source: Source) -> str | None:
    """How the file writes torch.float16."""
    for node in source.nodes((ast.Attribute, ast.Name)):
        assert isinstance(node, (ast.Attribute, ast.Name))
        is_float16 = any(b.form is Form.SYMBOL and b.symbol in _FLOAT16 for b in source.resolve(node))
        if is_float16 and (isinstance(node, ast.Attribute) or node.id in source.import_aliases):
            return source.segment(node)
    return None
