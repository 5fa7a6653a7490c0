"""The regression gate as its users run it: a lock is written, holds, and tells what changed."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from xml.etree import ElementTree as xml

import pytest

from ampfix.cli.main import main

from .conftest import SCENARIOS


@pytest.fixture(scope="module")
def suite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one scenario of two answers, and its lock."""
    folder = tmp_path_factory.mktemp("suite")
    shutil.copytree(SCENARIOS / "toy", folder / "toy")
    spec = folder / "toy" / "scenario.toml"
    text = spec.read_text()
    spec.write_text(
        text[: text.index("[[answers]]", text.index("bfloat16.py"))].replace("seeds = [0, 1, 2]", "seeds = [0]")
    )
    assert main(["suite", "--update", "--scenarios-dir", str(folder)]) == 0
    return folder


def ran(folder: Path, *options: str) -> int:
    return main(["suite", "--scenarios-dir", str(folder), *options])


def test_a_lock_holds_on_fresh_seeds(suite: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = (suite / "scenarios.lock").read_bytes()
    assert ran(suite, "--validate", "--locked", "--output-format", "json") == 0
    report = json.loads(capsys.readouterr().out)
    assert report["ok"] and [change for change in report["changes"] if change["kind"] != "drift"] == []
    assert (suite / "scenarios.lock").read_bytes() == before


def test_a_changed_verdict_fails_and_is_told(suite: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    lock = json.loads((suite / "scenarios.lock").read_text())
    gold = lock["scenarios"]["toy"]["variants"]["gold"]
    gold["outcomes"] = gold["checks"]["converges"]["outcomes"] = ["fail: loss_too_high"]
    other, report = tmp_path / "other.lock", tmp_path / "suite.xml"
    other.write_text(json.dumps(lock))
    options = ("--locked", "--lock-file", str(other), "--shard", "1/2", "--output-format", "junit")
    assert ran(suite, *options, "--output-file", str(report)) == 1
    (failure,) = xml.parse(report).getroot().iter("failure")
    assert failure.attrib["message"].startswith(
        "toy gold: fail: loss_too_high -> pass: converges fail: loss_too_high -> pass (measured "
    )


def test_an_empty_shard_is_no_failure(suite: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert ran(suite, "--locked", "--shard", "2/2", "--output-format", "json") == 0
    assert json.loads(capsys.readouterr().out)["scenarios"] == []


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--locked", "--update"), "--locked compares with the lock, --update does not: choose one"),
        (("--locked", "--calibrate"), "--locked compares with the lock, --calibrate does not"),
        (("--locked", "--device", "cuda"), "--locked: the lock holds verdicts under emulation"),
        (("--locked", "--lock-file", "no.lock"), "no.lock: no lock file; write it with `ampfix suite --update`"),
        (("--shard", "3/2"), "--shard '3/2' is not I/N with I from 1 to N"),
    ],
)
def test_wrong_options_end_in_one_line_before_anything_runs(
    suite: Path, options: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert ran(suite, *options) == 2
    error = capsys.readouterr().err
    assert said in error and error.count("\n") == 1


def test_a_scenario_that_is_not_valid_leaves_the_lock_alone(
    suite: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "suite"
    shutil.copytree(suite, folder)
    shutil.copy(folder / "toy" / "fixed.py", folder / "toy" / "loop.py")
    before = (folder / "scenarios.lock").read_bytes()
    assert ran(folder, "--update") == 1
    assert (folder / "scenarios.lock").read_bytes() == before
