"""AMP202."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ampfix.findings import Applicability, Finding, Repair, Severity
from ampfix.patterns import pattern
from ampfix.program import Role, ScalerBuilt, Source
from ampfix.program.tree import walk
from ampfix.records import replace
from ampfix.rules import _places as places
from ampfix.rules._base import Invalid, Rule
from ampfix.rules._built_with import builds_optimizer, optimizer_built_with
from ampfix.rules._called_in_loops import leaving_out, turns_of
from ampfix.rules._makers import made_by_helpers
from ampfix.rules._passes import is_one_pass
from ampfix.rules._shapes import handed_in

_SPECIAL = pattern(r"__\w+__")
_EPOCH = pattern(r"^_?(train|training|fit|run)_?(one|an|single|this)?_?(epoch|step|batch|iter(ation)?)$|^epoch$")
_USES = ("scale", "step", "update", "unscale_")


class ScalerCreatedInLoop(Rule):
    """A GradScaler is built anew for every epoch, step or call, so its scale never settles.

    ## What it does
    Finds a scaler built inside the loop whose steps it scales, or in a function that runs once per epoch or step, while
    the optimizer lives on. A scaler built together with its optimizer, as once per fold or per trial, is left alone.

    ## Why is this bad
    The scale starts at 65536 again and again. What the last scaler learnt from overflows is lost: every epoch begins
    with skipped steps, and with a scaler per step each of them may be skipped, so that nothing trains at all.

    ## Example
    ```python
    for epoch in range(epochs):
        scaler = torch.amp.GradScaler("cuda")
        for x, y in loader:
            ...
    ```

    ## Use instead
    ```python
    scaler = torch.amp.GradScaler("cuda")
    for epoch in range(epochs):
        for x, y in loader:
            ...
    ```

    ## Fix safety
    Safe: the same construction moves in front of the loop, or to the caller, which hands the scaler in. It is refused
    where the construction reads a name that the loop assigns.

    ## References
    - https://pytorch.org/docs/stable/amp.html#torch.amp.GradScaler
    """

    code, name, severity = "AMP202", "scaler-created-in-loop", Severity.WARNING
    fix = Applicability.SAFE
    scenarios = ("scaler-per-step",)
    mentions = (("GradScaler",), (r"near:scaler(:=\s*[\w.]*scaler\(",))

    VALID = (
        """\
import torch

def cross_validate(folds, build, epochs):
    for fold in folds:
        model = build()
        optimizer = torch.optim.SGD(model.parameters(), 0.1)
        scaler = torch.amp.GradScaler("cuda")
        for epoch in range(epochs):
            for x, y in fold:
                optimizer.zero_grad()
                scaler.scale(model(x, y)).backward()
                scaler.step(optimizer)
                scaler.update()
""",
        """\
import torch

def train(model, loader, optimizer, epochs, start):
    scaler = None
    for epoch in range(epochs):
        if epoch == start:
            scaler = torch.amp.GradScaler("cuda")
        for x, y in loader:
            optimizer.zero_grad()
            scaler.scale(model(x, y)).backward()
            scaler.step(optimizer)
            scaler.update()
""",
        """\
import torch

def make_scalers(optimizers):
    return [torch.amp.GradScaler("cuda") for _ in optimizers]
""",
    )
    INVALID = (
        Invalid(
            """\
import torch

def train(model, head, loader, optimizer):
    for x, y in loader:
        adapting = torch.optim.SGD(head.parameters(), 0.1)
        head(x).sum().backward()
        adapting.step()
        scaler = torch.amp.GradScaler("cuda")
        with torch.autocast("cuda"):
            loss = model(x, y)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        optimizer.zero_grad()
""",
            """\
import torch

def train(model, head, loader, optimizer):
    scaler = torch.amp.GradScaler("cuda")
    for x, y in loader:
        adapting = torch.optim.SGD(head.parameters(), 0.1)
        head(x).sum().backward()
        adapting.step()
        with torch.autocast("cuda"):
            loss = model(x, y)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        optimizer.zero_grad()
