"""`ampfix fix` from the outside."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from ampfix.cli.main import main
from tests.codemods.test_fixpoint import LOOP, REPAIRED


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "train.py").write_bytes(LOOP.encode())
    (tmp_path / "clean.py").write_bytes(b"import torch\n")
    return tmp_path


def test_fix_writes_the_file_and_says_what_it_did(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fix", "."]) == 0
    assert (project / "train.py").read_text() == REPAIRED
    told = capsys.readouterr().out
    assert told.startswith("train.py: fixed AMP101 clip-before-unscale (")
    assert told.endswith(" fixed, 0 left.\n")


def test_diff_writes_nothing_and_is_accepted_by_git(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fix", "train.py", "--diff"]) == 1
    assert (project / "train.py").read_bytes() == LOOP.encode()
    patch = capsys.readouterr().out
    subprocess.run(["git", "apply", "-p0", "-"], input=patch, text=True, check=True, cwd=project)
    assert (project / "train.py").read_text() == REPAIRED


@pytest.mark.parametrize("ending", ["\r\n", "\n"])
def test_a_diff_survives_line_ends_and_a_missing_last_one(
    project: Path, capsys: pytest.CaptureFixture[str], ending: str
) -> None:
    text = LOOP.rstrip("\n").replace("\n", ending).encode()
    (project / "train.py").write_bytes(text)
    assert main(["fix", "train.py", "--diff"]) == 1
    patch = capsys.readouterr().out.encode()
    subprocess.run(["git", "apply", "-p0", "-"], input=patch, check=True, cwd=project)
    assert (project / "train.py").read_bytes() == REPAIRED.rstrip("\n").replace("\n", ending).encode()


def test_what_remains_is_an_exit_code_and_a_reason(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fix", ".", "--unfixable", "AMP114"]) == 1
    told = capsys.readouterr().out
    assert "AMP114" in told
    assert "not fixed: AMP114 is not selected for fixing" in told


def test_only_selected_rules_are_repaired(project: Path) -> None:
    assert main(["fix", ".", "--select", "AMP601"]) == 0
    text = (project / "train.py").read_text()
    assert "torch.cuda.amp" not in text
    assert "unscale_" not in text


def test_unsafe_repairs_need_their_option(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = LOOP.replace("scaler.scale(loss).backward()", "loss.backward()").replace(
        "scaler.step(optimizer)\n", "optimizer.step()\n"
    )
    before = "\n".join(line for line in before.splitlines() if "scaler" not in line and "clip_grad_" not in line) + "\n"
    (project / "train.py").write_text(before.replace("import autocast, GradScaler", "import autocast"))
    assert main(["fix", "."]) == 1
    assert "--unsafe-fixes applies it" in capsys.readouterr().out
    assert main(["fix", ".", "--unsafe-fixes"]) == 0
    text = (project / "train.py").read_text()
    assert "scaler.scale(loss).backward()" in text
    assert "if scaler.get_scale() >= scale_before:\n            scheduler.step()" in text


def test_a_byte_order_mark_survives(project: Path) -> None:
    (project / "train.py").write_bytes(b"\xef\xbb\xbf" + LOOP.encode())
    assert main(["fix", "."]) == 0
    assert (project / "train.py").read_bytes() == b"\xef\xbb\xbf" + REPAIRED.encode()


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("broken.py", b"import torch.cuda.amp.autocast\ndef f(:\n"),
        ("latin.py", b"import torch.amp  # \xe9\n"),
        ("missing.py", None),
    ],
)
def test_what_cannot_be_read_is_one_line_and_the_others_are_still_repaired(
    project: Path, capsys: pytest.CaptureFixture[str], name: str, data: bytes | None
) -> None:
    if data is not None:
        (project / name).write_bytes(data)
    assert main(["fix", name, "train.py"]) == 2
    assert (project / "train.py").read_text() == REPAIRED
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert name in error
