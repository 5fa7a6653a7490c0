"""A run's account of itself is read strictly: right ones come through, all else is malformed and nothing else."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import ampfix
from ampfix.lab.recording import Malformed, output_tail, read_account, read_breaches
from ampfix.protocol import Event, EventKind
from ampfix.watch.records import dumps

RIGHT: dict[str, Any] = {
    "completed": True,
    "error": None,
    "batches": 40,
    "loop_s": 0.5,
    "facts": {"attempts": 40, "skipped": 1, "final_scale": 65536.0, "flops": {"float16": 10, "float32": 2}},
}
FAILURE = {"type": "TypeError", "message": "x", "place": "loop.py:3", "unsupported": False}


def account(path: Path, **changes: Any) -> Any:
    (path / "summary.json").write_text(json.dumps(RIGHT | changes))
    return read_account(path / "summary.json")


def test_a_right_account_comes_through(tmp_path: Path) -> None:
    read = account(tmp_path)
    assert (read.completed, read.failure, read.batches, read.attempts, read.skipped) == (True, None, 40, 40, 1)
    assert read.flops == {"float16": 10.0, "float32": 2.0}
    assert account(tmp_path, error=FAILURE).failure.type == "TypeError"


def test_control_characters_do_not_reach_a_terminal(tmp_path: Path) -> None:
    assert account(tmp_path, error=FAILURE | {"message": "a\x1b[2Jb\x07"}).failure.message == "a[2Jb"


def test_what_a_run_printed_is_cut_and_moves_no_cursor() -> None:
    assert output_tail("10 %\r20 %\r\n\tdone\n") == "10 %\n20 %\n    done"
    assert output_tail("\x1b[2Jgone\u202ereversed\udcff\x00") == "[2Jgonereversed"
    home = Path(ampfix.__file__).resolve().parent.parent
    assert output_tail(f'File "{home}/ampfix/watch/patches.py", line 1') == 'File "ampfix/watch/patches.py", line 1'
    assert output_tail("x" * 10_000 + "the end") == "x" * 1993 + "the end"


@given(st.text(alphabet=st.characters(), max_size=4000))
def test_whatever_a_run_printed_becomes_bounded_text(printed: str) -> None:
    tail = output_tail(printed)
    assert len(tail) <= 2000 and all(character.isprintable() or character == "\n" for character in tail)
    tail.encode()


@pytest.mark.parametrize(
    "changes",
    [
        {"batches": -1},
        {"batches": True},
        {"batches": "40"},
        {"batches": 10**30},
        {"loop_s": float("nan")},
        {"loop_s": -1.0},
        {"facts": None},
        {"facts": RIGHT["facts"] | {"attempts": None}},
        {"facts": RIGHT["facts"] | {"flops": {"float16": float("inf")}}},
        {"facts": RIGHT["facts"] | {"flops": [1]}},
        {"error": "TypeError"},
        {"error": FAILURE | {"message": 3}},
        {"error": FAILURE | {"place": "x" * 10_000}},
    ],
)
def test_an_account_no_recorder_writes_is_malformed(tmp_path: Path, changes: dict[str, Any]) -> None:
    with pytest.raises(Malformed):
        account(tmp_path, **changes)


@given(st.binary(max_size=300))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_garbage_is_malformed_and_nothing_else(tmp_path: Path, raw: bytes) -> None:
    (tmp_path / "x").write_bytes(raw)
    with pytest.raises(Malformed):
        read_account(tmp_path / "x")
    if raw:
        with pytest.raises(Malformed):
            read_breaches(tmp_path / "x")


def test_deep_nesting_is_malformed(tmp_path: Path) -> None:
    (tmp_path / "x").write_text("[" * 100_000)
    with pytest.raises(Malformed):
        read_account(tmp_path / "x")
    with pytest.raises(Malformed):
        read_breaches(tmp_path / "x")


def test_events_are_replayed_and_each_breach_told_once_with_its_count(tmp_path: Path) -> None:
    step = [
        Event(EventKind.ZERO_GRAD, optimizers=("o",)),
        Event(EventKind.SCALE, scaler="s"),
        Event(EventKind.BACKWARD, scaler="s", optimizers=("o",)),
        Event(EventKind.CLIP, optimizers=("o",), path="loop.py", line=9),
        Event(EventKind.SCALER_STEP, scaler="s", optimizers=("o",)),
        Event(EventKind.UPDATE, scaler="s"),
    ]
    (tmp_path / "events").write_text("".join(dumps(event) + "\n" for event in step * 3))
    (breach,) = read_breaches(tmp_path / "events")
    assert (breach.violation, breach.path, breach.line, breach.count) == ("clip_while_scaled", "loop.py", 9, 3)


@pytest.mark.parametrize(
    "events",
    [
        (Event(EventKind.ZERO_GRAD, optimizers=(f"o{i}",)) for i in range(100)),
        (Event(EventKind.AUTOCAST_ENTER, dtype="float16") for _ in range(100)),
        (Event(EventKind.ZERO_GRAD, optimizers=("o",) * 1000) for _ in range(1000)),
    ],
    ids=["names", "regions", "work"],
)
def test_events_that_would_make_the_replay_slow_are_malformed(tmp_path: Path, events: Iterable[Event]) -> None:
    (tmp_path / "events").write_text("".join(dumps(event) + "\n" for event in events))
    with pytest.raises(Malformed, match="more"):
        read_breaches(tmp_path / "events")


def test_no_events_are_no_breach(tmp_path: Path) -> None:
    assert read_breaches(tmp_path / "missing") == ()
