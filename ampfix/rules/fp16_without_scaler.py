"""AMP201."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ampfix.findings import Applicability, Finding, Position, Repair, Severity, Span
from ampfix.program import CoveredRegion, Do, Occurrence, Routine, Source
from ampfix.program.tree import walk
from ampfix.protocol import EventKind, Violation
from ampfix.records import replace
from ampfix.rules import _places as places
from ampfix.rules._base import Invalid, ProtocolRule, local_name
from ampfix.rules._handmade import is_scaled, scales_by_hand
from ampfix.rules._scaled_otherwise import is_always_on, is_scaled_otherwise
from ampfix.rules._shapes import is_without_grad, method
from ampfix.rules._without_gradients import leaves_no_gradient

_BOTH = frozenset({"float16", "bfloat16"})
_ASKED = frozenset({"state_dict", "load_state_dict", "get_scale", "is_enabled", "print", "isinstance", "hasattr"})
_ENTERED = (EventKind.AUTOCAST_ENTER,)


class Fp16WithoutScaler(ProtocolRule):
    """A float16 forward is followed by a backward whose loss no scaler scaled.

    ## What it does
    Finds an autocast region in float16 (named, or CUDA's default), a plain `loss.backward()` after it and a plain
    `optimizer.step()`, in code that uses no scaler. A note where the region's dtype is chosen between the two halves.

    ## Why is this bad
    Gradients of half activations are computed in float16, where everything below about 3e-8 becomes zero. Where the
    loss is a mean over many outputs, or targets are small, most gradients vanish and training stalls without a message.

    ## Example
    ```python
    with torch.autocast("cuda", dtype=torch.float16):
        loss = criterion(model(x), y)
    loss.backward()
    optimizer.step()
    ```

    ## Use instead
    ```python
    scaler = torch.amp.GradScaler("cuda")
    ...
    with torch.autocast("cuda", dtype=torch.float16):
        loss = criterion(model(x), y)
    scaler.scale(loss).backward()
    scaler.step(optimizer)
    scaler.update()
    ```

    ## Fix safety
    Unsafe: the repaired loop skips steps on overflow and keeps a scale that checkpoints should hold. Where the hardware
    has bfloat16, that dtype without a scaler is the other way out.

    ## References
    - https://pytorch.org/docs/stable/amp.html#gradient-scaling
    """

    code, name, severity = "AMP201", "fp16-without-scaler", Severity.ERROR
    violations = (Violation.FP16_WITHOUT_SCALER,)
    fix = Applicability.UNSAFE
    scenarios = ("float16-under-bfloat16", "fp16-without-scaler")

    VALID = (
        """\
import torch

def train(model, loader, optimizer, criterion):
    for x, y in loader:
        optimizer.zero_grad()
        with torch.autocast("cuda", dtype=torch.bfloat16):
            loss = criterion(model(x), y)
        loss.backward()
        optimizer.step()
""",
        """\
import torch

def train(model, loader, optimizer, criterion, use_amp):
    scaler = torch.amp.GradScaler("cuda") if use_amp else None
    for x, y in loader:
        optimizer.zero_grad()
        with torch.autocast("cuda", enabled=use_amp):
            loss = criterion(model(x), y)
        if scaler is not None:
            scaler.scale(loss).backward()
            scaler.step(optimizer)
            scaler.update()
        else:
            loss.backward()
            optimizer.step()
""",
        """\
import torch

def train(model, loader, held_out, optimizer, criterion):
    for x, y in loader:
        with torch.no_grad(), torch.autocast("cuda", dtype=torch.float16):
            model(held_out)
        optimizer.zero_grad()
        with torch.autocast("cuda", dtype=torch.bfloat16):
            loss = criterion(model(x), y)
        loss.backward()
        optimizer.step()
""",
    )
    INVALID = (
        Invalid(
            """\
import torch

def train(model, loader, optimizer, criterion):
    for x, y in loader:
        optimizer.zero_grad()
        with torch.autocast("cuda", dtype=torch.float16):
            loss = criterion(model(x), y)
        loss.backward()
        optimizer.step()
""",
            """\
import torch

def train(model, loader, optimizer, criterion):
    scaler = torch.amp.GradScaler("cuda")
    for x, y in loader:
        optimizer.zero_grad()
        with torch.autocast("cuda", dtype=torch.float16):
            loss = criterion(model(x), y)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
""",
            (8,),
        ),
        Invalid(
            """\
import torch

def train(model, loader, optimizer, criterion, precision):
    dtype = torch.bfloat16 if precision == "bf16" else torch.float16
    for x, y in loader:
        optimizer.zero_grad()
        with torch.autocast("cuda", dtype=dtype):
            loss = criterion(model(x), y)
        loss.backward()
        optimizer.step()
""",
            None,
            (9,),
        ),
    )

    def check(self, source: Source) -> Iterator[Finding]:
        """Losses scaled by hand are another rule's business."""
        if not scales_by_hand(source) and not _evaluates_alone_in_half(source):
            for finding in (*super().check(source), *self._where_chosen(source)):
                backward = source.call_at(finding.span)
                if backward is None or not (is_scaled(backward, source) or is_scaled_otherwise(backward, source)):
                    yield finding
                elif not is_scaled(backward, source) and is_always_on(source):
                    yield replace(finding, severity=Severity.NOTE)  # of the way without the scaler, if one takes it

    def _where_chosen(self, source: Source) -> Iterator[Finding]:
        """Backwards behind a region whose dtype is one half or the other, in files that name no scaler."""
        if "scaler" in source.text.lower() and _uses_a_scaler(source):
            return
        regions = (one for one in source.regions if one.dtypes >= _BOTH and _trains(one, source))
        chosen = {source.span(one.opening).start for one in regions}
        seen = set[Span]()
        for routine in source.routines if chosen else ():
            backward = _behind(chosen, routine, source.path)
            if backward is not None and backward.site.span not in seen and not _hands_on_gradients(backward, source):
                seen.add(backward.site.span)
                yield self.finding(
                    source,
                    backward.site.span,
                    "the loss runs backward unscaled also where its region runs in float16, whose small gradients "
                    "vanish then",
                    proven=False,
                    symbol=backward.site.function,
                    repair="a GradScaler with enabled=(dtype is float16) serves both dtypes; where it is built is a "
                    "choice",
                )

    def applies(self, occurrence: Occurrence) -> bool:
        """Only where the gradients reach an optimizer and no scaler is about."""
        return _raw_steps(occurrence) != [] and not any(do.event.scaler for do in occurrence.routine.events)

    def is_harmless(self, occurrence: Occurrence, source: Source) -> bool:
        """Whether nothing that is trained went through a float16 region on the way."""
        entered = [do for do in occurrence.before if do.event.kind in _ENTERED and do.event.dtype == "float16"]
        regions = {source.span(region.opening).start: region for region in source.regions}
        found = [regions.get(do.site.span.start) for do in entered]
        return bool(found) and all(region is not None and leaves_no_gradient(region, source) for region in found)

    def headline(self, occurrence: Occurrence) -> str:  # noqa: ARG002
        return "the loss of a float16 forward runs backward unscaled"

    def repair(self, occurrence: Occurrence) -> Repair | str:
        do, steps = occurrence.do, _raw_steps(occurrence)
        optimizers = sorted({name for step in steps for name in step.event.optimizers})
        here = [step for step in steps if step.site.function == do.site.function]
        loops = _own_loops(do)
        if len(optimizers) != 1:
            return "several optimizers step; which of them share a scaler is a choice"
        optimizer = local_name(do, optimizers[0])
        if not here or optimizer is None:
            return "backward and the optimizer's step lie in different functions, so the scaler has to be handed over"
        if not do.subject:
            return "the loss has no name here"
        loss = local_name(do, do.subject)
        assert loss is not None, "a loss is named where it runs backward"
        arguments = {"loss": loss, "optimizer": optimizer, "step_line": str(here[0].site.span.start.line)}
        if loops:
            arguments["loop_line"] = str(loops[0])
        message = "Scale the loss, and step and update through a GradScaler"
        return Repair("add_scaler", Applicability.UNSAFE, message, do.site.statement, arguments)


def _hands_on_gradients(backward: Do, source: Source) -> bool:
    """Whether the function of a backward gives its gradients to other parameters: `copy.grad = weight.grad`."""
    call = source.call_at(backward.site.span)
    function = places.function_of(call, source) if call is not None else None
    return any(
        isinstance(node, ast.Assign)
        and isinstance(node.value, ast.Attribute)
        and node.value.attr == "grad"
        and any(isinstance(target, ast.Attribute) and target.attr == "grad" for target in node.targets)
        for node in (walk(function) if function is not None else ())
    )


def _trains(region: CoveredRegion, source: Source) -> bool:
    """Whether a region of the GPU may be on, where gradients are recorded."""
    return region.device != "cpu" and region.enabled is not False and not leaves_no_gradient(region, source)


def _uses_a_scaler(source: Source) -> bool:
    """Whether a scaler does anything but being built, saved and asked, here or wherever it is handed."""
    built = {one.node for one in source.scalers}
    return any(
        "scaler" in places.spelled(part).lower()
        for call in source.nodes((ast.Call,))
        if isinstance(call, ast.Call) and call not in built and method(call)[1] not in _ASKED
        for part in (call.func, *call.args, *(word.value for word in call.keywords))
        if isinstance(part, (ast.Name, ast.Attribute))
    )


def _evaluates_alone_in_half(source: Source) -> bool:
    """Whether the file's float16 regions all run without gradients: the loss comes from elsewhere."""
    in_half = {one.node for one in source.autocasts if "float16" in one.dtypes}
    entered = [region for region in source.regions if region.call in in_half]
    elsewhere = in_half - {region.call for region in entered}
    return bool(in_half) and all(
        is_without_grad(node, source) for node in (*(region.opening for region in entered), *elsewhere)
    )


def _behind(chosen: set[Position], routine: Routine, path: str) -> Do | None:
    """The first backward behind one of these regions, in a routine that steps an optimizer by itself."""
    events = [do for do in routine.events if do.site.path in ("", path)]
    if not any(do.event.kind is EventKind.OPTIMIZER_STEP for do in events):
        return None
    starts = (i for i, do in enumerate(events) if do.event.kind in _ENTERED and do.site.span.start in chosen)
    behind = events[next(starts, len(events)) :]
    return next((do for do in behind if do.event.kind is EventKind.BACKWARD), None)


def _raw_steps(occurrence: Occurrence) -> list[Do]:
    return [do for do in occurrence.routine.events if do.event.kind is EventKind.OPTIMIZER_STEP]


def _own_loops(do: Do) -> tuple[int, ...]:
    """The loops around an event inside its own function."""
    outer = len(do.site.caller.loops) if do.site.caller is not None else 0
    return do.site.loops[outer:]
