"""The complete example: right, clean under check and watch, and as good in each precision as in float32."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

EXAMPLE = Path(__file__).parents[2] / "examples" / "digits.py"
pytest.importorskip("sklearn", reason="the example trains on scikit-learn's digits")


def run(*command: str | Path, cwd: Path) -> str:
    done = subprocess.run([sys.executable, *map(str, command)], cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def accuracy(told: str) -> float:
    return float(re.findall(r"accuracy (\S+)", told)[-1])


def test_check_finds_nothing(tmp_path: Path) -> None:
    run("-m", "ampfix", "check", "--isolated", EXAMPLE, cwd=tmp_path)


def test_it_learns_in_float32_and_in_the_cpus_bfloat16(tmp_path: Path) -> None:
    for precision, epochs in (("float32", "3"), ("bfloat16", "1")):
        assert accuracy(run(EXAMPLE, "--precision", precision, "--epochs", epochs, cwd=tmp_path)) > 0.8


def emulated(device: str, *options: str | Path, cwd: Path) -> tuple[str, dict[str, Any]]:
    """What the example printed on an emulated GPU, and the last line of its record."""
    told = run(
        "-m",
        "ampfix",
        "watch",
        "--emulate",
        "cuda",
        "--profile",
        device,
        "--out",
        "record",
        "--",
        EXAMPLE,
        *options,
        cwd=cwd,
    )
    return told, json.loads((cwd / "record" / "watch-0.jsonl").read_text().splitlines()[-1])


@pytest.mark.parametrize("device, half", [("A100", "bfloat16"), ("T4", "float16")])
def test_it_learns_on_emulated_gpus_and_raises_no_alarm(tmp_path: Path, device: str, half: str) -> None:
    told, end = emulated(device, "--epochs", "2", cwd=tmp_path)
    assert accuracy(told) > 0.85
    assert end["kind"] == "end" and end["alarms"] == []
    assert max(end["flops"], key=end["flops"].get) == half


def test_a_run_that_was_stopped_goes_on_with_its_scale(tmp_path: Path) -> None:
    for epochs in ("1", "2"):
        told, end = emulated("T4", "--epochs", epochs, "--checkpoint", "digits.pt", cwd=tmp_path)
    assert "epoch 2" in told and "epoch 1" not in told
    assert accuracy(told) > 0.85 and end["alarms"] == []
