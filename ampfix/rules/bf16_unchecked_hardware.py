"""AMP302."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from ampfix.findings import Applicability, Finding, Repair, Severity
from ampfix.patterns import pattern
from ampfix.program import CoveredRegion, Form, Role, Source
from ampfix.program.tree import unparsed
from ampfix.rules._base import Invalid, Rule
from ampfix.rules._halfmodels import cast_models
from ampfix.rules._places import tests_around
from ampfix.rules._shapes import calls, function_of, loops, method, path, statement_of
from ampfix.rules._spellings import HALF_GIVEN


class Bf16UncheckedHardware(Rule):
    """bfloat16 is used without asking whether the hardware has it.

    ## What it does
    Finds `torch.cuda.is_bf16_supported()` without `including_emulation=False`, unless the compute capability is asked
    for as well. A training file that picks the device, fixes bfloat16 and asks nothing gets one note, a warning where
    it names GPUs older than Ampere. A loop that is handed its model is right as it is: who picks the device decides.

    ## Why is this bad
    GPUs before compute capability 8.0 (V100, T4, RTX 20) have no bfloat16 units. torch emulates it there, slower than
    float32, and `is_bf16_supported()` alone answers True. float16 with a GradScaler uses their tensor cores.

    ## Example
    ```python
    dtype = torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
    ```

    ## Use instead
    ```python
    native = torch.cuda.is_bf16_supported(including_emulation=False)
    dtype = torch.bfloat16 if native else torch.float16
    scaler = torch.amp.GradScaler("cuda", enabled=dtype == torch.float16)
    ```

    ## Fix safety
    Unsafe: on older GPUs the other branch now runs, which has to bring the scaler that float16 needs. Projects that
    support torch before 2.5, which lacks the argument, compare the compute capability with (8, 0).

    ## References
    - https://pytorch.org/docs/stable/generated/torch.cuda.is_bf16_supported.html
    """

    code, name, severity = "AMP302", "bf16-unchecked-hardware", Severity.WARNING
    fix = Applicability.UNSAFE
    scenarios = ("bfloat16-on-an-older-gpu",)
    mentions = (
        ("is_bf16_supported",),
        ("bfloat16", ".backward(", "autocast"),
        (".bfloat16()", ".backward("),
        ("(torch.bfloat16)", ".backward("),
        ("bfloat16", "optim", ".backward(", HALF_GIVEN),
    )

    VALID = (
        """\
import torch

native = torch.cuda.is_bf16_supported(including_emulation=False)
dtype = torch.bfloat16 if native else torch.float16
new = torch.cuda.get_device_capability()[0] >= 8 and torch.cuda.is_bf16_supported()
""",
        """\
import torch

def has_bfloat16():
    try:
        return torch.cuda.is_bf16_supported(including_emulation=False)
    except TypeError:  # torch before 2.5, which counts no emulation
        return torch.cuda.is_bf16_supported()
""",
        """\
import torch

def train(model, loader, optimizer, args):
    dtype = {"bf16": torch.bfloat16, "fp16": torch.float16}[args.dtype]
    for x, y in loader:
        with torch.autocast("cuda", dtype=dtype):
            loss = model(x, y)
        with torch.autocast("cpu", dtype=torch.bfloat16), torch.autocast("cuda", torch.bfloat16, False):
            loss = loss + model(x, y)
        loss.backward()
""",
        """\
import torch

def train(model, loader, optimizer):
    assert torch.cuda.get_device_capability() >= (8, 0)
    for x, y in loader:
        with torch.autocast("cuda", dtype=torch.bfloat16):
            loss = model(x, y)
        loss.backward()
""",
        """\
import torch

def train(model, loader, optimizer):
    for x, y in loader:
        with torch.autocast("cuda", dtype=torch.bfloat16):
            loss = model(x, y)
        loss.backward()
        optimizer.step()
""",
        """\
import torch

class Trainer:
    def __init__(self, model, precision):
        self.model = model.to("cuda")
        self.precision = precision
        self.scaler = torch.amp.GradScaler("cuda") if precision == "fp16" else None

    def loss(self, x, y):
        if self.precision == "bf16":
            with torch.autocast("cuda", dtype=torch.bfloat16):
                return self.model(x, y)
        with torch.autocast("cuda"):
            return self.model(x, y)

    def step(self, x, y):
        loss = self.loss(x, y)
        (loss if self.scaler is None else self.scaler.scale(loss)).backward()
""",
    )
    INVALID = (
        Invalid(
            """\
import torch

def train(encoder, head, loader, optimizer):
    for x, y in loader:
        optimizer.zero_grad()
        with torch.autocast("cuda", dtype=torch.float16):
            features = encoder(x.to("cuda"))
        with torch.autocast("cuda", dtype=torch.bfloat16):
            loss = head(features, y.to("cuda"))
        loss.backward()
        optimizer.step()
