"""AMP702."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping

from ampfix.findings import Applicability, Finding, Severity
from ampfix.program import AutocastOpened, Form, Framework, ManagedBackward, Role, ScalerBuilt, Source
from ampfix.program.tree import walk
from ampfix.rules._base import Invalid, Rule

_LIGHTNING = ("pytorch_lightning", "lightning", "lightning.pytorch")
_MODULES = frozenset(f"{p}{m}.LightningModule" for p in _LIGHTNING for m in ("", ".core", ".core.module"))
_TRAINERS = frozenset(f"{p}{m}.Trainer" for p in _LIGHTNING for m in ("", ".trainer", ".trainer.trainer"))
_HALVES = {"16": "float16", "16-mixed": "float16", "bf16": "bfloat16", "bf16-mixed": "bfloat16"}
"""What `precision` makes of the regions that Lightning opens."""
_OVERRIDES = frozenset({"backward", "optimizer_step", "configure_gradient_clipping", "on_before_backward"})
_MAX_DEPTH = 8  # longest chain of base classes followed


class LightningManualScaler(Rule):
    """A scaler or an autocast region of one's own meets the ones that Lightning runs.

    ## What it does
    Finds a GradScaler inside a LightningModule that Lightning optimizes by itself, or one in manual optimization or
    `fabric.backward(scaler.scale(loss))` beside `precision="16-mixed"`; and, as a note, autocast regions in a
    LightningModule whose Trainer has a mixed precision. Manual optimization with `precision=32`, regions that switch
    autocast off, and modules that override `backward` or `optimizer_step` are left alone.

    ## Why is this bad
    Lightning calls backward and the optimizer itself. A loss scaled by hand in `training_step` is never unscaled: the
    weights move 65536 times too far. With `precision="16-mixed"` the loss is scaled twice, and overflows. An own
    region of another dtype overrides the precision that was asked for.

    ## Example
    ```python
    class Model(LightningModule):
        def training_step(self, batch, index):
            with torch.autocast("cuda"):
                loss = self.loss(batch)
            return self.scaler.scale(loss)
    ```

    ## Use instead
    ```python
    class Model(LightningModule):
        def training_step(self, batch, index):
            return self.loss(batch)

    trainer = Trainer(precision="16-mixed")
    ```

    ## Fix safety
    Nothing is changed: which of the two shall stay is the author's choice.

    ## References
    - https://lightning.ai/docs/pytorch/stable/common/precision_basic.html
    - https://lightning.ai/docs/pytorch/stable/model/manual_optimization.html
    """

    code, name, severity = "AMP702", "lightning-manual-scaler", Severity.WARNING
    fix = Applicability.DISPLAY
    mentions = (("LightningModule", "GradScaler"), ("LightningModule", "autocast"), ("Fabric", "GradScaler"))
    unproven = "Lightning is not part of the suite's environment."

    VALID = (
        """\
import torch
from lightning.pytorch import LightningModule, Trainer

class Model(LightningModule):
    def training_step(self, batch, index):
        with torch.autocast("cuda", enabled=False):
            return self.loss(self.net(batch).float())

trainer = Trainer(precision="16-mixed", gradient_clip_val=1.0)
""",
        """\
import torch
import pytorch_lightning as pl