""",
            (8,),
        ),
        Invalid(
            """\
import torch

def train(model, loader, optimizer, epochs, use_amp):
    for epoch in range(epochs):
        scaler = torch.amp.GradScaler("cuda", enabled=use_amp)
        for x, y in loader:
            optimizer.zero_grad()
            scaler.scale(model(x, y)).backward()
            scaler.step(optimizer)
            scaler.update()
""",
            """\
import torch

def train(model, loader, optimizer, epochs, use_amp):
    scaler = torch.amp.GradScaler("cuda", enabled=use_amp)
    for epoch in range(epochs):
        for x, y in loader:
            optimizer.zero_grad()
            scaler.scale(model(x, y)).backward()
            scaler.step(optimizer)
            scaler.update()
""",
            (5,),
        ),
        Invalid(
            """\
import torch

def train_one_epoch(model, loader, optimizer):
    scaler = torch.amp.GradScaler("cuda")
    for x, y in loader:
        optimizer.zero_grad()
        scaler.scale(model(x, y)).backward()
        scaler.step(optimizer)
        scaler.update()

def main(model, loader, optimizer):
    for epoch in range(10):
        train_one_epoch(model, loader, optimizer)
""",
            """\
import torch

def train_one_epoch(model, loader, optimizer, scaler):
    for x, y in loader:
        optimizer.zero_grad()
        scaler.scale(model(x, y)).backward()
        scaler.step(optimizer)
        scaler.update()

def main(model, loader, optimizer):
    scaler = torch.amp.GradScaler("cuda")
    for epoch in range(10):
        train_one_epoch(model, loader, optimizer, scaler=scaler)
