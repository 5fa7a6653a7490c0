"""A watched run as one HTML page: losses, the loss scale with its skips, gradients, ranges and what went wrong."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from markupsafe import Markup

from ampfix.report import pages
from ampfix.report.bars import Bar, stacked
from ampfix.report.curves import Curve, line_chart, scale_chart
from ampfix.report.findings_diff import Repair, repairs
from ampfix.report.histogram import ZONES, Counts, LayerRange, geometry, histogram, range_rows, shares
from ampfix.report.sizes import count_text
from ampfix.report.watch_record import Record, records, together

MOST_ALARMS, MOST_LAYERS, MOST_CURVES = 60, 40, 6
_SLIDER = 30
"""Exponents to either side that the slider of the loss scale goes."""


@dataclass(frozen=True)
class Slider:
    """A histogram that a slider moves: the chart, its first state as text, and what the script needs."""

    chart: Markup
    shift: int
    lowest: int
    highest: int
    names: list[str]
    shares: list[tuple[str, float]]
    data: str
    ends: str
    geometry: Any


def render(folder: Path, others: Mapping[str, Record] | None = None) -> str:
    """The page of a folder that `ampfix watch` left.

    others: records whose losses are laid over this one's, by name, such as that of a run in float32.
    Raises OSError, and ValueError where the folder holds no record.
    """
    first, *ranks = records(folder)
    bad = bad_op(folder, first)
    return pages.render(
        "watch.html.jinja",
        record=first,
        ranks=ranks,
        argv=" ".join(_script(first.begin.get("argv", ()))),
        ended=_ended(first),
        alarms=first.alarms[:MOST_ALARMS],
        more_alarms=max(0, len(first.alarms) - MOST_ALARMS),
        bad=bad,
        repairs=repairs(first.alarms),
        **charts(first, others or {}),
    )


def charts(record: Record, others: Mapping[str, Record]) -> dict[str, Any]:
    """Everything of a record that is drawn; None for what it does not tell."""
    losses = _curves(record, "loss", others)
    norms = _curves(record, "grad_norm", {}, "as the step uses it") + _clipped(record)
    scales = _scales(record)
    rates = _curves(record, "lr", {})
    return {
        "loss": Markup(line_chart(losses, "loss")) if losses else None,
        "scale": Markup(scale_chart(scales, record.skipped)) if scales else None,
        "norm": Markup(line_chart(norms, "gradient norm")) if norms else None,
        "rate": Markup(line_chart(rates, "learning rate")) if rates else None,
        "work": _work(record),
        "slider": _slider(record),
        "layers": _layers(record.layers),
        "advice": record.advice,
        "forecast": record.forecast,
    }


def bad_op(folder: Path, record: Record) -> Mapping[str, Any] | None:
    """The alarm that names the first bad op: a replay's where there was one, else the run's own."""
    replayed = folder / "replay" / record.path.name
    lines = list(record.alarms)
    if replayed.is_file():
        lines = [*records(replayed.parent)[0].alarms, *lines]
    return next((alarm for alarm in lines if (alarm.get("evidence") or {}).get("op")), None)


def _script(argv: Sequence[Any]) -> list[str]:
    """The script and its arguments, without the command that watched it."""
    words = [str(word) for word in argv]
    if "watch" not in words[:2]:
        return words
    starts = [words.index(mark) for mark in ("--", "-m") if mark in words]
    return words[min(starts) + (words[min(starts)] == "--") :] if starts else words


def _ended(record: Record) -> str:
    if record.error is not None:
        return _told(record.error)
    if record.end is None:
        return f"did not end by itself: it was killed, or goes on{_last_seen(record)}"
    return f"ended after {float(record.end.get('seconds', 0)):.3g} s"


def _told(error: Mapping[str, Any]) -> str:
    message = f": {error['message']}" if error.get("message") else ""
    place = f" at {error['path']}:{error.get('line')}" if error.get("path") else ""
    return f"ended by {error.get('type')}{message}{place}"


def _last_seen(record: Record) -> str:
    if not record.steps:
        return ", before its first step"
    last = record.steps[-1]
    return f"; attempt {last.get('attempt')} is the last that was seen, {float(last.get('t', 0)):.3g} s after its start"


def _curves(record: Record, field: str, others: Mapping[str, Record], name: str = "as written") -> list[Curve]:
    """A curve for each optimizer of each run: each steps on a loss of its own."""
    found = []
    for run, one in ((name, record), *others.items()):
        named = one.optimizers[:MOST_CURVES]
        labels = {each: run if len(named) == 1 else f"{each}, {run}" if others else each for each in named}
        found += [(labels[each], one.curve(field, each)) for each in named]
    return [Curve(label, points, f"tone-{index % 8}") for index, (label, points) in enumerate(found) if points]


def _clipped(record: Record) -> list[Curve]:
    named = record.optimizers[:MOST_CURVES]
    found = [(each, record.curve("norm_before_clip", each)) for each in named]
    return [
        Curve(f"{each}, before the clip" if len(named) > 1 else "before the clip", points, f"tone-{(5 + index) % 8}")
        for index, (each, points) in enumerate(found)
        if points
    ]


def _scales(record: Record) -> list[Curve]:
    """The scaler's scale; where there are several scalers, that of each optimizer."""
    scalers = int((record.end or {}).get("scalers") or 1)
    named = record.optimizers[:MOST_CURVES] if scalers > 1 else [None]
    found = [(each or "", record.curve("scale", each)) for each in named]
    return [Curve(label, points, f"tone-{index % 8}") for index, (label, points) in enumerate(found) if points]


