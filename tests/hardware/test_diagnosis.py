"""`ampfix diagnose`: one cause, with its proof."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from ampfix.hardware import diagnosis
from ampfix.hardware.diagnosis import NOT_PRECISION, Diagnosis, NothingTrained, Run, diagnose
from ampfix.hardware.watching import Script
from ampfix.watch.alarms import Alarm

CLIP = Alarm("AMP101", "clip-before-unscale", "clipped while scaled", "train.py", 9, 0)
SYMPTOM = Alarm("", "loss-not-finite", "not finite", "train.py", 9, 0)
GOOD = Run("fp32", 0, 100, 0, 2.0, 0.5, ())
STALLED = Run("as-written", 0, 100, 3, 2.0, 1.9, (SYMPTOM, CLIP))


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, Run]:
    """What each run of the script gives, by its folder, without running anything."""
    runs: dict[str, Run] = {"fp32": GOOD, "as-written": STALLED, "repaired": replace(GOOD, loss=0.51)}
    monkeypatch.setattr(diagnosis, "_run", lambda _script, folder, *_, **__: runs[folder.name])
    (tmp_path / "train.py").write_text(
        "import torch\n\n\ndef train(model, loader, optimizer):\n"
        '    scaler = torch.amp.GradScaler("cuda")\n    for x in loader:\n        optimizer.zero_grad()\n'
        "        scaler.scale(model(x)).backward()\n"
        "        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)\n"
        "        scaler.step(optimizer)\n        scaler.update()\n"
    )
    return runs


def found(tmp_path: Path) -> Diagnosis:
    return diagnose(Script(str(tmp_path / "train.py")), tmp_path / "out", None)


def test_the_cause_is_the_bug_and_not_its_symptom(ran: dict[str, Run], tmp_path: Path) -> None:
    told = found(tmp_path)
    assert (told.cause, told.alarm, told.proven) == ("AMP101", CLIP, True)
    assert "unscale_" in (tmp_path / "out" / "repaired" / "train.py").read_text()


@pytest.mark.parametrize(
    "again",
    [replace(GOOD, loss=0.9), replace(GOOD, alarms=(CLIP,)), replace(GOOD, code=1), replace(GOOD, loss=float("nan"))],
)
def test_a_repair_that_does_not_end_where_fp32_does_is_not_proven(
    ran: dict[str, Run], tmp_path: Path, again: Run
) -> None:
    ran["repaired"] = again
    assert not found(tmp_path).proven


def test_what_does_not_train_in_fp32_either_is_no_precision_problem(ran: dict[str, Run], tmp_path: Path) -> None:
    ran["fp32"] = replace(GOOD, loss=2.5)
    ran["as-written"] = replace(STALLED, loss=2.5, alarms=(SYMPTOM,))
    assert found(tmp_path).cause == NOT_PRECISION


def test_values_that_diverge_in_fp32_too_are_no_precision_problem(ran: dict[str, Run], tmp_path: Path) -> None:
    overflow = Alarm("AMP308", "dtype-risk", "inf", "train.py", 9, 0)
    ran["fp32"] = replace(GOOD, loss=float("nan"))
    ran["as-written"] = replace(STALLED, loss=float("nan"), alarms=(SYMPTOM, overflow))
    assert found(tmp_path).cause == NOT_PRECISION
    ran["as-written"] = replace(STALLED, loss=float("nan"), alarms=(overflow, CLIP))
    assert found(tmp_path).cause == "AMP101"


def test_a_run_like_fp32s_without_alarms_is_no_precision_problem(ran: dict[str, Run], tmp_path: Path) -> None:
    ran["as-written"] = replace(GOOD, loss=0.505)
    assert found(tmp_path).cause == NOT_PRECISION
    ran["as-written"] = replace(GOOD, loss=0.8)
    assert found(tmp_path).cause == ""


def test_a_run_without_any_work_in_half_is_no_precision_problem(ran: dict[str, Run], tmp_path: Path) -> None:
    plain = replace(GOOD, loss=0.8, work={"float32": 1000})
    ran["as-written"] = plain
    assert found(tmp_path).cause == NOT_PRECISION
    ran["as-written"] = replace(plain, work={"float32": 1000, "float16": 10})
    assert found(tmp_path).cause == ""


ERROR = {"type": "RuntimeError", "message": "linalg.inv: low precision\nnot supported", "path": "train.py", "line": 9}


def test_what_raises_as_written_and_runs_in_fp32_is_a_precision_problem(ran: dict[str, Run], tmp_path: Path) -> None:
    ran["as-written"] = Run("as-written", 1, 0, 0, None, None, (), error=ERROR)
    told = found(tmp_path)
    assert told.cause == "" and told.alarm is not None and told.repaired is None
    assert (told.alarm.name, told.alarm.path, told.alarm.line) == ("raised-in-half", "train.py", 9)
    assert "linalg.inv: low precision not supported" in told.alarm.message
    assert any("ended with 1: RuntimeError" in reason and "\n" not in reason for reason in told.reasons)


def test_what_raises_in_fp32_too_is_no_precision_problem(ran: dict[str, Run], tmp_path: Path) -> None:
    ran["as-written"] = Run("as-written", 1, 5, 0, 2.0, 1.9, (), error=ERROR)
    ran["fp32"] = replace(ran["as-written"], precision="fp32")
    assert found(tmp_path).cause == NOT_PRECISION


@pytest.mark.parametrize(
    ("error", "how"),
    [({}, ""), (ERROR, ", ended with 1: RuntimeError: linalg.inv: low precision not supported (train.py:9)")],
)
def test_a_script_that_trains_nothing_is_said_so(
    ran: dict[str, Run], tmp_path: Path, error: dict[str, object], how: str
) -> None:
    ran["as-written"] = ran["fp32"] = Run("fp32", 1 if error else 0, 0, 0, None, None, (), error=error)
    with pytest.raises(NothingTrained) as raised:
        found(tmp_path)
    assert str(raised.value).endswith(f"train.py: no step of an optimizer was seen{how}")
