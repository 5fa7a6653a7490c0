"""What other repositories run: the pre-commit hooks and the GitHub action, executed as they stand."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from ampfix.cli.main import main
from tests.lint.test_engine import BUG
from tests.project.modules import ROOT

HOOKS = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text(encoding="utf-8"))
ACTION = yaml.safe_load((ROOT / "action.yml").read_text(encoding="utf-8"))


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "train.py").write_text(BUG, encoding="utf-8")
    (tmp_path / "old dir").mkdir()
    (tmp_path / "old dir" / "train.py").write_text(BUG, encoding="utf-8")
    (tmp_path / "pyproject.toml").write_text('[tool.ampfix]\nextend-exclude = ["skipped.py"]\n')
    (tmp_path / "skipped.py").write_text(BUG, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AMPFIX_CACHE_DIR", str(tmp_path / ".kept"))
    return tmp_path


@pytest.mark.parametrize("hook", HOOKS, ids=lambda hook: hook["id"])
def test_a_hook_checks_the_files_it_is_handed_and_obeys_excludes(project: Path, hook: dict[str, Any]) -> None:
    program, *arguments = shlex.split(hook["entry"])
    assert program == "ampfix"
    assert main([*arguments, "skipped.py"]) == 0
    assert main([*arguments, "train.py"]) == (1 if hook["id"] == "ampfix" else 0)
    assert (project / "skipped.py").read_text() == BUG
    assert ("unscale_" in (project / "train.py").read_text()) is (hook["id"] == "ampfix-fix")


def run_action(project: Path, **inputs: str) -> tuple[int, str, str]:
    """Run the action's check step with ampfix of this environment: exit code, what it printed, its outputs."""
    (step,) = [step for step in ACTION["runs"]["steps"] if step.get("id") == "check"]
    given = {name: str(entry["default"]) for name, entry in ACTION["inputs"].items()} | inputs
    names = {"INPUT_PATHS": "paths", "INPUT_OPTIONS": "options", "INPUT_SARIF": "sarif-file", "INPUT_FAIL": "fail"}
    assert step["env"] == {variable: f"${{{{ inputs.{name} }}}}" for variable, name in names.items()}
    wrapper = project / "run-ampfix"
    wrapper.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m ampfix "$@"\n')
    wrapper.chmod(0o755)
    outputs = project / "outputs"
    environment = os.environ | {variable: given[name] for variable, name in names.items()}
    environment |= {"AMPFIX": str(wrapper), "GITHUB_OUTPUT": str(outputs), "PYTHONPATH": str(ROOT)}
    command = [shutil.which("bash") or "bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]]
    done = subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, timeout=120)
    return done.returncode, done.stdout, outputs.read_text()


@pytest.mark.skipif(not shutil.which("bash"), reason="no bash")
def test_the_action_annotates_and_fails(project: Path) -> None:
    code, out, outputs = run_action(project, paths="train.py\nold dir\n", **{"sarif-file": "out.sarif"})
    assert code == 1
    assert [line.partition(",line")[0] for line in out.splitlines()] == [
        "::error title=AMP101 clip-before-unscale,file=train.py",
        "::error title=AMP101 clip-before-unscale,file=old dir/train.py",
    ]
    assert outputs == "findings=true\n"
    assert len(json.loads((project / "out.sarif").read_bytes())["runs"][0]["results"]) == 2


@pytest.mark.skipif(not shutil.which("bash"), reason="no bash")
@pytest.mark.parametrize(
    ("inputs", "code", "outputs"),
    [
        ({"options": "--ignore=AMP1\n"}, 0, "findings=false\n"),
        ({"fail": "false"}, 0, "findings=true\n"),
        ({"paths": "missing.py", "fail": "false"}, 2, "findings=false\n"),
        ({"paths": "$(touch pwned); `touch pwned`\n--output-file=pwned"}, 2, "findings=false\n"),
    ],
)
def test_the_action_obeys_its_inputs_and_runs_none_of_them(
    project: Path, inputs: dict[str, str], code: int, outputs: str
) -> None:
    got, _, written = run_action(project, **inputs)
    assert (got, written) == (code, outputs)
    assert not (project / "pwned").exists()


def test_no_input_is_pasted_into_a_script() -> None:
    assert not [step["name"] for step in ACTION["runs"]["steps"] if "${{" in step["run"]]