def _work(record: Record) -> Markup | None:
    work = record.work
    if not sum(work.values()):
        return None
    parts = tuple((name, float(amount)) for name, amount in sorted(work.items()) if amount)
    note = f"{sum(work.values()):.3g}".replace("e+", "e")
    bar = Bar("matrix work", parts, f"{note} FLOP")
    return Markup(stacked([bar], "floating point operations by dtype", lambda value: f"{count_text(value)}FLOP"))


def _slider(record: Record) -> Slider | None:
    gradients = [layer for layer in record.layers if layer.side == "gradient" and layer.counts][:MOST_LAYERS]
    if not gradients:
        return None
    every: list[tuple[str, Counts]] = [("all layers", together(gradients))]
    every += [(layer.label, layer.counts) for layer in gradients]
    shift = _first_shift(record)
    counts = [one for _, one in every]
    place, _ = geometry(counts)
    data = [{"low": min(one), "counts": [one.get(at, 0) for at in range(min(one), max(one) + 1)]} for one in counts]
    return Slider(
        chart=Markup(histogram(counts, shift)),
        shift=shift,
        lowest=min(0, shift),
        highest=max(_SLIDER, shift),
        names=[name for name, _ in every],
        shares=list(shares(counts[0], shift).items()),
        data=json.dumps(data, separators=(",", ":")),
        ends=json.dumps([end for _, end in ZONES]),
        geometry=place,
    )


def _first_shift(record: Record) -> int:
    """log2 of the scale in force, of the recommended one where there was none."""
    scales = [value for _, value in record.curve("scale") if 0 < value < math.inf]
    if scales:
        return round(math.log2(scales[-1]))
    return int(record.advice.get("recommended") or 0)


def _layers(found: Sequence[LayerRange]) -> Markup | None:
    """Layers that want float32 first to be kept, in the order of the run."""
    shown = [layer for layer in found if layer.counts]
    if not shown:
        return None
    if len(shown) > MOST_LAYERS:
        kept = sorted(shown, key=lambda layer: not (layer.wants or layer.nonfinite))[:MOST_LAYERS]
        shown = [layer for layer in shown if layer in kept]
    return Markup(range_rows(shown))


__all__ = ["MOST_ALARMS", "Repair", "bad_op", "charts", "render"]
