"""Pages of `ampfix memory` and `ampfix advise`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from markupsafe import Markup

from ampfix.report import pages
from ampfix.report.bars import Bar, stacked
from ampfix.report.sizes import bytes_text

if TYPE_CHECKING:
    from ampfix.hardware.advice import Advice
    from ampfix.hardware.memory import Measured, Need


def render_memory(
    model: str, parameters: int, optimizer: str, needs: Sequence[Need], measured: Sequence[Measured]
) -> str:
    """What training a model takes, by precision, as a page."""
    bars = [
        Bar(
            need.precision,
            (
                ("weights", float(need.weights)),
                ("gradients", float(need.gradients)),
                ("optimizer", float(need.optimizer)),
                ("cast cache", float(need.cast_cache)),
                ("activations", float(need.activations[1]) if need.activations else 0.0),
            ),
        )
        for need in needs
    ]
    return pages.render(
        "memory.html.jinja",
        model=model,
        parameters=parameters,
        optimizer=optimizer,
        needs=needs,
        measured=measured,
        stack=Markup(stacked(bars, "memory by precision", bytes_text)),
    )


def render_advice(device: str, model: str, advice: Advice) -> str:
    """A dtype and settings for a device, with their reasons, as a page."""
    return pages.render("advise.html.jinja", device=device, model=model, advice=advice)
