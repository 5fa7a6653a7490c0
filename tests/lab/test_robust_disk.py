"""A full disk is said to be one: exit code 2, a line that names it, and no file half written."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from .conftest import SCENARIOS

ROOT = Path(__file__).parent.parent.parent
SMALL_FILES = 2048  # bytes: any document is larger, and so are the toy's initial weights


def ampfix(*arguments: str, folder: Path, largest_file: int | None = None, before: str = "") -> tuple[int, str, str]:
    """Run the command with its temporary files in `folder`. before: a shell's preparation in a mount namespace."""

    def limit() -> None:
        if largest_file is not None:
            resource.setrlimit(resource.RLIMIT_FSIZE, (largest_file, largest_file))

    command = [sys.executable, "-m", "ampfix", *arguments]
    if before:
        command = ["unshare", "--mount", "sh", "-c", f'{before} && exec "$@"', "sh", *command]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "TMPDIR": str(folder), "PYTHONDONTWRITEBYTECODE": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, preexec_fn=limit, timeout=300)
    return done.returncode, done.stdout, done.stderr


def can_mount() -> bool:
    trial = ["unshare", "--mount", "mount", "-t", "tmpfs", "none", "/mnt"]
    try:
        return subprocess.run(trial, capture_output=True).returncode == 0
    except OSError:
        return False


@pytest.fixture
def empty_answer(tmp_path: Path) -> Path:
    """Judged without running anything."""
    path = tmp_path / "answer.py"
    path.write_text("")
    return path


@pytest.mark.parametrize("form", ["json", "text"])
def test_a_result_that_finds_no_room_leaves_the_old_one(tmp_path: Path, empty_answer: Path, form: str) -> None:
    results = tmp_path / "results"
    results.mkdir()
    file = results / "verdicts"
    file.write_text("the last one")
    options = ("--scenario", "toy", "--scenarios-dir", str(SCENARIOS), "--output-format", form)
    given = ("grade", str(empty_answer), *options, "--output-file", str(file))
    code, out, errors = ampfix(*given, folder=tmp_path, largest_file=64)
    assert (code, out) == (2, "")
    assert errors == f"ampfix: error: --output-file {file}: File too large\n"
    assert [(path.name, path.read_text()) for path in results.iterdir()] == [("verdicts", "the last one")]


def test_a_quota_met_while_grading_is_the_verdicts_reason(tmp_path: Path) -> None:
    options = ("--scenarios-dir", str(SCENARIOS), "--output-format", "json")
    answer = SCENARIOS / "toy" / "fixed.py"
    code, out, errors = ampfix("grade", str(answer), *options, folder=tmp_path, largest_file=SMALL_FILES)
    (verdict,) = json.loads(out)["verdicts"]
    assert (code, verdict["status"], verdict["reason"]) == (2, "infra_error", "no_space"), errors
    assert "File too large" in verdict["detail"] and "\n" not in verdict["detail"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not can_mount(), reason="mounts a small file system")
@pytest.mark.parametrize("kilobytes", [4, 12, 32])
def test_a_disk_that_fills_up_is_said_so_whenever_it_does(tmp_path: Path, kilobytes: int) -> None:
    """With 4 there is no room for the folders, with more for some of the files."""
    mount = f"mount -t tmpfs -o size={kilobytes}k,nr_inodes=64 none {tmp_path}"
    options = ("--scenarios-dir", str(SCENARIOS), "--output-format", "json")
    code, out, errors = ampfix("suite", "toy", *options, folder=tmp_path, before=mount)
    assert code == 2, (out, errors)
    said = errors
    if out:
        (report,) = json.loads(out)["scenarios"]
        faults = {one["verdict"]["reason"]: one["verdict"]["detail"] for one in report["verdicts"]}
        assert set(faults) == {"no_space"}, faults
        said = faults["no_space"]
    assert "No space left on device" in said and "Traceback" not in errors
