"""Whatever ends the program, nothing of it stays: no process, no file."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ampfix.lab.scratch import scratch_folder, sweep

from .conftest import SCENARIOS

ROOT = Path(__file__).parent.parent.parent


def processes_with(marker: str) -> list[int]:
    """The processes whose environment holds the marker."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if marker.encode() in (folder / "environ").read_bytes():
                found.append(int(folder.name))
        except OSError:
            continue
    return found


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="reads /proc")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_suite_that_is_ended_leaves_no_process(tmp_path: Path, number: signal.Signals) -> None:
    command = [sys.executable, "-m", "ampfix", "suite", "toy", "--scenarios-dir", str(SCENARIOS), "--repeats", "50"]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path)}
    suite = subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=heed_interrupts
    )
    marker = f"TMPDIR={tmp_path}/"
    until(lambda: any(weights_in(folder) for folder in tmp_path.glob("ampfix-lab-*")))
    suite.send_signal(number)
    output, errors = suite.communicate(timeout=300)
    until(lambda: not processes_with(marker))
    assert output == "", errors
    if number == signal.SIGINT:
        assert (suite.returncode, errors) == (130, "ampfix: error: interrupted\n")
        assert list(tmp_path.iterdir()) == []


def weights_in(folder: Path) -> list[Path]:
    try:
        return list(folder.glob("*/weights.safetensors"))
    except FileNotFoundError:  # removed while it was read
        return []


def heed_interrupts() -> None:
    """A shell's background jobs ignore SIGINT, and their children with them."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def until(condition: object) -> None:
    deadline = time.monotonic() + 60
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_folders_of_a_killed_program_are_swept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    (tmp_path / f"ampfix-lab-{child.pid}-abc").mkdir()
    (tmp_path / "ampfix-lab-of-somebody").mkdir()
    with scratch_folder() as mine:
        sweep()
        assert sorted(path.name for path in tmp_path.iterdir()) == sorted([mine.name, "ampfix-lab-of-somebody"])
    assert not mine.exists()


INTERRUPTED = """
import shutil, sys
from ampfix.lab import scratch, witness

def interrupted(*paths, **options):
    shutil.rmtree = real
    raise KeyboardInterrupt

real, shutil.rmtree = shutil.rmtree, interrupted
try:
    witness.codes_found({"loop.py": "import torch"})
except KeyboardInterrupt:
    sys.exit(len(list(scratch.Path(sys.argv[1]).iterdir())))
"""


def test_an_interrupt_during_the_removal_of_a_folder_leaves_nothing(tmp_path: Path) -> None:
    environment = os.environ | {"PYTHONPATH": str(ROOT), "TMPDIR": str(tmp_path)}
    ended = subprocess.run([sys.executable, "-c", INTERRUPTED, str(tmp_path)], env=environment, check=False)
    assert ended.returncode == 1, "the folder was still there when the interrupt came"
    assert list(tmp_path.iterdir()) == []
