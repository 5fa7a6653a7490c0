"""AMP701."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ampfix.findings import Applicability, Finding, Repair, Severity
from ampfix.program import Form, Framework, ManagedBackward, Source
from ampfix.program.tree import walk
from ampfix.rules._base import Invalid, Rule

_CLIPS = frozenset(
    f"torch.nn.utils.{module}{name}"
    for module in ("", "clip_grad.")
    for name in ("clip_grad_norm_", "clip_grad_value_")
)
_FITTING = frozenset({"parameters", "max_norm", "norm_type", "clip_value"})
"""What accelerate's clipping functions take, in torch's order."""


class AccelerateRawClip(Rule):
    """torch clips the gradients of an accelerate loop, which are still scaled.

    ## What it does
    Finds `torch.nn.utils.clip_grad_norm_` and `clip_grad_value_` behind `accelerator.backward(loss)`, unless
    `accelerator.unscale_gradients()` runs, the accelerator clips elsewhere in the function, or it was built for a
    precision without a scaler ("no", "bf16", "fp8").

    ## Why is this bad
    With `mixed_precision="fp16"` accelerate scales the loss and unscales the gradients when the optimizer steps, or
    when the accelerator itself is asked to clip. In between they are 65536 times too large at the start: a threshold
    meant for true gradients leaves next to nothing of them. The precision often comes from `accelerate config`, so that
    the same script is right on one machine and wrong on the next. Sharded gradients (FSDP, DeepSpeed) need the
    accelerator's functions too.

    ## Example
    ```python
    accelerator.backward(loss)
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    ```

    ## Use instead
    ```python
    accelerator.backward(loss)
    if accelerator.sync_gradients:
        accelerator.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    ```

    ## Fix safety
    Safe: without a scaler the accelerator clips as torch does. Under `accelerator.accumulate` the clip moves under
    `sync_gradients`, since gradients can be unscaled once a step only.

    ## References
    - https://huggingface.co/docs/accelerate/concept_guides/gradient_synchronization
    - https://huggingface.co/docs/accelerate/package_reference/accelerator#accelerate.Accelerator.clip_grad_norm_
    """

    code, name, severity = "AMP701", "accelerate-raw-clip", Severity.WARNING
    fix = Applicability.SAFE
    mentions = (("backward(", "clip_grad", "accelerat"),)
    unproven = "accelerate is not part of the suite's environment; the same bug without it is AMP101's."

    VALID = (
        """\
from accelerate import Accelerator

def train(model, optimizer, loader, scheduler):
    accelerator = Accelerator(gradient_accumulation_steps=4, mixed_precision="fp16")
    model, optimizer, loader, scheduler = accelerator.prepare(model, optimizer, loader, scheduler)
    for x, y in loader:
        with accelerator.accumulate(model):
            loss = model(x, y)
            accelerator.backward(loss)
            if accelerator.sync_gradients:
                accelerator.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            scheduler.step()
            optimizer.zero_grad()
""",
        """\
import torch
from accelerate import Accelerator

accelerator = Accelerator(mixed_precision="fp16")
for x, y in loader:
    accelerator.backward(model(x, y))
    accelerator.unscale_gradients()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
""",
        """\
import torch
from accelerate import Accelerator

accelerator = Accelerator(mixed_precision="bf16")
for x, y in loader:
    accelerator.backward(model(x, y))
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
""",
        """\
import torch

def step(loss, model, optimizer, accelerator):
    if accelerator is not None:
        accelerator.backward(loss)
        accelerator.clip_grad_norm_(model.parameters(), 1.0)
    else:
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
""",
    )
    INVALID = (
        Invalid(
            """\
import torch
from accelerate import Accelerator

accelerator = Accelerator(mixed_precision="fp16")
for x, y in loader:
    accelerator.backward(model(x, y))
    torch.nn.utils.clip_grad_norm_(model.parameters(), max_norm=1.0)
    optimizer.step()
""",
            """\
import torch
from accelerate import Accelerator

accelerator = Accelerator(mixed_precision="fp16")
for x, y in loader:
    accelerator.backward(model(x, y))
    accelerator.clip_grad_norm_(model.parameters(), max_norm=1.0)
    optimizer.step()
""",
            (7,),
        ),
        Invalid(
            """\
from accelerate import Accelerator
from torch.nn.utils import clip_grad_value_

