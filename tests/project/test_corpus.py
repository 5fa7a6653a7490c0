"""A published trainer with known bugs: they are found, nothing else is claimed, and the repair is the one asked for."""

from __future__ import annotations

import difflib
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from .modules import ROOT

pytestmark = pytest.mark.corpus

PACKAGE = "recbole==1.2.1"
TRAINER = "recbole/trainer/trainer.py"
CLIPS_BEFORE_UNSCALING = (263, 1475)


def run(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", *arguments], cwd=cwd, capture_output=True, text=True)


@pytest.fixture(scope="module")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("corpus")
    done = run("pip", "download", "--quiet", "--no-deps", "--dest", str(folder), PACKAGE, cwd=ROOT)
    if done.returncode:
        pytest.skip(f"{PACKAGE} cannot be downloaded: is this machine offline?")
    with zipfile.ZipFile(next(folder.glob("*.whl"))) as archive:
        archive.extractall(folder)
    return folder


def test_both_clips_are_found_in_the_whole_package_and_no_other_protocol_bug(package: Path) -> None:
    done = run("ampfix", "check", "recbole", "--output-format", "json", cwd=package)
    assert done.returncode == 1, done.stderr
    report = json.loads(done.stdout)
    assert not report["errors"]
    protocol = [finding for finding in report["findings"] if finding["code"].startswith(("AMP1", "AMP2"))]
    assert [(finding["code"], finding["path"], finding["line"]) for finding in protocol] == [
        ("AMP101", TRAINER, line) for line in CLIPS_BEFORE_UNSCALING
    ]


def test_the_repair_unscales_before_each_clip_and_changes_nothing_else(package: Path) -> None:
    before = (package / TRAINER).read_text(encoding="utf-8")
    shown = run("ampfix", "fix", "--select", "AMP101", "--diff", TRAINER, cwd=package)
    assert shown.returncode == 1, shown.stderr
    assert (package / TRAINER).read_text(encoding="utf-8") == before

    done = run("ampfix", "fix", "--select", "AMP101", TRAINER, cwd=package)
    assert done.returncode == 0, done.stderr
    after = (package / TRAINER).read_text(encoding="utf-8")
    compile(after, TRAINER, "exec")
    changes = [line for line in difflib.ndiff(before.splitlines(), after.splitlines()) if line[0] in "+-"]
    assert [line.split() for line in changes] == [["+", "scaler.unscale_(self.optimizer)"]] * 2
    lines = after.splitlines()
    for index, line in enumerate(lines):
        if "scaler.unscale_(" in line:
            assert "clip_grad_norm_" in lines[index + 1]