class Gan(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.automatic_optimization = False
        self.scaler = torch.amp.GradScaler("cuda")

    def training_step(self, batch, index):
        with torch.autocast("cuda"):
            loss = self.loss(batch)
        self.manual_backward(self.scaler.scale(loss))
        self.scaler.step(self.optimizers())
        self.scaler.update()
""",
        """\
import torch
from lightning.fabric import Fabric

fabric = Fabric(precision="16-mixed")
fabric.backward(loss)
fabric.clip_gradients(model, optimizer, max_norm=1.0)
optimizer.step()
""",
    )
    INVALID = (
        Invalid(
            """\
import torch
import pytorch_lightning as pl

class Model(pl.LightningModule):
    def __init__(self):
        super().__init__()
        self.scaler = torch.amp.GradScaler("cuda")

    def training_step(self, batch, index):
        return self.scaler.scale(self.loss(batch))
""",
            None,
            (7,),
        ),
        Invalid(
            """\
import torch
from lightning.pytorch import LightningModule, Trainer
from lightning.fabric import Fabric

class Model(LightningModule):
    def __init__(self):
        super().__init__()
        self.automatic_optimization = False
        self.scaler = torch.amp.GradScaler("cuda")

    def forward(self, x):
        with torch.autocast("cuda", dtype=torch.bfloat16):
            return self.net(x)

trainer = Trainer(precision=16)
fabric = Fabric(precision="16-mixed")
scaler = torch.amp.GradScaler("cuda")
fabric.backward(scaler.scale(loss))
""",
            None,
            (9, 12, 18),
        ),
    )

    def check(self, source: Source) -> Iterator[Finding]:
        precision = _trainers_precision(source)
        for built in source.scalers:
            owner = _module_around(built.node, source)
            if owner is not None and not _is_off(built.arguments):
                yield from self._scaler(built, owner, precision, source)
        for opened in source.autocasts:
            owner = _module_around(opened.node, source)
            if owner is not None and precision in _HALVES and not _is_off({"enabled": opened.enabled}):
                yield self._region(opened, precision, source)
        for backward in source.managed_backwards:
            yield from self._backward(backward, source)

    def _scaler(self, built: ScalerBuilt, owner: ast.ClassDef, precision: str, source: Source) -> Iterator[Finding]:
        if _is_manual(owner):
            if _HALVES.get(precision) != "float16":
                return
            message = f"precision={precision!r} has Lightning scale the loss already: this scaler scales it once more"
        else:
            message = f"Lightning runs backward and the optimizer of {owner.name}: what this scaler scales stays scaled"
        yield self.finding(source, source.span(built.node), message, symbol=owner.name, repair=_ADVICE)

    def _region(self, opened: AutocastOpened, precision: str, source: Source) -> Finding:
        asked = _HALVES[precision]
        others = opened.dtypes - {asked, "unknown"}
        fact = f"in {', '.join(sorted(others))}, and not in {asked}" if others else "a second time"
        message = f"precision={precision!r} has Lightning open a region already: this one casts {fact}"
        return self.finding(source, source.span(opened.node), message, proven=False, repair=_ADVICE)

    def _backward(self, backward: ManagedBackward, source: Source) -> Iterator[Finding]:
        if backward.framework is not Framework.FABRIC or _HALVES.get(backward.precision) != "float16":
            return
        loss = backward.node.args[0]
        if isinstance(loss, ast.Call) and isinstance(loss.func, ast.Attribute) and loss.func.attr == "scale":
            held = source.held(loss.func.value)
            if held.role is Role.SCALER:
                message = (
                    f"precision={backward.precision!r} has Fabric scale the loss already: this scales it once more"
                )
                yield self.finding(source, source.span(loss), message, proven=held.proven, repair=_ADVICE)


_ADVICE = "keep either the framework's precision or the scaler and regions written here"


def _module_around(node: ast.AST, source: Source) -> ast.ClassDef | None:
    """The LightningModule whose body holds a node."""
    return next((a for a in source.ancestors(node) if isinstance(a, ast.ClassDef) and _is_module(a, source, 0)), None)


def _is_module(node: ast.ClassDef, source: Source, depth: int) -> bool:
    return any(
        (b.form is Form.SYMBOL and b.symbol in _MODULES)
        or (b.form is Form.CLASS and depth < _MAX_DEPTH and _is_module(b.node, source, depth + 1))
        for base in node.bases
        for b in source.resolve(base)
    )


def _is_manual(owner: ast.ClassDef) -> bool:
    """Whether the class optimizes by itself, or steps into how Lightning does."""
    for node in walk(owner):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)) and node.name in _OVERRIDES | {
            "automatic_optimization"
        }:
            return True
        if isinstance(node, ast.Assign) and "automatic_optimization" in ast.unparse(node.targets[0]):
            return True
        if isinstance(node, ast.Attribute) and node.attr == "manual_backward":
            return True
    return False


def _trainers_precision(source: Source) -> str:
    """The `precision` that all Trainers of the file agree on; empty where it is not a literal."""
    found = set()
    for call in source.nodes((ast.Call,)):
        if isinstance(call, ast.Call) and any(b.symbol in _TRAINERS for b in source.resolve(call.func)):
            value = next((keyword.value for keyword in call.keywords if keyword.arg == "precision"), None)
            found.add(str(value.value) if isinstance(value, ast.Constant) else "")
    return found.pop() if len(found) == 1 else ""


def _is_off(arguments: Mapping[str, ast.expr | None] | None) -> bool:
    enabled = (arguments or {}).get("enabled")
    return isinstance(enabled, ast.Constant) and enabled.value is False
