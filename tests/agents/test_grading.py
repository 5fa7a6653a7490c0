"""Many answers graded: equal ones once, interrupted ones not again, garbage by name."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ampfix.agents import grading
from ampfix.agents.answers import take
from ampfix.agents.executors import Job, LocalExecutor
from ampfix.agents.grading import Graded, Grader
from ampfix.agents.predictions import index
from ampfix.agents.store import Store
from ampfix.lab import stopwatch
from ampfix.lab.process import ProcessRunner
from ampfix.lab.submission import Submission, sha256_of
from ampfix.lab.timing import Timing
from ampfix.lab.verdict import Verdict

SCENARIOS = Path(__file__).parent.parent / "golden" / "scenarios"
TOY = SCENARIOS / "toy"
SECRET = "0123456789abcdef"


class Counted(LocalExecutor):
    """Counts the loops that really ran."""

    ran = 0

    def run(self, job: Job) -> Iterator[tuple[str, Verdict]]:
        for each in super().run(job):
            self.ran += 1
            yield each


@pytest.fixture(scope="module")
def executor() -> Iterator[Counted]:
    with Counted(ProcessRunner) as made:
        assert isinstance(made, Counted)
        yield made


def predictions_file(path: Path, *texts: str, scenario: str = "toy") -> Path:
    path.write_text("".join(json.dumps({"scenario_id": scenario, "answer": text}) + "\n" for text in texts))
    return path


def graded(executor: Counted, path: Path, folder: Path) -> list[Graded]:
    grader = Grader.on(executor, Store(folder), SECRET, SCENARIOS)
    return sorted(grader.grade(path, index(path)), key=lambda each: each.line)


def test_equal_loops_are_run_once_and_never_again(executor: Counted, tmp_path: Path) -> None:
    gold = (TOY / "fixed.py").read_text()
    path = predictions_file(tmp_path / "p.jsonl", gold, f"Fixed:\n```python\n{gold}```\n", gold, "No idea.")
    before = executor.ran
    first = graded(executor, path, tmp_path / "out")
    assert [each.verdict.status.value for each in first] == ["pass", "pass", "pass", "invalid_answer"]
    assert executor.ran - before == 1
    assert graded(executor, path, tmp_path / "out") == first
    assert executor.ran - before == 1
    assert len({each.verdict.answer_sha256 for each in first}) == 3


def test_a_verdict_that_was_half_written_is_made_again(executor: Counted, tmp_path: Path) -> None:
    path = predictions_file(tmp_path / "p.jsonl", (TOY / "fixed.py").read_text())
    first = graded(executor, path, tmp_path / "out")
    (stored,) = (tmp_path / "out" / "verdicts").iterdir()
    stored.write_text(stored.read_text()[:100])
    before = executor.ran
    again = graded(executor, path, tmp_path / "out")
    assert executor.ran - before == 1
    assert again[0].verdict.model_copy(update={"wall_s": 0.0}) == first[0].verdict.model_copy(update={"wall_s": 0.0})


def test_what_is_no_answer_gets_a_verdict_of_its_own(executor: Counted, tmp_path: Path) -> None:
    path = tmp_path / "p.jsonl"
    lines: list[object] = [
        {"scenario_id": "toy", "answer": (TOY / "fixed.py").read_text()},
        {"scenario_id": "no-such", "answer": "x"},
        {"scenario_id": "toy", "patch": "--- a/../task.py\n+++ b/../task.py\n@@ -1 +1 @@\n-x\n+y\n"},
        {"scenario_id": "toy", "answer": "x" * (1 << 21)},
    ]
    path.write_bytes(b"".join(json.dumps(line).encode() + b"\n" for line in lines) + b"\x00\x01garbage\n")
    found = graded(executor, path, tmp_path / "out")
    reasons = [each.verdict.reason for each in found]
    assert reasons == ["", "unknown_scenario", "path_not_allowed", "too_large", "malformed_line"]
    assert found[0].verdict.status.value == "pass"
    assert all("\n" not in each.verdict.detail for each in found)


def test_a_fault_of_ours_in_one_answer_leaves_the_others_graded(
    executor: Counted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def taken(raw: bytes, *arguments: object) -> Submission:
        if raw == b"odd":
            raise AssertionError("never\nhappens")
        return take(raw, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(grading, "take", taken)
    path = predictions_file(tmp_path / "p.jsonl", "odd", (TOY / "fixed.py").read_text())
    found = graded(executor, path, tmp_path / "out")
    assert [each.verdict.status.value for each in found] == ["infra_error", "pass"]
    assert found[0].verdict.detail == "reading the answer: AssertionError: never happens"


def test_equal_loops_that_lie_far_apart_are_asked_for_once(
    executor: Counted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(grading, "WINDOW", 2)
    gold = (TOY / "fixed.py").read_text()
    texts = [gold, f"{gold}# 1\n", f"{gold}# 2\n", gold, f"{gold}# 1\n", gold, "No idea."]
    path = predictions_file(tmp_path / "p.jsonl", *texts)
    grader = Grader.on(executor, Store(tmp_path / "out"), SECRET, SCENARIOS)
    jobs = list(grader._jobs(path, index(path)))
    keys = [loop.key for job in jobs for loop in job.loops]
    assert len(keys) == len(set(keys)) == 3
    assert [len(job.loops) for job in jobs] == [2, 1]


def test_what_is_judged_is_forgotten_but_for_the_broken_loop(executor: Counted, tmp_path: Path) -> None:
    gold, broken = (TOY / "fixed.py").read_text(), (TOY / "loop.py").read_text()
    texts = [f"{gold}\n# {number}\n" for number in range(4)]
    found = graded(executor, predictions_file(tmp_path / "p.jsonl", *texts, broken), tmp_path / "out")
    assert [each.verdict.status.value for each in found] == ["pass"] * 4 + ["fail"]
    bench = executor._bench
    assert bench is not None and {key[-1] for key in bench._runs} == {sha256_of({"loop.py": broken})}


def test_answers_that_pass_are_timed_where_speed_can_be_measured(
    executor: Counted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    timed: list[str] = []

    def time_loops(_runner: object, _spec: object, _seed: int, loops: dict[str, dict[str, str]]) -> dict[str, Timing]:
        timed.extend(files["loop.py"] for files in loops.values())
        return dict.fromkeys(loops, Timing(problem="not here"))

    monkeypatch.setattr(stopwatch, "is_wanted", lambda *_: True)
    monkeypatch.setattr(stopwatch, "time_loops", time_loops)
    gold, broken = (TOY / "fixed.py").read_text(), (TOY / "loop.py").read_text()
    path = predictions_file(tmp_path / "p.jsonl", broken, gold, f"{gold}# again\n")
    found = graded(executor, path, tmp_path / "out")
    assert [each.verdict.status.value for each in found] == ["fail", "pass", "pass"]
    assert timed == [gold, f"{gold}# again\n"]


def test_an_edit_is_measured_beside_gold(executor: Counted, tmp_path: Path) -> None:
    path = predictions_file(tmp_path / "p.jsonl", (TOY / "fixed.py").read_text(), (TOY / "loop.py").read_text())
    gold, none = graded(executor, path, tmp_path / "out")
    assert gold.edits is not None and none.edits is not None
    assert gold.edits.answer == gold.edits.gold > 0
    assert none.edits.answer == 0


def test_a_killed_grading_goes_on_and_ends_as_an_unbroken_one(tmp_path: Path) -> None:
    texts = [(TOY / "fixed.py").read_text() + f"\n# {number}\n" for number in range(12)]
    path = predictions_file(tmp_path / "p.jsonl", *texts, "Nothing to say.")
    options = ["--scenarios-dir", str(SCENARIOS), "--secret", SECRET, "--output-format", "json"]

    def command(out: Path) -> list[str]:
        return [sys.executable, "-m", "ampfix", "grade", str(path), "--out", str(out), *options]

    killed = subprocess.Popen(command(tmp_path / "killed"), stdout=subprocess.DEVNULL, start_new_session=True)
    while killed.poll() is None and len(list((tmp_path / "killed").glob("verdicts/*.json"))) < 3:
        time.sleep(0.02)
    os.killpg(killed.pid, signal.SIGKILL)
    killed.wait()
    kept = {each.name: each.stat().st_mtime_ns for each in (tmp_path / "killed" / "verdicts").glob("*.json")}
    assert 3 <= len(kept) < 12
    results = []
    for out in (tmp_path / "killed", tmp_path / "unbroken"):
        done = subprocess.run(command(out), capture_output=True, text=True)
        assert done.returncode == 1, done.stderr
        lines = [json.loads(line) for line in (out / "results.jsonl").read_text().splitlines()]
        for line in lines:
            line["verdict"]["wall_s"] = 0
        results.append(lines)
    assert results[0] == results[1]
    assert (
        kept.items()
        <= {each.name: each.stat().st_mtime_ns for each in (tmp_path / "killed" / "verdicts").glob("*.json")}.items()
    )
