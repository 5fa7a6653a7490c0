"""The form an event has on disk: one flat JSON object a line. Pure and free of torch, since the judge reads it.

What is read comes from a process that ran untrusted code, so `from_json` checks every field and accepts no other.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping
from typing import Any

from ampfix.protocol import Event, EventKind, Outcome

SCHEMA = 1
"""Version of the record. It changes when a field changes its meaning or goes away."""

_MAX_NAME = 4096  # longest string a record may hold: paths end there on Linux, names of optimizers long before
_MAX_OPTIMIZERS = 1024


def to_json(event: Event) -> dict[str, Any]:
    """An event as JSON-able data; fields at their default are left out."""
    record: dict[str, Any] = {"schema": SCHEMA, "kind": event.kind.value}
    for field in _OPTIONAL:
        value = getattr(event, field.name)
        if value != field.default:
            record[field.name] = list(value) if isinstance(value, tuple) else getattr(value, "value", value)
    return record


def from_json(record: object) -> Event:
    """The event a record stands for.

    Raises:
        ValueError: not an object, another schema, an unknown or missing field, or a value of the wrong type.
    """
    if not isinstance(record, Mapping):
        raise ValueError(f"an event record is an object, not {type(record).__name__}")
    fields = dict(record)
    if fields.pop("schema", None) != SCHEMA or isinstance(record["schema"], bool):
        raise ValueError(f"event record of an unknown schema: expected {SCHEMA}")
    if "kind" not in fields:
        raise ValueError("event record without a kind")
    unknown = fields.keys() - _READERS.keys()
    if unknown:
        raise ValueError(f"unknown field in an event record: {sorted(map(str, unknown))[0][:80]!r}")
    return Event(**{name: _READERS[name](name, value) for name, value in fields.items()})


def dumps(event: Event) -> str:
    """One line of `events.jsonl`, without its line end."""
    return json.dumps(to_json(event), separators=(",", ":"))


def loads(line: str) -> Event:
    """The event of one line. Raises ValueError as `from_json` does, and for anything that is not JSON."""
    try:
        record = json.loads(line)
    except RecursionError:
        raise ValueError("event record nested too deeply") from None
    return from_json(record)


def _text(name: str, value: object) -> str:
    if not isinstance(value, str) or len(value) > _MAX_NAME:
        raise ValueError(f"field {name!r} of an event record must be a string of at most {_MAX_NAME} characters")
    return value


def _optional_text(name: str, value: object) -> str | None:
    return None if value is None else _text(name, value)


def _count(name: str, value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 1 << 63:
        raise ValueError(f"field {name!r} of an event record must be a count")
    return value


def _flag(name: str, value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"field {name!r} of an event record must be true or false")
    return value


def _names(name: str, value: object) -> tuple[str, ...]:
    if not isinstance(value, (list, tuple)) or len(value) > _MAX_OPTIMIZERS:
        raise ValueError(f"field {name!r} of an event record must be a list of at most {_MAX_OPTIMIZERS} names")
    return tuple(_text(name, item) for item in value)


def _kind(name: str, value: object) -> EventKind:
    return EventKind(_text(name, value))


def _outcome(name: str, value: object) -> Outcome:
    return Outcome(_text(name, value))


_READERS: dict[str, Callable[[str, object], Any]] = {
    "kind": _kind,
    "scaler": _optional_text,
    "optimizers": _names,
    "path": _text,
    "line": _count,
    "column": _count,
    "step": _count,
    "dtype": _optional_text,
    "linear": _flag,
    "guarded": _flag,
    "forced": _flag,
    "manual_scale": _flag,
    "undivided": _flag,
    "discards": _flag,
    "scrubs": _flag,
    "outcome": _outcome,
    "scheduler": _optional_text,
}
_OPTIONAL = tuple(field for field in dataclasses.fields(Event) if field.name != "kind")