class Trainer:
    def __init__(self, args):
        self.accelerator = Accelerator(mixed_precision=args.precision)

    def step(self, x):
        with self.accelerator.accumulate(self.model):
            self.accelerator.backward(self.model(x))
            clip_grad_value_(self.model.parameters(), 0.5)
            self.optimizer.step()
""",
            """\
from accelerate import Accelerator

class Trainer:
    def __init__(self, args):
        self.accelerator = Accelerator(mixed_precision=args.precision)

    def step(self, x):
        with self.accelerator.accumulate(self.model):
            self.accelerator.backward(self.model(x))
            if self.accelerator.sync_gradients:
                self.accelerator.clip_grad_value_(self.model.parameters(), 0.5)
            self.optimizer.step()
""",
            (11,),
        ),
        Invalid(
            """\
import torch

def step(loss, unet, encoder, optimizer, accelerator):
    accelerator.backward(loss)
    torch.nn.utils.clip_grad_norm_(unet.parameters(), 1.0)
    torch.nn.utils.clip_grad_norm_(encoder.parameters(), 1.0)
    optimizer.step()
""",
            None,
            (5, 6),
        ),
    )

    def check(self, source: Source) -> Iterator[Finding]:
        told: set[ast.AST] = set()
        for backward in source.managed_backwards:
            if backward.framework is not Framework.ACCELERATE or backward.precision in ("no", "bf16", "fp8"):
                continue
            clips = _raw_clips(backward, source)
            for clip in clips:
                if clip not in told:
                    told.add(clip)
                    yield self._one(clip, backward, len(clips) == 1, source)

    def _one(self, clip: ast.Call, backward: ManagedBackward, alone: bool, source: Source) -> Finding:
        known = backward.precision == "fp16"
        when = "" if known else " wherever the precision is fp16"
        return self.finding(
            source,
            source.span(clip),
            f"gradients of {backward.holder}.backward are still scaled here{when}: torch clips them to almost nothing; "
            f"use {backward.holder}.{_name(clip)}",
            proven=backward.proven,
            repair=_repaired(clip, backward, alone, source),
        )


def _raw_clips(backward: ManagedBackward, source: Source) -> list[ast.Call]:
    """torch's clips behind the backward in its function, unless the framework unscales or clips there."""
    calls = [node for node in walk(backward.function) if isinstance(node, ast.Call)]
    own = {f"{backward.holder}.{name}" for name in ("unscale_gradients", "clip_grad_norm_", "clip_grad_value_")}
    if any(isinstance(call.func, ast.Attribute) and ast.unparse(call.func) in own for call in calls):
        return []
    return [
        call
        for call in calls
        if call.lineno > backward.node.lineno
        and any(b.form is Form.SYMBOL and b.symbol in _CLIPS for b in source.resolve(call.func))
        and not _on_another_branch(call, backward.node, source)
    ]


def _on_another_branch(clip: ast.AST, backward: ast.AST, source: Source) -> bool:
    """Whether some `if` runs the one or the other."""
    around = {id(node) for node in source.ancestors(backward)} | {id(backward)}
    below: ast.AST = clip
    for node in source.ancestors(clip):
        if isinstance(node, ast.If) and id(node) in around:
            in_body = any(below is statement for statement in node.body)
            other = node.orelse if in_body else node.body
            if any(id(statement) in around for statement in other):
                return True
        below = node
    return False


def _name(clip: ast.Call) -> str:
    return "clip_grad_value_" if "value" in ast.unparse(clip.func) else "clip_grad_norm_"


def _repaired(clip: ast.Call, backward: ManagedBackward, alone: bool, source: Source) -> Repair | str:
    if not alone:
        return "gradients can be unscaled once a step only; clip all parameters in one call of the accelerator"
    if len(clip.args) > 3 or any(keyword.arg not in _FITTING for keyword in clip.keywords):
        return "the accelerator's function does not take all of these arguments"
    name = next(b.symbol for b in source.resolve(clip.func)).rpartition(".")[2]
    arguments = {"function": f"{backward.holder}.{name}"}
    accumulates = f"{backward.holder}.accumulate("
    tests = [node.test for node in source.ancestors(clip) if isinstance(node, ast.If)]
    if accumulates in source.text and not any("sync_gradients" in ast.unparse(test) for test in tests):
        arguments["condition"] = f"{backward.holder}.sync_gradients"
    return Repair("clip_through", Applicability.SAFE, "Let the accelerator clip", source.span(clip), arguments)
