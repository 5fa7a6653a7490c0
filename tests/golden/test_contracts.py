"""One toy scenario through every layer: pins the interfaces that users and other programs rely on.

A change that breaks a test here breaks somebody's scenario, script or report.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ampfix.lab.bench import Bench, write_files
from ampfix.lab.process import ProcessRunner
from ampfix.lab.spec import SpecError, find, load
from ampfix.watch import records

SCENARIOS = Path(__file__).parent / "scenarios"
TOY = SCENARIOS / "toy"
ROOT = Path(__file__).parent.parent.parent

CHECKS = ["runs", "converges", "trajectory", "not_fp32", "half_precision", "protocol", "skipped_steps", "speedup"]
VERDICT_FIELDS = {
    "schema", "scenario_id", "answer_sha256", "status", "reason", "detail", "trust", "complete", "checks", "figures",
    "policy", "device", "isolation", "secret", "seeds", "wall_s", "versions",
    "output_tail", "taken", "curves",
}  # fmt: skip
CHECK_FIELDS = {
    "name", "status", "measured", "required", "threshold", "unit", "reason", "detail", "source", "decisive",
}  # fmt: skip


def ampfix(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, "-m", "ampfix", *arguments],
        capture_output=True, text=True, cwd=cwd, env=environment, timeout=300, check=False,
    )  # fmt: skip


@pytest.fixture(scope="module")
def suite() -> dict[str, Any]:
    done = ampfix("suite", "toy", "--validate", "--scenarios-dir", str(SCENARIOS), "--output-format", "json")
    assert (done.returncode, done.stderr) == (0, ""), done.stderr + done.stdout[:2000]
    report: dict[str, Any] = json.loads(done.stdout)
    return report


@pytest.fixture(scope="module")
def grade() -> dict[str, Any]:
    answers = [str(TOY / "answers" / name) for name in ("no_autocast.py", "device_agnostic.py")]
    done = ampfix("grade", *answers, "--scenarios-dir", str(SCENARIOS), "--output-format", "json")
    assert (done.returncode, done.stderr) == (1, "")
    report: dict[str, Any] = json.loads(done.stdout)
    return report


def test_suite_json_holds_every_variant_on_every_seed(suite: dict[str, Any]) -> None:
    assert set(suite) == {"schema", "ok", "scenarios"}
    assert (suite["schema"], suite["ok"]) == (1, True)
    (scenario,) = suite["scenarios"]
    assert set(scenario) == {"id", "valid", "problems", "runs", "verdicts"}
    assert (scenario["id"], scenario["valid"], scenario["problems"]) == ("toy", True, [])
    answers = ["answer:no_autocast", "answer:bfloat16", "answer:returns_early", "answer:device_agnostic"]
    variants = ["reference", "broken", "gold", "codemod", *answers]
    assert [(run["variant"], run["seed"], run["repeat"]) for run in scenario["runs"]] == [
        (variant, seed, 0) for variant in variants for seed in (0, 1, 2)
    ]
    assert all(set(run) == {"variant", "seed", "repeat", "verdict"} for run in scenario["runs"])
    assert [one["variant"] for one in scenario["verdicts"]] == variants


def test_suite_shows_what_the_scenario_claims(suite: dict[str, Any]) -> None:
    said = {one["variant"]: one["verdict"] for one in suite["scenarios"][0]["verdicts"]}
    assert {variant: verdict["status"] for variant, verdict in said.items()} == {
        "reference": "pass",
        "broken": "fail",
        "gold": "pass",
        "codemod": "pass",
        "answer:no_autocast": "fail",
        "answer:bfloat16": "pass",
        "answer:returns_early": "fail",
        "answer:device_agnostic": "pass",
    }
    assert said["broken"]["reason"] == "loss_too_high"
    assert said["broken"]["figures"]["loss"] > 2 * said["gold"]["figures"]["loss"]


def test_a_pass_that_needs_the_runs_own_word_is_not_attested(suite: dict[str, Any]) -> None:
    for run in suite["scenarios"][0]["runs"]:
        if run["verdict"]["status"] == "pass" and run["variant"] != "reference":
            assert run["verdict"]["trust"] == "self_reported"


def test_a_cuda_loop_and_its_device_agnostic_twin_are_graded_alike(suite: dict[str, Any]) -> None:
    """Unedited, `.cuda()` and `.to(device)` train the same weights: every figure agrees to the last bit."""
    said = {one["variant"]: one["verdict"] for one in suite["scenarios"][0]["verdicts"]}
    gold, twin = said["gold"], said["answer:device_agnostic"]
    assert gold["checks"] == twin["checks"]
    assert gold["figures"] == twin["figures"]


def test_verdict_json(suite: dict[str, Any]) -> None:
    for one in suite["scenarios"][0]["verdicts"]:
        verdict = one["verdict"]
        assert set(verdict) == VERDICT_FIELDS
        assert (verdict["schema"], verdict["scenario_id"]) == (1, "toy")
        assert verdict["status"] in {"pass", "fail", "invalid_answer", "infra_error"}
        assert verdict["trust"] in {"attested", "self_reported"}
        assert re.fullmatch(r"[0-9a-f]{64}", verdict["answer_sha256"])
        assert re.fullmatch(r"[0-9a-f]{16}", verdict["secret"])
        assert len(set(verdict["seeds"])) == 3 and all(0 <= seed < 2**53 for seed in verdict["seeds"])
        assert (verdict["policy"], verdict["device"], verdict["complete"]) == ("cuda", "cpu", False)
        assert set(verdict["versions"]) == {"ampfix", "python", "torch"}
        assert verdict["isolation"]["level"] in {"namespaces", "process_tree", "process_group"}
        assert [check["name"] for check in verdict["checks"]] == CHECKS
        for check in verdict["checks"]:
            assert set(check) == CHECK_FIELDS
            assert check["status"] in {"pass", "fail", "not_measured"}
            assert (check["reason"] == "") == (check["status"] != "fail")


def test_grade_json_and_its_exit_code(grade: dict[str, Any]) -> None:
    assert set(grade) == {"schema", "verdicts"}
    wrong, right = grade["verdicts"]
    assert set(wrong) == set(right) == VERDICT_FIELDS
    assert (wrong["status"], wrong["reason"], wrong["trust"]) == ("fail", "amp_removed", "attested")
    assert right["status"] == "pass"
    assert wrong["secret"] == right["secret"], "answers graded together are compared on the same seeds"


def test_a_verdict_can_be_repeated_from_its_secret(grade: dict[str, Any]) -> None:
    secret, answer = grade["verdicts"][1]["secret"], TOY / "answers" / "device_agnostic.py"
    options = ("--scenarios-dir", str(SCENARIOS), "--output-format", "json", "--secret", secret)
    again = json.loads(ampfix("grade", str(answer), *options).stdout)["verdicts"][0]
    first = grade["verdicts"][1]
    assert {k: v for k, v in again.items() if k != "wall_s"} == {k: v for k, v in first.items() if k != "wall_s"}


def test_check_json(tmp_path: Path) -> None:
    (tmp_path / "loop.py").write_text((TOY / "loop.py").read_text())
    done = ampfix("check", "loop.py", "--output-format", "json", cwd=tmp_path)
    report = json.loads(done.stdout)
    assert done.returncode == 1
    assert {"schema", "version", "findings", "errors", "files_checked"} <= set(report)
    (finding,) = report["findings"]
    assert finding["code"] == "AMP101"
    assert {
        "name",
        "message",
        "path",
        "line",
        "column",
        "end_line",
        "end_column",
        "severity",
        "symbol",
        "trace",
    } <= set(finding)
    assert finding["fix"]["applicability"] == "safe"
    assert ampfix("check", "--output-format", "json", str(TOY / "fixed.py")).returncode == 0


def test_what_a_run_leaves_behind(tmp_path: Path) -> None:
    """events.jsonl, snapshot, weights and summary: the files between the jail and the judge."""
    spec = load(TOY)
    tmp_path.chmod(0o755)
    with ProcessRunner() as runner:
        inputs = runner.prepare(spec, 7, tmp_path / "seed")
        write_files(tmp_path / "answer", spec.loop_files())
        execution = runner.execute(spec, tmp_path / "answer", inputs, tmp_path / "out")
    names = {path.name for path in execution.folder.iterdir()}
    assert names == {"events.jsonl", "snapshot.safetensors", "weights.safetensors", "summary.json"}
    lines = (execution.folder / "events.jsonl").read_text().splitlines()
    assert all(json.loads(line)["schema"] == 1 for line in lines)
    events = [records.loads(line) for line in lines]
    kinds = [event.kind.value for event in events if event.kind.value != "forward"]
    step = ["zero_grad", "autocast_enter", "autocast_exit", "scale", "backward", "clip", "scaler_step", "update"]
    assert kinds == step * spec.steps
    assert {event.path for event in events} == {"loop.py"}
    assert sorted(path.name for path in inputs.shown.iterdir()) == ["init.safetensors", "task.py", "train.safetensors"]


def test_calibration_json() -> None:
    calibration = json.loads((TOY / "calibration.json").read_text())
    assert set(calibration) == {
        "schema", "scenario_id", "content_sha256", "seeds", "policy", "profile", "versions", "checks", "problems",
    }  # fmt: skip
    assert calibration["seeds"] == 64 and calibration["problems"] == []
    for check in calibration["checks"]:
        assert {"name", "threshold", "side", "gold", "broken", "gold_margin", "broken_margin"} == set(check)
        assert len(check["gold"]["values"]) == len(check["broken"]["values"]) == 64
    assert calibration["content_sha256"] == load(TOY).content_hash, "calibrate again after changing the scenario"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("suite", "no-such-scenario", "--scenarios-dir", str(SCENARIOS)), "unknown scenario 'no-such-scenario'"),
        (("suite", "--scenarios-dir", "/no/such/folder"), "/no/such/folder: no such folder"),
        (("suite", "toy", "--scenarios-dir", str(SCENARIOS), "--secret", "xyz"), "--secret xyz"),
        (("suite", "toy", "--scenarios-dir", str(SCENARIOS), "--policy", "native"), "--policy native"),
        (("suite", "toy", "--validate", "--calibrate"), "not allowed with"),
        (("grade", "missing.py", "--scenario", "toy", "--scenarios-dir", str(SCENARIOS)), "missing.py: cannot be read"),
        (("grade", str(ROOT), "--scenario", "toy", "--scenarios-dir", str(SCENARIOS)), "directory"),
        (("grade", __file__, "--scenarios-dir", str(SCENARIOS)), "--scenario"),
        (("grade", __file__, "--scenario", "nope", "--scenarios-dir", str(SCENARIOS)), "unknown scenario 'nope'"),
    ],
)
def test_bad_usage_is_one_line_and_code_2(arguments: tuple[str, ...], says: str) -> None:
    done = ampfix(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert says in done.stderr and done.stderr.count("\n") == 1 and done.stderr.startswith("ampfix: error: ")


@pytest.mark.parametrize(
    ("content", "reason"),
    [(b"", "empty"), (b"Looks right to me.", "no_code"), (b"```python\ndef train(:\n```", "syntax_error"),
     (b"\xff\xfe\x00", "not_utf8")],
)  # fmt: skip
def test_an_answer_with_nothing_to_run_is_a_verdict_not_an_error(tmp_path: Path, content: bytes, reason: str) -> None:
    path = tmp_path / "answer.md"
    path.write_bytes(content)
    done = ampfix("grade", str(path), "--scenario", "toy", "--scenarios-dir", str(SCENARIOS), "--output-format", "json")
    (verdict,) = json.loads(done.stdout)["verdicts"]
    assert (done.returncode, verdict["status"], verdict["reason"]) == (1, "invalid_answer", reason)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (('kind = "bug"', 'kind = "bugg"'), "kind"),
        (("steps = 40", "steps = 40\nspeed = 9"), "speed"),
        (("steps = 40", "steps = "), "not valid TOML"),
        (('fails = "converges"', 'fails = "memory"'), "broken.fails"),
        (('name = "speedup"', 'name = "protocol"'), "listed twice"),
        (('id = "toy"', 'id = "other"'), "differs from its folder"),
        (('file = "answers/bfloat16.py"', 'file = "answers/none.py"'), "missing file"),
        (("snapshot_step = 5", "snapshot_step = 50"), "snapshot_step"),
        (('entry = "loop.py"', 'entry = "../loop.py"'), "entry"),
    ],
)
def test_a_wrong_scenario_is_told_in_one_line(tmp_path: Path, change: tuple[str, str], says: str) -> None:
    write_files(tmp_path / "toy", {path.relative_to(TOY).as_posix(): path.read_text() for path in TOY.rglob("*.py")})
    text = (TOY / "scenario.toml").read_text()
    assert change[0] in text
    (tmp_path / "toy" / "scenario.toml").write_text(text.replace(*change))
    with pytest.raises(SpecError, match=re.escape(says)) as caught:
        find("toy", tmp_path)
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(str(tmp_path / "toy"))


def test_a_bench_leaves_no_file_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    spec = load(TOY)
    with ProcessRunner() as runner, Bench(runner) as bench:
        bench.run(spec, spec.gold_files(), 3).result()
        assert list(tmp_path.iterdir())
    assert list(tmp_path.iterdir()) == []


def test_predictions_are_graded_line_by_line(tmp_path: Path) -> None:
    answers = [(TOY / "answers" / "bfloat16.py").read_text(), "It is correct as it is."]
    lines = [json.dumps({"scenario_id": "toy", "model_name_or_path": "m", "answer": answer}) for answer in answers]
    (tmp_path / "predictions.jsonl").write_text("\n".join(lines))
    options = ("--scenarios-dir", str(SCENARIOS), "--output-format", "json")
    done = ampfix("grade", str(tmp_path / "predictions.jsonl"), *options)
    assert (done.returncode, done.stderr) == (1, "")
    assert [verdict["status"] for verdict in json.loads(done.stdout)["verdicts"]] == ["pass", "invalid_answer"]
