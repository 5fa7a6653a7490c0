"""benchmarks/gpu: what it makes of verdicts, and that it says not_measured where there is no GPU."""

from __future__ import annotations

import argparse
import importlib.util
import json
import math
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from ampfix.lab import lockfile
from ampfix.lab.causes import InfraError
from ampfix.lab.gpu import Gpu
from ampfix.lab.spec import Device, ScenarioSpec
from ampfix.lab.suite import SuiteReport
from tests.project.modules import ROOT

from . import reports
from .test_gpu import HAS_CUDA

H100 = Gpu("NVIDIA H100 80GB HBM3", (9, 0), "13.0")


@pytest.fixture
def page(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    spec = importlib.util.spec_from_file_location("suite_on_gpu", ROOT / "benchmarks" / "gpu" / "suite_on_gpu.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class NoGpu:
    can_time = True


@pytest.fixture
def ran(page: ModuleType, toy: ScenarioSpec, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    """Run some scenarios with reports made by hand instead of a device."""
    specs = [toy.model_copy(update={"id": name, "checks": toy.checks[:2]}) for name in ("one", "two", "three")]
    about_t4 = toy.model_copy(update={"id": "about-t4", "device": Device(profile="T4")})
    lock = lockfile.locked(reports.usual(), [toy]).scenarios["toy"]
    monkeypatch.setattr(page, "read", lambda _path: argparse.Namespace(scenarios={"one": lock, "two": lock}))
    asked: list[list[str]] = []

    def run_suite(chunk: list[ScenarioSpec], runner: Any) -> SuiteReport:
        asked.append([spec.id for spec in chunk])
        if "three" in asked[-1]:
            raise InfraError("jail_setup", "no device node")
        gold = reports.verdict(reports.failing(measured=math.inf, reason="not_finite"))
        changed = {"two": {"gold": gold}}
        return reports.suite(
            *(
                reports.usual(**changed.get(spec.id, {})).scenarios[0].model_copy(update={"id": spec.id})
                for spec in chunk
            )
        )

    monkeypatch.setattr(page, "run_suite", run_suite)

    def run(**options: Any) -> tuple[dict[str, Any], list[list[str]]]:
        asked.clear()
        args = argparse.Namespace(**{"output": tmp_path / "suite.json", "chunk": 1, "budget_s": 60.0} | options)
        return page.run([*specs, about_t4], NoGpu(), H100, args), list(asked)

    return run


def test_verdicts_stand_beside_the_emulated_ones(ran: Any, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    result, asked = ran()
    assert asked == [["one"], ["two"], ["three"]]
    assert set(result["scenarios"]) == {"one", "two"} and list(result["left_out"]) == ["about-t4"]
    assert result["errors"] == {"three": "InfraError: no device node"}, "the rest went on"
    gold = result["scenarios"]["two"]["variants"]["gold"]
    assert (gold["cuda"], gold["emulated"], gold["agrees"]) == ("fail: not_finite", ["pass"], False)
    assert (result["agreeing"], result["differing"]) == (7, 1)
    (line,) = [line for line in capsys.readouterr().out.splitlines() if "DIFFERS" in line]
    assert line.split()[:2] == ["two", "gold"] and "inf (0.01)" in line
    written = json.loads((tmp_path / "suite.json").read_text())
    assert written["scenarios"]["two"]["variants"]["gold"]["gap"] is None, "JSON has no infinity"


def test_a_second_run_goes_on_where_the_first_was_stopped(ran: Any, tmp_path: Path) -> None:
    first, _ = ran(budget_s=-1.0)
    assert first["unfinished"] == ["one", "two", "three"]
    ran()
    again, asked = ran()
    assert asked == [["three"]] and set(again["scenarios"]) == {"one", "two"}
    old = json.loads((tmp_path / "suite.json").read_text())
    old["scenarios"]["one"]["content_sha256"] = "of other files"
    (tmp_path / "suite.json").write_text(json.dumps(old))
    assert ran()[1] == [["one"], ["three"]]


def test_scenarios_that_are_timed_run_last_and_alone(page: ModuleType, toy: ScenarioSpec) -> None:
    plain = [toy.model_copy(update={"id": name, "checks": toy.checks[:2]}) for name in ("a", "b", "c")]
    timed = [toy.model_copy(update={"id": name}) for name in ("x", "y")]
    order = [[spec.id for spec in chunk] for chunk in page.chunks([timed[0], *plain, timed[1]], NoGpu(), 2)]
    assert order == [["a", "b"], ["c"], ["x"], ["y"]]


@pytest.mark.skipif(HAS_CUDA, reason="this machine has a CUDA device")
@pytest.mark.skipif(sys.platform == "win32", reason="a shell script")
def test_without_a_gpu_every_step_says_not_measured(tmp_path: Path) -> None:
    command = ["bash", str(ROOT / "benchmarks" / "gpu" / "run.sh"), str(tmp_path / "out")]
    done = subprocess.run(
        command, env=os.environ | {"PYTHON": sys.executable}, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 0, done.stderr
    assert {path.name for path in (tmp_path / "out").iterdir()} == {
        "doctor.json", "clocks.csv", "step_time.json", "suite.json", "suite.txt",
        "gpt2.json", "gpt2.txt", "gpt2_padded.json", "gpt2_padded.txt",
    }  # fmt: skip
    for name in ("step_time.json", "suite.json", "gpt2.json", "gpt2_padded.json"):
        assert json.loads((tmp_path / "out" / name).read_text())["status"] == "not_measured"
    assert "not_measured" in (tmp_path / "out" / "clocks.csv").read_text()