""",
            None,
            (8,),
        ),
        Invalid(
            """\
import torch

dtype = torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
scaler = torch.amp.GradScaler("cuda", enabled=dtype == torch.float16)
""",
            """\
import torch

dtype = torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float16
scaler = torch.amp.GradScaler("cuda", enabled=dtype == torch.float16)
""",
            (3,),
        ),
        Invalid(
            """\
import torch

def train(model, loader, optimizer):
    model = model.cuda()
    for x, y in loader:
        optimizer.zero_grad()
        with torch.autocast("cuda", dtype=torch.bfloat16):
            loss = model(x, y)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
""",
            """\
import torch

def train(model, loader, optimizer):
    model = model.cuda()
    amp_dtype = torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float16
    scaler = torch.amp.GradScaler("cuda", enabled=amp_dtype == torch.float16)
    for x, y in loader:
        optimizer.zero_grad()
        with torch.autocast("cuda", dtype=amp_dtype):
            loss = model(x, y)
        scaler.scale(loss).backward()
        scaler.unscale_(optimizer)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        scaler.step(optimizer)
        scaler.update()
""",
            (7,),
        ),
    )

    def check(self, source: Source) -> Iterator[Finding]:
        for call in source.nodes((ast.Call,)) if "is_bf16_supported" in source.text else ():
            if isinstance(call, ast.Call) and _accepts_emulation(call, source):
                yield self.finding(
                    source,
                    source.span(call),
                    "is_bf16_supported() counts emulation: it is True on a T4 or V100 too, where bfloat16 is slower "
                    "than float32",
                    repair=_native(call, source),
                )
        if "backward" in source.text and _DEVICE.search(source.text) and not _is_settled(source.text):
            yield from self._unasked(source)

    def _unasked(self, source: Source) -> Iterator[Finding]:
        place = min(_bfloat16(source), key=lambda node: (node.lineno, node.col_offset), default=None)
        if place is None:
            return
        old = _OLD_GPU.search(source.text)
        where = f"this file names {old[0]}, which has no bfloat16 units" if old else "right on Ampere and later"
        yield self.finding(
            source,
            source.span(place),
            f"bfloat16 is fixed here and nothing asks whether the GPU has it: {where}",
            proven=old is not None,
            repair=_repair(place, source),
        )


_CHECK = pattern(r"bf16_(supported|available|gpu)|is_bf16|supports?_bf(loat)?16|capability")
_PROPERTIES = pattern(r"get_device_properties\b(?:\([^()]*(?:\([^()]*\)[^()]*)*\)(?:\s*\.\s*(\w+))?)?")
_KEPT_AS = pattern(r"([\w.]+)\s*=\s*[\w.]*\Z")
_TELLS_NOTHING = frozenset({"total_memory", "name", "multi_processor_count"})  # of what the hardware has
_COMPARED = pattern(r"\b(el)?if\b|==|\bin\b")
_NAMES_BF16 = pattern(r"==\s*['\"](torch\.)?(bf16|bfloat16)['\"]")
_DEVICE = pattern(
    r"\.cuda\(|cuda\.(is_available|set_device)|torch\.device\("
    r"|\.to\(\s*f?[\"']cuda|(?i:device)\s*(?::\s*str\s*)?=\s*f?[\"']cuda"
)
_OLD_GPU = pattern(r"\b(Tesla )?(T4|V100|P100|K80)s?\b|\b(GTX|RTX) ?(10|16|20)[5-8]0\b|\b(Volta|Turing|Pascal)\b")
_RENTED = pattern(r"\bgpu\s*=\s*[fbru]{0,2}[\"']([^\"']*)")
_AMPERE = pattern(r"(?i:A10|A10G|A100|H100|H200|B200|L4|L40S)\b")


def _is_settled(text: str) -> bool:
    """Whether a file asks what the hardware has, or rents only such as has bfloat16: `@app.function(gpu="L4")`."""
    rented = _RENTED.findall(text) if "@" in text else []
    if rented and all(_AMPERE.match(gpu) for gpu in rented):
        return True
    return _CHECK.search(text) is not None or any(_is_asked(found, text) for found in _PROPERTIES.finditer(text))


def _is_asked(properties: re.Match[str], text: str) -> bool:
    """Whether the properties of a device are read for more than its name and its size, or handed on."""
    if properties[1]:
        return properties[1] not in _TELLS_NOTHING
    start = properties.start()
    kept = _KEPT_AS.search(text[text.rfind("\n", 0, start) + 1 : start])
    return kept is None or any(_is_telling(use, text) for use in _uses(kept[1], text))


def _uses(name: str, text: str) -> Iterator[re.Match[str]]:
    """Where a name is read, with the attribute that is asked of it."""
    return re.finditer(rf"(?<![\w.]){re.escape(name)}\b(?!\s*=(?!=))(?:\.(\w+))?", text)


def _is_telling(use: re.Match[str], text: str) -> bool:
    """Whether one use of a device's properties may ask for its capability: by number, by name, or in another place."""
    if use[1] != "name":
        return use[1] not in _TELLS_NOTHING
    line = text[text.rfind("\n", 0, use.start()) + 1 : use.start()] + text[use.end() :].partition("\n")[0]
    return _COMPARED.search(line) is not None


