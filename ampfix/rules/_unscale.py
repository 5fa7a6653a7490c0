"""The repair that several rules share: unscale the gradients in front of what needs their true values."""

from __future__ import annotations

from ampfix.findings import Applicability, Repair
from ampfix.program import Do, Occurrence, Site
from ampfix.protocol import EventKind
from ampfix.rules._path import condition, latest, place, reachable


def unscale_first(occurrence: Occurrence, use: Do, what: str) -> Repair | str:
    """Insert `unscale_` in front of an event (`what`, in words), or move there the one that comes too late."""
    scaler, optimizer = scaled_by(occurrence), _optimizer(occurrence)
    if scaler is None:
        return "the scaler is not known here"
    if optimizer is None:
        return "which optimizer holds these gradients is not known here"
    for site in use.site.frames():
        names = reachable(site, use, scaler, optimizer)
        if names is None:
            continue
        arguments = {"scaler": names[0], "optimizer": names[1], **_around(site, occurrence)}
        if occurrence.unscale is not None:
            elsewhere = occurrence.unscale.site
            if elsewhere.function != site.function:
                return f"{elsewhere.function} (line {elsewhere.span.start.line}) unscales these gradients as well"
            arguments["existing"] = place(elsewhere.statement)
        message = f"Insert `{names[0]}.unscale_({names[1]})` before {what}"
        return Repair("insert_unscale", Applicability.SAFE, message, site.statement, arguments)
    return f"no function on the way to {what} can name both {scaler} and {optimizer}"


def scaled_by(occurrence: Occurrence) -> str | None:
    """The scaler whose scale the gradients carry."""
    return next((do.event.scaler for do in reversed(occurrence.before) if do.event.scaler is not None), None)


def _optimizer(occurrence: Occurrence) -> str | None:
    """The optimizer of the gradients; one that is stepped later where the path itself named none."""
    named = occurrence.broken.optimizer
    kinds = (EventKind.SCALER_STEP, EventKind.UNSCALE, EventKind.OPTIMIZER_STEP)
    stepped = {
        name for do in (*occurrence.before, *occurrence.after) if do.event.kind in kinds for name in do.event.optimizers
    }
    return named if len(occurrence.broken.event.optimizers) == 1 and named in stepped else None


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
