"""AMP208."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ampfix.findings import Applicability, Finding, Repair, Severity
from ampfix.program import AutocastOpened, ScalerBuilt, Source
from ampfix.program.tree import walk
from ampfix.rules import _places as places
from ampfix.rules import _switches as switches
from ampfix.rules._base import Invalid, Rule
from ampfix.rules._flags import besides_the_device, is_handed_on, is_kept_as, is_left_to_callers, named_flags, related


class IndependentEnableFlags(Rule):
    """The autocast region and the scaler of one loop are switched by different conditions.

    ## What it does
    Compares what enables the float16 region with what enables the scaler of the same function. A scaler that stays on
    while the region is off does no harm and is left alone, and so is a scaler that is switched by the dtype or device.

    ## Why is this bad
    Where the flags differ, the forward runs in float16 and the loss is not scaled: small gradients vanish, and nothing
    tells. It shows only with the one combination of options that nobody tried.

    ## Example
    ```python
    scaler = torch.amp.GradScaler("cuda", enabled=args.amp)
    ...
    with torch.autocast("cuda"):
    ```

    ## Use instead
    ```python
    scaler = torch.amp.GradScaler("cuda", enabled=args.amp)
    ...
    with torch.autocast("cuda", enabled=args.amp):
    ```

    ## Fix safety
    Unsafe: with the other setting of the flag the run now has a different precision.

    ## References
    - https://pytorch.org/docs/stable/amp.html#gradient-scaling
    """

    code, name, severity = "AMP208", "independent-enable-flags", Severity.WARNING
    fix = Applicability.UNSAFE
    scenarios = ("independent-flags",)
    mentions = (("GradScaler", "enabled", "autocast"), ("GradScaler(", "autocast("))

    VALID = (
        """\
import torch

def train(model, loader, optimizer, use_amp, dtype):
    scaler = torch.amp.GradScaler("cuda", enabled=use_amp and dtype is torch.float16)
    for x, y in loader:
        optimizer.zero_grad()
        with torch.autocast("cuda", dtype=dtype, enabled=use_amp):
            loss = model(x, y)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
""",
        """\
import torch

def train(model, loader, optimizer, args):
    scaler = torch.amp.GradScaler("cuda", enabled=args.amp)
    for x, y in loader:
        optimizer.zero_grad()
        if args.amp:
            with torch.autocast("cuda"):
                loss = model(x, y)
        else:
            loss = model(x, y)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
""",
        """\
import torch

def train(model, loader, optimizer, use_amp):
    scaler = torch.amp.GradScaler("cuda")
    for x, y in loader:
        optimizer.zero_grad()
        with torch.autocast("cuda", enabled=use_amp):
            loss = model(x, y)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
""",
        """\
import torch

def train(model, loader, optimizer, args):
    scaler = torch.amp.GradScaler("cuda", enabled=args.amp)
    use_scaler = args.amp
    for x, y in loader:
        optimizer.zero_grad()
        with torch.autocast("cuda", enabled=args.amp):
            loss = model(x, y)
        if use_scaler:
            scaler.scale(loss).backward()
            scaler.step(optimizer)
            scaler.update()
        else:
            loss.backward()
            optimizer.step()
""",
        """\
import torch

class Trainer:
    def __init__(self, precision):
        if precision == "fp16":
            self.dtype, self.use_amp, self.use_scaler = torch.float16, True, True
        else:
            self.dtype, self.use_amp, self.use_scaler = torch.bfloat16, True, False
        self.scaler = torch.amp.GradScaler("cuda", enabled=self.use_scaler)

    def step(self, model, x, y, optimizer):
        with torch.autocast("cuda", dtype=self.dtype, enabled=self.use_amp):
            loss = model(x, y)
        self.scaler.scale(loss).backward()
        self.scaler.step(optimizer)
        self.scaler.update()
""",
    )
    INVALID = (
        Invalid(
            """\
import torch

def train(model, loader, optimizer, parser):
    args = parser.parse_args()
    scaler = torch.amp.GradScaler("cuda", enabled=args.use_amp)
    for x, y in loader:
        optimizer.zero_grad()
        with torch.autocast("cuda", enabled=args.use_amp):
            loss = model(x, y)
        if args.get("scaler", False):
            scaler.scale(loss).backward()
            scaler.step(optimizer)
            scaler.update()
        else:
            loss.backward()
            optimizer.step()
""",
            None,
            (11,),
        ),
        Invalid(
            """\
import torch

def train(model, loader, optimizer, args):
    scaler = torch.amp.GradScaler("cuda", enabled=args.amp)
    for x, y in loader:
        optimizer.zero_grad()
        with torch.autocast("cuda"):
            loss = model(x, y)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
""",
            """\
import torch

def train(model, loader, optimizer, args):
    scaler = torch.amp.GradScaler("cuda", enabled=args.amp)
    for x, y in loader:
        optimizer.zero_grad()
        with torch.autocast("cuda", enabled=args.amp):
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

