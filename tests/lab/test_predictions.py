"""Predictions files: each line an answer, each bad line told by its number."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ampfix.lab.predictions import PredictionError, read
from ampfix.lab.submission import InvalidAnswer, Submission

LOOP = "def train(task):\n    pass\n"


def test_every_line_is_an_answer_to_its_scenario(tmp_path: Path) -> None:
    answers = [LOOP, f"Here:\n```python\n{LOOP}```\n", "Looks good.", "yes"]
    lines = [json.dumps({"scenario_id": "toy", "model_name_or_path": "m", "answer": answer}) for answer in answers]
    (tmp_path / "p.jsonl").write_text("\n".join(lines) + "\n\n")
    found = read(tmp_path / "p.jsonl")
    assert [name for name, _ in found] == ["toy"] * 4
    assert [answer.text for _, answer in found if isinstance(answer, Submission)] == [LOOP, LOOP]
    assert [answer.code for _, answer in found if isinstance(answer, InvalidAnswer)] == ["no_code", "no_code"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "holds no prediction"),
        ("[]\n", ":1: not a JSON object"),
        ('\n{"scenario_id": "toy"}\n', ":2: needs 'answer'"),
        ('{"answer": "x", "scenario_id": 3}\n', ":1: needs 'scenario_id'"),
        ("{" * 100_000, ":1: not a JSON object"),
    ],
)
def test_a_bad_line_is_told_by_its_number(tmp_path: Path, text: str, says: str) -> None:
    (tmp_path / "p.jsonl").write_text(text)
    with pytest.raises(PredictionError, match=says) as caught:
        read(tmp_path / "p.jsonl")
    assert "\n" not in str(caught.value)
