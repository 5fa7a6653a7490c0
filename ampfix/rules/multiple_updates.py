"""AMP111."""

from __future__ import annotations

import ast

from ampfix.findings import Applicability, Repair, Severity
from ampfix.patterns import pattern
from ampfix.program import Do, Occurrence, Source
from ampfix.rules import _places as places
from ampfix.rules._base import Invalid, ProtocolRule
from ampfix.rules._path import is_setting, own_tests
from ampfix.rules._updates import VIOLATIONS, Misplaced, misplaced, put_right, the_update

_CONTAINED = pattern(r"\b(not )?in\b")


class MultipleUpdates(ProtocolRule):
    """`scaler.update()` runs more than once in a step.

    ## What it does
    Finds a second `scaler.update()` before the next backward: twice in a row, on the way out of a batch that is left
    out before its backward, or once behind each of several optimizers that step on the same backward.

    ## Why is this bad
    Between two optimizers the first `update()` may change the scale, and the second optimizer's gradients, which carry
    the old one, are then unscaled by the new one: after an overflow they are twice as large as they should be. A second
    `update()` without a step in between raises "No inf checks were recorded prior to update".

    ## Example
    ```python
    scaler.scale(loss).backward()
    scaler.step(optimizer_a)
    scaler.update()
    scaler.step(optimizer_b)
    scaler.update()
    ```

    ## Use instead
    ```python
    scaler.scale(loss).backward()
    scaler.step(optimizer_a)
    scaler.step(optimizer_b)
    scaler.update()
    ```

    ## Fix safety
    Safe: the last `update()` sees the checks of every step before it.

    ## References
    - https://pytorch.org/docs/stable/notes/amp_examples.html#working-with-multiple-models-losses-and-optimizers
    """

    code, name, severity = "AMP111", "multiple-updates", Severity.ERROR
    violations = VIOLATIONS
    fix = Applicability.SAFE
    scenarios = ("update-in-helper-too",)

    VALID = (
        """\
import torch

def train(model, loader, optimizer, other):
    scaler = torch.amp.GradScaler("cuda")
    for i, (x, y) in enumerate(loader):
        optimizer.zero_grad()
        other.zero_grad()
        scaler.scale(model(x, y)).backward()
        scaler.step(optimizer)
        scaler.step(other)
        scaler.update()
""",
        """\
import torch

def train(netD, netG, loader, optD, optG):
    scaler = torch.amp.GradScaler("cuda")
    for real, noise in loader:
        optD.zero_grad()
        optG.zero_grad()
        scaler.scale(netD(real, netG(noise).detach())).backward()
        scaler.step(optD)
        scaler.update()
        scaler.scale(netD(real, netG(noise))).backward()
        scaler.step(optG)
        scaler.update()
""",
    )
    INVALID = (
        Invalid(
            """\
import torch

def train(model, loader, optimizer, other):
    scaler = torch.amp.GradScaler("cuda")
    for i, (x, y) in enumerate(loader):
        optimizer.zero_grad()
        other.zero_grad()
        scaler.scale(model(x, y)).backward()
        scaler.step(optimizer)
        scaler.update()
        scaler.step(other)
        scaler.update()
""",
            """\
import torch

def train(model, loader, optimizer, other):
    scaler = torch.amp.GradScaler("cuda")
    for i, (x, y) in enumerate(loader):
        optimizer.zero_grad()
        other.zero_grad()
        scaler.scale(model(x, y)).backward()
        scaler.step(optimizer)
        scaler.step(other)
        scaler.update()
""",
            (10,),
        ),
        Invalid(
            """\
import torch

def train(model, loader, optimizer):
    scaler = torch.amp.GradScaler("cuda")
    for i, (x, y) in enumerate(loader):
        optimizer.zero_grad()
        scaler.scale(model(x, y)).backward()
        scaler.step(optimizer)
        scaler.update()
        print(scaler.get_scale())
        scaler.update()
""",
            """\
import torch

def train(model, loader, optimizer):
    scaler = torch.amp.GradScaler("cuda")
    for i, (x, y) in enumerate(loader):
        optimizer.zero_grad()
        scaler.scale(model(x, y)).backward()
        scaler.step(optimizer)
        scaler.update()
        print(scaler.get_scale())
""",
            (11,),
        ),
    )

    def applies(self, occurrence: Occurrence) -> bool:
        return misplaced(occurrence) is Misplaced.REPEATED

    def is_harmless(self, occurrence: Occurrence, source: Source) -> bool:
        """Whether a loop over optimizers, each stepped and updated by itself, is not seen to have several."""
        name, at = occurrence.broken.optimizer or "", source.call_at(occurrence.do.site.span)
        return name.endswith("[*]") and (at is None or not _has_several(name.removesuffix("[*]"), at, source))

    def proven(self, occurrence: Occurrence) -> bool:
        """Not where a setting chooses what comes behind the first update: it may never do so."""
        return occurrence.proven and not _is_chosen(own_tests(occurrence.do, the_update(occurrence)))

    def place(self, occurrence: Occurrence) -> Do:
        return the_update(occurrence)

    def headline(self, occurrence: Occurrence) -> str:  # noqa: ARG002
        return "update() runs more than once in a step"

    def repair(self, occurrence: Occurrence) -> Repair | str:
        return put_right(occurrence)


def _is_chosen(tests: tuple[str, ...]) -> bool:
    """Whether a setting is among the tests: `'center' in cfg.LOSS` too."""
    return any(is_setting(_CONTAINED.sub("==", test)) for test in tests)


def _has_several(collection: str, at: ast.AST, source: Source) -> bool:
    """Whether the class or function around fills a list or a dictionary of this name with more than one thing."""
    owner = places.class_of(at, source)
    for node in source.nodes((ast.Assign,)):
        assert isinstance(node, ast.Assign)
        if collection in map(places.spelled, node.targets) and places.class_of(node, source) is owner:
            held = getattr(node.value, "elts", getattr(node.value, "values", ()))
            if len(held) > 1 or isinstance(node.value, (ast.ListComp, ast.DictComp)):
                return True
    return False
