"""The repair that several rules share: unscale the gradients in front of what needs their true values."""

from __future__ import annotations

from ampfix.findings import Applicability, Repair
from ampfix.program import Do, Occurrence, Site
from ampfix.protocol import EventKind
from ampfix.rules._base import as_argument
from ampfix.rules._path import condition, latest, own_tests, reachable


def unscale_first(occurrence: Occurrence, use: Do, what: str) -> Repair | str:
    """Insert `unscale_` in front of an event (`what`, in words), or move there the one that comes too late."""
    scaler, optimizers = scaled_by(occurrence), _optimizers(occurrence, use)
    if scaler is None:
        return "the scaler is not known here"
    if not optimizers:
        return "which optimizer holds these gradients is not known here"
    for site in use.site.frames():
        names = reachable(site, use, scaler, *optimizers)
        if names is None:
            continue
        arguments = {"scaler": names[0], "optimizer": ";".join(names[1:]), **_around(site, occurrence)}
        if occurrence.unscale is not None:
            if len(optimizers) > 1:
                return "one of several optimizers is unscaled; unscale those whose gradients these are"
            elsewhere = occurrence.unscale.site
            if elsewhere.function != site.function:
                return f"{elsewhere.function} (line {elsewhere.span.start.line}) unscales these gradients as well"
            arguments["existing"] = as_argument(elsewhere.statement)
        calls = " and ".join(f"`{names[0]}.unscale_({name})`" for name in names[1:])
        message = f"Insert {calls} before {what}"
        return Repair("insert_unscale", Applicability.SAFE, message, site.statement, arguments)
    return f"no function on the way to {what} can name both {scaler} and {' and '.join(optimizers)}"


def scaled_by(occurrence: Occurrence) -> str | None:
    """The scaler whose scale the gradients carry."""
    return next((do.event.scaler for do in reversed(occurrence.before) if do.event.scaler is not None), None)


def _optimizers(occurrence: Occurrence, use: Do) -> tuple[str, ...]:
    """The optimizers to unscale: the one whose gradients they are, or, where that is not known, every one that steps
    through the scaler behind it."""
    held = occurrence.broken.event.optimizers
    kinds = (EventKind.SCALER_STEP, EventKind.UNSCALE, EventKind.OPTIMIZER_STEP)
    events = (*occurrence.before, *occurrence.after)
    stepped = {name for do in events if do.event.kind in kinds for name in do.event.optimizers}
    if len(held) == 1:
        return held if held[0] in stepped else ()
    behind: list[str] = []
    for do in occurrence.routine.events:
        if (
            do.event.kind is EventKind.SCALER_STEP
            and not own_tests(do, use)
            and do.site.span.start > use.site.span.start
        ):
            behind += (name for name in do.event.optimizers if name not in behind and not name.endswith("]"))
    return tuple(behind) if set(behind) == set(held) else ()


def _around(site: Site, occurrence: Occurrence) -> dict[str, str]:
    """condition: the tests around the scaled backward that are not around the place; elsewhere the gradients are not
    scaled. loop: the outermost loop around it that is not around the backward: unscaling inside would raise."""
    backward = latest(occurrence.before, EventKind.BACKWARD)
    if backward is None:
        return {}
    found: dict[str, str] = {}
    if tests := condition(site, backward):
        found["condition"] = tests
    inner = [line for line in site.loops if line not in backward.site.loops]
    if inner:
        found["loop"] = str(inner[0])
    return found