""",
            (4,),
        ),
    )

    def check(self, source: Source) -> Iterator[Finding]:
        for scaler in (*source.scalers, *made_by_helpers(source)):
            off = scaler.arguments is not None and places.is_constant(scaler.arguments.get("enabled"), False)
            if off:
                continue
            if scaler.target and _drives_steps(scaler, source):
                yield from self._in_loop(scaler, source) or self._in_function(scaler, source)
            elif not scaler.target:
                yield from self._in_call(scaler, source)

    def _in_call(self, scaler: ScalerBuilt, source: Source) -> Iterator[Finding]:
        """Built where it is handed on, in loops that keep the optimizer which is handed on beside it."""
        call = next(iter(source.ancestors(scaler.node)))
        if isinstance(call, ast.keyword):
            call = next(iter(source.ancestors(call)))
        if not isinstance(call, ast.Call):
            return
        beside = {places.spelled(one) for one in handed_in(call) if source.held(one).role is Role.OPTIMIZER}
        kept = [loop for loop in places.loops_around(call, source) if not beside & places.assigned_in(loop)]
        if beside and kept and not builds_optimizer(kept[0], source, beside):
            yield self.finding(
                source,
                source.span(scaler.node),
                "a scaler is built anew for every turn of the loop, so its scale starts over and never settles",
                symbol=getattr(places.function_of(call, source), "name", ""),
                repair="give the scaler a name in front of the loop, and hand that in",
            )

    def _in_loop(self, scaler: ScalerBuilt, source: Source) -> list[Finding]:
        """Built inside loops of its own function that keep the optimizer."""
        around = places.loops_around(scaler.node, source)
        stepped = _stepped_by(scaler, source) if around else set()
        kept = [loop for loop in around if not builds_optimizer(loop, source, stepped)]
        if not kept or optimizer_built_with(scaler.target, kept[0], source):
            return []
        outer = kept[-1]
        changing = places.assigned_in(outer)
        tests = places.tests_around(scaler.node, source, outer)
        if any(places.names_in(test) & changing or _asks_once(test, scaler) for test in tests):
            return []
        uses = [call for call in places.methods_called(kept[0], "scale") if places.receiver(call) == scaler.target]
        each_step = any(places.loops_around(call, source)[:1] == kept[:1] for call in uses)
        if not uses and not _handed_on(kept[0], scaler):
            return []
        often = "step" if each_step else "turn of the loop"
        finding = self.finding(
            source,
            source.span(scaler.node),
            f"{scaler.target} is built anew for every {often}, so its scale starts over and never settles",
            symbol=getattr(places.function_of(scaler.node, source), "name", ""),
            repair=self._repair(scaler, {"loop_line": str(getattr(outer, "lineno", 0))}, source),
        )
        return [replace(finding, severity=Severity.ERROR if each_step else Severity.WARNING)]

    def _in_function(self, scaler: ScalerBuilt, source: Source) -> list[Finding]:
        """Built in a function that runs again and again on an optimizer of its caller."""
        function = places.function_of(scaler.node, source)
        if function is None or isinstance(function, ast.Lambda) or _SPECIAL.fullmatch(function.name):
            return []
        uses = [call for call in places.methods_called(function, "scale") if places.receiver(call) == scaler.target]
        if not uses and not _handed_on(function, scaler):
            return []
        is_kept = any(_asks_once(test, scaler) for test in places.tests_around(scaler.node, source))
        if is_kept and scaler.target not in places.parameters(function):
            return []
        stepped = _stepped_by(scaler, source)
        if builds_optimizer(function, source) and builds_optimizer(function, source, stepped):
            return []
        if optimizer_built_with(scaler.target, function, source):
            return []
        looped = turns_of(function, stepped, source)
        if is_kept:
            looped = leaving_out(scaler.target, function, looped)
        proven = bool(looped)
        if not proven and (
            is_kept or any(places.calls_of(function, source)) or not _is_one_turn(function, uses, source)
        ):
            return []
        each_step = proven and bool(uses) and not any(places.loops_around(call, source) for call in uses)
        seen_here = proven and not is_kept and all(one.source is source for one in looped)
        finding = self.finding(
            source,
            source.span(scaler.node),
            f"{scaler.target} is built anew by every call of {function.name}, so its scale starts over each time",
            proven=proven,
            symbol=function.name,
            repair=self._repair(scaler, {}, source)
            if seen_here
            else f"{function.name} is called by other files; build the scaler beside the optimizer and hand it in",
        )
        return [replace(finding, severity=Severity.ERROR) if each_step else finding]

    def _repair(self, scaler: ScalerBuilt, arguments: dict[str, str], source: Source) -> Repair:
        message = f"Build {scaler.target} once, in front of the loop"
        return Repair("hoist_scaler", Applicability.SAFE, message, source.span(scaler.node), arguments)


def _drives_steps(scaler: ScalerBuilt, source: Source) -> bool:
    return any(
        places.receiver(call) == scaler.target for call in places.all_methods_called(source, *_USES)
    ) or _handed_on(source.tree, scaler)


def _handed_on(root: ast.AST, scaler: ScalerBuilt) -> bool:
    calls = (node for node in walk(root) if isinstance(node, ast.Call))
    return any(places.spelled(value) == scaler.target for call in calls for value in handed_in(call))


def _stepped_by(scaler: ScalerBuilt, source: Source) -> set[str]:
    """The optimizers that the scaler is seen to step, as written."""
    calls = [*places.all_methods_called(source, "step"), *places.all_methods_called(source, "unscale_")]
    return {places.spelled(call.args[0]) for call in calls if call.args and places.receiver(call) == scaler.target}


def _is_one_turn(function: ast.FunctionDef | ast.AsyncFunctionDef, uses: list[ast.Call], source: Source) -> bool:
    """Whether a function that nobody is seen to call is for one epoch or step, by its name or by what it does."""
    has_epoch = any(one.arg in ("epoch", "epoch_idx") for one in function.args.args)
    return has_epoch or _EPOCH.search(function.name) is not None or is_one_pass(function, uses, source)


def _asks_once(test: ast.expr, scaler: ScalerBuilt) -> bool:
    """`if self.scaler is None`, `if not hasattr(self, "scaler")`: it is built the first time alone."""
    text = places.spelled(test)
    return scaler.target in text or scaler.target.rpartition(".")[2] in text