def _repair(place: ast.expr, source: Source) -> Repair | str:
    by_hand = "choose the dtype by is_bf16_supported(including_emulation=False), with a scaler for float16"
    is_opened_here = any(region.opening is place and region.call is place for region in source.regions)
    if not is_opened_here or source.scalers or "scaler" in source.text.lower():
        return by_hand
    if any(other.dtype == "float16" and other.enabled is not False for other in source.regions):
        return "other regions run in float16; give all of them one dtype first"
    steps = {path(method(call)[0]): call for loop in loops(place, source)[-1:] for call in calls(loop, "step")}
    optimizers = [name for name, call in steps.items() if source.held(method(call)[0]).role is Role.OPTIMIZER and name]
    if len(optimizers) != 1 or optimizers[0].startswith("self."):
        return by_hand
    return Repair(
        "portable_bfloat16",
        Applicability.UNSAFE,
        "Choose float16 with a scaler where the hardware has no bfloat16",
        source.span(place),
        {"optimizer": optimizers[0]},
    )


def _native(call: ast.Call, source: Source) -> Repair | str:
    """The same question about the hardware alone."""
    if isinstance(call.func, ast.Call):  # what stands in for it in an old torch takes no argument
        return "call torch.cuda.is_bf16_supported(including_emulation=False)"
    return Repair("native_bfloat16", Applicability.UNSAFE, "Ask for bfloat16 in hardware", source.span(call))


def _accepts_emulation(call: ast.Call, source: Source) -> bool:
    if call.keywords or call.args or not _is_the_question(call.func, source):
        return False
    statement = statement_of(call, source)
    asked = source.segment(getattr(statement, "test", statement))  # of an if, the test alone
    return "capability" not in asked and "major" not in asked and not _is_for_old_torch(call, source)


def _is_the_question(asked: ast.expr, source: Source) -> bool:
    """Whether it is torch.cuda.is_bf16_supported, be it by `getattr`, with a stand-in for a torch that lacks it."""
    if isinstance(asked, ast.Call) and path(asked.func) == "getattr" and len(asked.args) > 1:
        named = getattr(asked.args[1], "value", None)
        return named == "is_bf16_supported" and any(b.symbol == "torch.cuda" for b in source.resolve(asked.args[0]))
    found = source.resolve(asked) if isinstance(asked, (ast.Name, ast.Attribute)) else ()
    return any(b.form is Form.SYMBOL and b.symbol == "torch.cuda.is_bf16_supported" for b in found)


def _is_for_old_torch(call: ast.Call, source: Source) -> bool:
    """Whether a call stands in for one with the argument, which torch before 2.5 refuses."""
    inside: ast.AST = call
    for around in source.ancestors(call):
        if isinstance(around, ast.Try) and isinstance(inside, ast.ExceptHandler):
            asked = (one for statement in around.body for one in calls(statement, "is_bf16_supported"))
            return any(one.args or one.keywords for one in asked)
        inside = around
    return False


def _bfloat16(source: Source) -> Iterator[ast.expr]:
    """Where bfloat16 is fixed for a GPU: regions, and models that are cast."""
    for region in source.regions:
        if region.dtype == "bfloat16" and region.device != "cpu" and region.enabled is not False and region.call:
            chosen = any(_NAMES_BF16.search(unparsed(test)) for test in tests_around(region.node, source))
            if not (chosen and source.scalers):  # float16, with a scaler, is the other choice
                yield _fixed_in(region, source)
    for model in cast_models(source):
        if model.cast.dtype == "bfloat16" and model.certain and not _is_tried_out(model.cast.node, source):
            yield model.cast.node


def _fixed_in(region: CoveredRegion, source: Source) -> ast.expr:
    """The call that fixes a region's dtype, be it kept in a variable or made by a function of this file."""
    call = region.call
    return call if call is not None and any(True for _ in source.ancestors(call)) else region.opening


def _is_tried_out(cast: ast.Call, source: Source) -> bool:
    """Whether a test only looks at what a cast gives."""
    function = function_of(cast, source)
    return getattr(function, "name", "").startswith("test_") and not any(True for _ in calls(function, "backward"))
