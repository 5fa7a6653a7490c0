"""What a run reported about itself: its summary and its events.

Both were written by an untrusted process, so every value is checked.
"""

from __future__ import annotations

import itertools
import json
import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ampfix
from ampfix.lab.curves import Curve, read_curve
from ampfix.lab.models import Model
from ampfix.protocol import Event, EventKind, replay
from ampfix.watch import records

EVENTS, SUMMARY = "events.jsonl", "summary.json"

_LONGEST_LINE = 1 << 16
_MOST_OPTIMIZERS = 64  # a real loop has a handful
_MOST_SCALERS = 4096  # a loop with the bug of making one each iteration has many
_DEEPEST_AUTOCAST = 64
_MOST_WORK = 500_000  # optimizers touched, summed over events: some seconds of replaying
_LARGEST_COUNT = 1 << 53
_LONGEST_TEXT = 500
_LONGEST_OUTPUT = 2000  # characters: a traceback and the lines before it
_HOME = f"{Path(ampfix.__file__).resolve().parent.parent}{os.sep}"


class Malformed(ValueError):
    """A report that no recorder writes; the message is one line."""


class Breach(Model):
    """A violation of the protocol at one place of the loop, and how often it happened."""

    violation: str
    path: str
    line: int
    first_step: int
    count: int


class Failure(Model):
    """The exception that ended a loop."""

    type: str
    message: str
    place: str
    unsupported: bool


class Account(Model):
    """A run's own account of itself."""

    completed: bool
    failure: Failure | None
    batches: int
    loop_s: float
    attempts: int
    skipped: int
    final_scale: float | None
    flops: dict[str, float]
    aligned: float | None = None
    peak_bytes: int | None = None
    curve: Curve = Curve()


def read_account(path: Path) -> Account:
    """The summary. Raises Malformed."""
    try:
        raw = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise Malformed(f"no readable summary: {type(error).__name__}") from None
    fields = _mapping(raw, "summary")
    facts = _mapping(fields.get("facts"), "facts")
    flops = _mapping(facts.get("flops"), "flops")
    failure = fields.get("error")
    return Account(
        completed=fields.get("completed") is True,
        failure=None if failure is None else _failure(_mapping(failure, "error")),
        batches=_count(fields, "batches"),
        loop_s=_number(fields, "loop_s"),
        attempts=_count(facts, "attempts"),
        skipped=_count(facts, "skipped"),
        final_scale=None if facts.get("final_scale") is None else _number(facts, "final_scale"),
        flops={name: _number(flops, name) for name in flops},
        aligned=_share(_mapping(facts.get("half_products", {}), "half_products")),
        peak_bytes=None if fields.get("device") is None else _count(_mapping(fields["device"], "device"), "peak_bytes"),
        curve=read_curve(facts),
    )


def read_breaches(path: Path) -> tuple[Breach, ...]:
    """Replay the recorded events through the protocol: each violation once per place, in order. Raises Malformed."""
    seen: dict[tuple[str, str, int], list[int]] = {}
    for broken in replay(_events(path)):
        place = (broken.violation.value, broken.event.path, broken.event.line)
        first_and_count = seen.setdefault(place, [broken.event.step, 0])
        first_and_count[1] += 1
    return tuple(
        Breach(violation=violation, path=one_line(where), line=line, first_step=first, count=count)
        for (violation, where, line), (first, count) in seen.items()
    )


def _events(path: Path) -> Iterator[Event]:
    if not path.is_file():
        return
    bounds = _Bounds()
    with path.open("rb") as lines:
        for number in itertools.count(1):
            line = lines.readline(_LONGEST_LINE)
            if not line:
                return
            try:
                event = records.loads(line.decode("utf-8"))
                bounds.admit(event)
            except ValueError as error:
                raise Malformed(f"event {number}: {error}") from None
            yield event


class _Bounds:
    """Keeps the replay's cost linear and small, whatever was written: its state grows with names and open regions."""

    def __init__(self) -> None:
        self._optimizers: set[str] = set()
        self._scalers: set[str | None] = set()
        self._depth = 0
        self._work = 0

    def admit(self, event: Event) -> None:
        """Raise ValueError for an event that no training loop gets to."""
        self._optimizers.update(event.optimizers)
        self._scalers.add(event.scaler)
        self._depth += {EventKind.AUTOCAST_ENTER: 1, EventKind.AUTOCAST_EXIT: -1}.get(event.kind, 0)
        self._work += max(1, len(event.optimizers), len(self._optimizers))
        if len(self._optimizers) > _MOST_OPTIMIZERS or len(self._scalers) > _MOST_SCALERS:
            raise ValueError(f"more than {_MOST_OPTIMIZERS} optimizers or {_MOST_SCALERS} scalers")
        if self._depth > _DEEPEST_AUTOCAST:
            raise ValueError(f"more than {_DEEPEST_AUTOCAST} autocast regions inside one another")
        if self._work > _MOST_WORK:
            raise ValueError("more events than a scenario's loop has")


def _mapping(value: object, name: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise Malformed(f"{name} is not an object")
    return value


def _count(fields: dict[str, Any], name: str) -> int:
    value = fields.get(name)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < _LARGEST_COUNT:
        raise Malformed(f"{name} is not a count")
    return value


def _number(fields: dict[str, Any], name: str) -> float:
    value = fields.get(name)
    if isinstance(value, bool) or not isinstance(value, (int, float)) or abs(value) > _LARGEST_COUNT * 1e6:
        raise Malformed(f"{name} is not a number")
    if not math.isfinite(value) or value < 0:
        raise Malformed(f"{name} is not a finite number of at least 0")
    return float(value)


def _share(products: dict[str, Any]) -> float | None:
    """Aligned over all half-precision matrix products; None where there were none."""
    total = _number(products, "total") if products else 0.0
    return min(1.0, _number(products, "aligned") / total) if total else None


def _failure(fields: dict[str, Any]) -> Failure:
    texts = {name: fields.get(name) for name in ("type", "message", "place")}
    if any(not isinstance(text, str) or len(text) > 8000 for text in texts.values()):
        raise Malformed("the error is not described by short texts")
    return Failure(unsupported=fields.get("unsupported") is True, **{k: one_line(str(v)) for k, v in texts.items()})


def output_tail(text: str) -> str:
    """The end of what a run printed: bounded, without what moves a cursor; a line that was written over is several.

    Where ampfix lies on this machine is left out, so that a verdict is the same wherever it was made.
    """
    tail = text.replace(_HOME, "")[-_LONGEST_OUTPUT:].expandtabs(4).replace("\r\n", "\n").replace("\r", "\n")
    return _printable(tail).strip("\n")[-_LONGEST_OUTPUT:]


def one_line(text: str) -> str:
    """What an untrusted process wrote, as one short line that moves no cursor."""
    return _printable(text[:_LONGEST_TEXT]).replace("\n", " ")


def _printable(text: str) -> str:
    """Without control characters that would move a terminal's cursor."""
    return "".join(character for character in text if character.isprintable() or character == "\n")
