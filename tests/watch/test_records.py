"""Event records survive JSON and refuse everything else."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ampfix.protocol import Event, EventKind, Outcome
from ampfix.watch import records

_TEXT = st.text(max_size=20)
_COUNT = st.integers(0, 2**63 - 1)
EVENTS = st.builds(
    Event,
    kind=st.sampled_from(EventKind),
    scaler=st.none() | _TEXT,
    optimizers=st.lists(_TEXT, max_size=4).map(tuple),
    path=_TEXT,
    line=_COUNT,
    column=_COUNT,
    step=_COUNT,
    dtype=st.none() | _TEXT,
    linear=st.booleans(),
    guarded=st.booleans(),
    forced=st.booleans(),
    manual_scale=st.booleans(),
    outcome=st.sampled_from(Outcome),
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@given(EVENTS)
def test_an_event_comes_back_as_it_was(event: Event) -> None:
    assert records.from_json(records.to_json(event)) == event
    line = records.dumps(event)
    assert "\n" not in line
    assert records.loads(line) == event


def test_every_field_of_an_event_is_recorded() -> None:
    assert set(records._READERS) == set(Event.__dataclass_fields__)


@given(JSON)
def test_other_json_is_refused(garbage: object) -> None:
    with pytest.raises(ValueError):
        records.from_json(garbage)


@given(EVENTS, st.sampled_from(sorted(records._READERS)), JSON)
def test_a_spoilt_field_is_refused_or_of_the_right_type(event: Event, field: str, value: object) -> None:
    record = {**records.to_json(event), field: value}
    try:
        read = records.from_json(record)
    except ValueError:
        return
    assert isinstance(
        getattr(read, field), type(getattr(Event(EventKind.SCALE, "s", dtype="d"), field)) | None.__class__
    )
    assert records.from_json(records.to_json(read)) == read


@pytest.mark.parametrize(
    "record",
    [
        {"schema": 1},
        {"schema": 2, "kind": "scale"},
        {"schema": True, "kind": "scale"},
        {"kind": "scale"},
        {"schema": 1, "kind": "scale", "more": 1},
        {"schema": 1, "kind": "SCALE"},
        {"schema": 1, "kind": "scale", "line": -1},
        {"schema": 1, "kind": "scale", "line": 1.0},
        {"schema": 1, "kind": "scale", "line": True},
        {"schema": 1, "kind": "scale", "optimizers": "sgd"},
        {"schema": 1, "kind": "scale", "optimizers": [1]},
        {"schema": 1, "kind": "scale", "path": "x" * 5000},
        {"schema": 1, "kind": ["scale"]},
        {1: 2, "schema": 1, "kind": "scale"},
        [],
        None,
    ],
    ids=str,
)
def test_malformed_record_is_a_value_error(record: object) -> None:
    with pytest.raises(ValueError):
        records.from_json(record)


@pytest.mark.parametrize("line", ["", "{", "[" * 100_000, '{"schema":1,"kind":"scale"', "\0", "NaN"])
def test_what_is_not_a_record_in_json_is_a_value_error(line: str) -> None:
    with pytest.raises(ValueError):
        records.loads(line)


def test_reading_records_needs_no_torch() -> None:
    code = "import sys, ampfix.watch.records; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_record_is_small() -> None:
    event = Event(EventKind.UNSCALE, "GradScaler-0", ("SGD-0",), "loop.py", 12, step=3)
    assert len(json.dumps(records.to_json(event))) < 150
