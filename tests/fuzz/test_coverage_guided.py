"""A minute of coverage-guided fuzzing; benchmarks/fuzz.py runs it for longer."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from ..project.modules import ROOT

pytestmark = pytest.mark.fuzz
SECONDS = 56


def test_a_minute_of_fuzzing_breaks_nothing(tmp_path: Path) -> None:
    pytest.importorskip("atheris", reason="atheris is not installed: pip install atheris (Linux, Python 3.11 to 3.13)")
    figures = tmp_path / "figures.json"
    command = [sys.executable, "benchmarks/fuzz.py", "--seconds", str(SECONDS), "--keep", str(tmp_path / "kept")]
    done = subprocess.run([*command, "--output", str(figures)], cwd=ROOT, capture_output=True, text=True)
    result = json.loads(figures.read_text(encoding="utf-8"))
    assert {name: each["broken"] for name, each in result.items() if each["broken"]} == {}, tmp_path
    assert all(each["executions"] for each in result.values()), result
    assert done.returncode == 0, done.stderr
