"""Predictions files: each line an answer, each bad line told by its number, and the rest of use."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ampfix.agents import predictions
from ampfix.agents.answers import Mode
from ampfix.agents.predictions import PredictionError, answer_bytes, index

LOOP = "def train(task):\n    pass\n"


def write(path: Path, *lines: object) -> Path:
    texts = [line if isinstance(line, bytes) else json.dumps(line).encode() for line in lines]
    path.write_bytes(b"\n".join(texts) + b"\n")
    return path


def test_every_line_is_an_answer_to_its_scenario(tmp_path: Path) -> None:
    texts = [LOOP, "Désolé 😀", "yes"]
    fields = {"scenario_id": "toy", "model_name_or_path": "m"}
    path = write(tmp_path / "p.jsonl", *({**fields, "answer": text} for text in texts))
    found = index(path)
    assert [answer_bytes(path, each).decode() for each in found] == texts
    assert [each.key.sample for each in found] == [0, 1, 2]
    assert {each.key.model for each in found} == {"m"}


def test_fields_are_known_by_the_names_other_harnesses_use(tmp_path: Path) -> None:
    path = write(
        tmp_path / "p.jsonl",
        {"instance_id": "ampfix/toy", "model_name_or_path": "m", "model_patch": "--- a"},
        {
            "scenario_id": "toy",
            "patch": "x",
            "pressure": "rushed",
            "mode": "patch",
            "usage": {"cost_usd": 0.5, "note": 1},
        },
    )
    one, other = index(path)
    assert (one.key.scenario_id, answer_bytes(path, one)) == ("toy", b"--- a")
    assert (other.key.pressure, other.key.mode, other.usage.cost_usd) == ("rushed", Mode.PATCH, 0.5)


@pytest.mark.parametrize(
    ("line", "code", "says"),
    [
        (b"[]", "malformed_line", "line 2: not a JSON object"),
        (b"{" * 100_000, "malformed_line", "line 2: not a JSON object"),
        (b"\xff\x00\x01", "malformed_line", "line 2: not a JSON object"),
        (b'{"scenario_id": "toy"}', "malformed_line", "line 2: needs 'answer'"),
        (b'{"scenario_id": 3, "answer": "x"}', "malformed_line", "line 2: needs 'scenario_id'"),
        (b'{"scenario_id": "toy", "answer": "x", "mode": "song"}', "malformed_line", "mode has a wrong value"),
        (b'{"scenario_id": "toy", "answer": "x", "pressure": "high"}', "malformed_line", "unknown pressure 'high'"),
        (b'{"scenario_id": "toy", "answer": "x", "sample": "a"}', "malformed_line", "sample has a wrong value"),
        (b'{"scenario_id": "toy", "answer": "x", "usage": {"cost_usd": "a lot"}}', "malformed_line", "cost_usd"),
        (b'{"scenario_id": "toy", "answer": "x", "sample": 0}', "duplicate_answer", "sample 0 of toy was given before"),
    ],
)
def test_a_bad_line_is_told_by_its_number_and_the_rest_is_read(
    tmp_path: Path, line: bytes, code: str, says: str
) -> None:
    good = {"scenario_id": "toy", "answer": LOOP, "sample": 0}
    path = write(tmp_path / "p.jsonl", good, line, {**good, "sample": 1})
    found = index(path)
    assert [each.problem.cause if each.problem else "" for each in found] == ["", code, ""]
    assert found[1].problem is not None and says in found[1].problem.detail
    assert answer_bytes(path, found[2]).decode() == LOOP


def test_a_line_that_is_too_long_is_skipped_without_being_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(predictions, "LONGEST_LINE", 1000)
    good = {"scenario_id": "toy", "answer": LOOP}
    path = write(tmp_path / "p.jsonl", good, {"scenario_id": "toy", "answer": "x" * 10_000}, good)
    found = index(path)
    assert [each.problem.cause if each.problem else "" for each in found] == ["", "too_large", ""]
    assert answer_bytes(path, found[2]).decode() == LOOP


def test_blank_lines_and_a_byte_order_mark_are_nothing(tmp_path: Path) -> None:
    path = tmp_path / "p.jsonl"
    path.write_bytes(b"\xef\xbb\xbf" + json.dumps({"scenario_id": "toy", "answer": "x"}).encode() + b"\r\n\r\n  \n")
    assert [each.line for each in index(path)] == [1]
    (tmp_path / "none.jsonl").write_bytes(b"\n \n")
    with pytest.raises(PredictionError, match="holds no prediction"):
        index(tmp_path / "none.jsonl")


@given(st.binary(max_size=400))
def test_no_bytes_break_it(tmp_path_factory: pytest.TempPathFactory, raw: bytes) -> None:
    path = tmp_path_factory.mktemp("p") / "p.jsonl"
    path.write_bytes(raw)
    try:
        found = index(path)
    except PredictionError:
        return
    assert all("\n" not in each.problem.detail for each in found if each.problem)