def train(model, loader, optimizer, mixed, scaled):
    scaler = torch.amp.GradScaler("cuda", enabled=scaled)
    for x, y in loader:
        optimizer.zero_grad()
        with torch.autocast("cuda", enabled=mixed):
            loss = model(x, y)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
""",
            """\
import torch

def train(model, loader, optimizer, mixed, scaled):
    scaler = torch.amp.GradScaler("cuda", enabled=mixed)
    for x, y in loader:
        optimizer.zero_grad()
        with torch.autocast("cuda", enabled=mixed):
            loss = model(x, y)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
""",
            (4,),
        ),
    )

    def check(self, source: Source) -> Iterator[Finding]:
        for scaler in source.scalers:
            enabled = (scaler.arguments or {}).get("enabled")
            if enabled is None or isinstance(enabled, ast.Constant) or scaler.optional:
                continue
            flag = besides_the_device(enabled, source)
            if flag is None or switches.speaks_of_dtype(" ".join(switches.spellings(enabled, source))):
                continue
            if switches.tests_before(scaler, source) or is_handed_on(enabled, True, source):
                continue
            for region in _regions_of(scaler, source):
                yield from self._compare(source, scaler, flag, region)
            if flag is enabled:
                yield from self._used_apart(source, scaler)

    def _used_apart(self, source: Source, scaler: ScalerBuilt) -> Iterator[Finding]:
        """Where a flag that the region does not know decides whether the loss is scaled or runs plain."""
        for call in switches.scale_calls(scaler, source):
            for region in _regions_of(scaler, source):
                test = _unrelated_test(call, region, scaler, source)
                if test is None:
                    continue
                yield self.finding(
                    source,
                    source.span(call),
                    f"{scaler.target} scales only with {places.spelled(test)}, and the region may be on without it: "
                    "float16 is unscaled then",
                    symbol=getattr(places.function_of(call, source), "name", ""),
                    repair="let one flag decide on both: build the scaler with it as `enabled`, and always scale",
                )
                break

    def _compare(
        self, source: Source, scaler: ScalerBuilt, flag: ast.expr, region: AutocastOpened
    ) -> Iterator[Finding]:
        """flag: what switches the scaler, but for the device."""
        enabled, built = (scaler.arguments or {})["enabled"], scaler.target or "the scaler"
        if switches.comes_with(flag, region, source) or is_kept_as(enabled, region.enabled, source):
            return
        switch = places.spelled(enabled)
        if region.enabled is None or switches.is_on(region.enabled):
            message = f"the region is on in any case and {built} only with {switch}: without it float16 is unscaled"
            at, value, old = region.node, enabled, region.enabled
        elif not related(flag, region.enabled, source) and not is_left_to_callers(flag, region.enabled, source):
            other = places.spelled(region.enabled)
            message = f"{built} is switched by {switch} and the region by {other}, which may differ"
            at, value, old = scaler.node, region.enabled, enabled
        else:
            return
        repair: Repair | str = f"{places.spelled(value)} is not known there; let one flag switch both"
        if switches.reachable(value, at, source):
            arguments = {"value": source.segment(value), **({"old": source.segment(old)} if old is not None else {})}
            repair = Repair("set_enabled", Applicability.UNSAFE, "Switch both by one flag", source.span(at), arguments)
        name = getattr(places.function_of(at, source), "name", "")
        yield self.finding(source, source.span(at), message, symbol=name, repair=repair)


def _regions_of(scaler: ScalerBuilt, source: Source) -> list[AutocastOpened]:
    """Regions that may be float16, in functions in which the scaler scales, under no test of their own."""
    functions = {places.function_of(call, source) for call in switches.scale_calls(scaler, source)}
    entered = {one.call: one.node for one in source.regions}
    return [
        region
        for region in switches.training_regions(source)
        if places.function_of(at := entered.get(region.node, region.node), source) in functions
        and "float16" in region.dtypes
        and not any(places.tests_around(one, source) for one in (at, region.node))
    ]


def _unrelated_test(call: ast.Call, region: AutocastOpened, scaler: ScalerBuilt, source: Source) -> ast.expr | None:
    """A test of a setting around a scaling, with a plain backward on its other side, that says nothing of the region's
    switch."""
    if region.enabled is None or isinstance(region.enabled, ast.Constant):
        return None
    for around in places.within_function(call, source):
        if not isinstance(around, ast.If) or not any(call in walk(one) for one in around.body):
            continue
        test = around.test
        is_flag = isinstance(test, ast.Attribute) or (
            isinstance(test, ast.Call) and isinstance(test.func, ast.Attribute) and test.func.attr == "get"
        )
        plain = any(True for one in around.orelse for _ in places.methods_called(one, "backward"))
        text = " ".join(switches.spellings(test, source))
        said = (
            switches.speaks_of_dtype(text) or switches.speaks_of_device(text) or scaler.target in places.names_in(test)
        )
        alike = named_flags(test, source) & named_flags(region.enabled, source) or switches.set_together(
            test, region.enabled, source
        )
        if is_flag and plain and not said and not alike:
            return test
    return None
