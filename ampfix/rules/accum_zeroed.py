"""AMP116."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ampfix.findings import Applicability, Finding, Repair, Severity
from ampfix.program import Do, Source
from ampfix.protocol import EventKind, Violation
from ampfix.rules import _places as places
from ampfix.rules import _windows as windows
from ampfix.rules._base import AMP_WORDS, TRAIN_WORDS, Invalid, Rule


class AccumZeroed(Rule):
    """Gradients are zeroed on every micro-batch of an accumulation window.

    ## What it does
    Finds loops that run backward on each batch and step the optimizer on every k-th, and zero that optimizer's
    gradients on each. Other optimizers' gradients may be zeroed there, as GANs do.

    ## Why is this bad
    Only the last micro-batch of each window reaches the step. The rest is computed and thrown away, and training is
    noisier by the factor that accumulation was to remove.

    ## Example
    ```python
    for i, (x, y) in enumerate(loader):
        optimizer.zero_grad()
        scaler.scale(criterion(model(x), y) / accum).backward()
        if (i + 1) % accum == 0:
            scaler.step(optimizer)
            scaler.update()
    ```

    ## Use instead
    ```python
    optimizer.zero_grad()
    for i, (x, y) in enumerate(loader):
        scaler.scale(criterion(model(x), y) / accum).backward()
        if (i + 1) % accum == 0:
            scaler.step(optimizer)
            scaler.update()
            optimizer.zero_grad()
    ```

    ## Fix safety
    Safe: gradients are zeroed in front of the loop, as the first batch had it, and behind each step.

    ## References
    - https://pytorch.org/docs/stable/notes/amp_examples.html#gradient-accumulation
    """

    code, name, severity = "AMP116", "accum-zeroed", Severity.ERROR
    fix = Applicability.SAFE
    violations = (Violation.WINDOW_ZEROED,)
    scenarios = ("accumulation-zeroed",)
    mentions = AMP_WORDS
    needs = (TRAIN_WORDS,)

    VALID = (
        """\
import torch

ACCUM = 1

def train(model, loader, optimizer, criterion):
    scaler = torch.amp.GradScaler("cuda")
    for i, (x, y) in enumerate(loader):
        optimizer.zero_grad()
        scaler.scale(criterion(model(x), y)).backward()
        if (i + 1) % ACCUM == 0:
            scaler.step(optimizer)
            scaler.update()
""",
        """\
import torch

def train(model, loader, optimizer, criterion, accum):
    scaler = torch.amp.GradScaler("cuda")
    for i, (x, y) in enumerate(loader):
        if i % accum == 0:
            optimizer.zero_grad()
        scaler.scale(criterion(model(x), y) / accum).backward()
        if (i + 1) % accum == 0:
            scaler.step(optimizer)
            scaler.update()
""",
        """\
import torch

def train(generator, critic, loader, opt_g, opt_c, n_critic):
    scaler = torch.amp.GradScaler("cuda")
    for i, x in enumerate(loader):
        opt_c.zero_grad()
        opt_g.zero_grad()
        scaler.scale(critic(generator(x).detach()).mean()).backward()
        scaler.step(opt_c)
        if i % n_critic == 0:
            scaler.scale(-critic(generator(x)).mean()).backward()
            scaler.step(opt_g)
        scaler.update()
""",
        """\
import torch

def train(model, loader, optimizer, accum):
    for i, (x, y) in enumerate(loader):
        try:
            with torch.autocast("cuda", dtype=torch.bfloat16):
                loss = model(x, y) / accum
            loss.backward()
        except torch.cuda.OutOfMemoryError:
            optimizer.zero_grad()
        if (i + 1) % accum == 0:
            optimizer.step()
            optimizer.zero_grad()
""",
    )
    INVALID = (
        Invalid(
            """\
import torch

def train(model, loader, optimizer, criterion, accum):
    scaler = torch.amp.GradScaler("cuda")
    for i, (x, y) in enumerate(loader):
        optimizer.zero_grad()
        scaler.scale(criterion(model(x), y) / accum).backward()
        if (i + 1) % accum == 0:
            scaler.step(optimizer)
            scaler.update()
""",
            """\
import torch

def train(model, loader, optimizer, criterion, accum):
    scaler = torch.amp.GradScaler("cuda")
    optimizer.zero_grad()
    for i, (x, y) in enumerate(loader):
        scaler.scale(criterion(model(x), y) / accum).backward()
        if (i + 1) % accum == 0:
            scaler.step(optimizer)
            scaler.update()
            optimizer.zero_grad()
""",
            (6,),
        ),
    )

    def check(self, source: Source) -> Iterator[Finding]:
        for window in windows.windows(source):
            optimizers = set(window.step.event.optimizers)
            around = set(windows.conditions(window.backward.site, source))
            for do in window.routine.events:
                if do.event.kind is not EventKind.ZERO_GRAD or do.site.loops != window.backward.site.loops:
                    continue
                call = windows.node_at(do.site, source)
                if call is None or not set(windows.conditions(do.site, source)) <= around or _recovers(call, source):
                    continue
                owners = window.routine.owners.get(window.step.event.optimizers[0], frozenset())
                is_owner = places.receiver(call) in owners
                if not optimizers & set(do.event.optimizers) and (do.event.optimizers or not is_owner):
                    continue
                yield self.finding(
                    source,
                    do.site.span,
                    f"gradients are zeroed on every turn of the loop and applied only once per {window.count}: all but "
                    "the last micro-batch of each window are lost",
                    proven=do.site.proven and window.step.site.proven,
                    symbol=do.site.function,
                    repair=self._repair(source, window.step, do, call),
                )

    def _repair(self, source: Source, step: Do, zero: Do, call: ast.Call) -> Repair | str:
        if step.site.origin is not None:
            return "a function of another file steps the optimizer; zero its gradients behind that call, under its test"
        step_call = windows.node_at(step.site, source)
        if step_call is None or places.function_of(step_call, source) is not places.function_of(call, source):
            return "the optimizer steps in another function; zero its gradients there, behind the step"
        message = "Zero the gradients in front of the loop and behind the step"
        arguments = {"step_line": str(step.site.span.start.line)}
        return Repair("zero_after_step", Applicability.SAFE, message, zero.site.statement, arguments)


def _recovers(call: ast.Call, source: Source) -> bool:
    """Whether it runs only after an exception, as when a batch did not fit into memory."""
    return any(isinstance(ancestor, ast.ExceptHandler) for ancestor in places.within_function(call, source))
