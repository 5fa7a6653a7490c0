"""The GitHub action for suites, its step executed as it stands."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from ampfix.cli.main import main
from tests.project.modules import ROOT

from .conftest import SCENARIOS

ACTION = yaml.safe_load((ROOT / "actions" / "suite" / "action.yml").read_text(encoding="utf-8"))
NAMES = {
    "INPUT_SCENARIOS": "scenarios",
    "INPUT_SCENARIOS_DIR": "scenarios-dir",
    "INPUT_SHARD": "shard",
    "INPUT_OPTIONS": "options",
    "INPUT_JUNIT": "junit-file",
    "INPUT_FAIL": "fail",
}

pytestmark = pytest.mark.skipif(not shutil.which("bash"), reason="no bash")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkout with one scenario of one seed and no answer, and its lock."""
    folder = tmp_path_factory.mktemp("project")
    shutil.copytree(SCENARIOS / "toy", folder / "my scenarios" / "toy")
    spec = folder / "my scenarios" / "toy" / "scenario.toml"
    text = spec.read_text()
    spec.write_text(text[: text.index("[[answers]]")].replace("seeds = [0, 1, 2]", "seeds = [0]"))
    assert main(["suite", "--update", "--scenarios-dir", str(folder / "my scenarios")]) == 0
    return folder


def run_action(project: Path, tmp_path: Path, **inputs: str) -> tuple[int, str, str]:
    """Run the action's step with ampfix of this environment: exit code, what it printed, its outputs."""
    (step,) = [step for step in ACTION["runs"]["steps"] if step.get("id") == "suite"]
    assert step["env"] == {variable: f"${{{{ inputs.{name} }}}}" for variable, name in NAMES.items()}
    given = {name: str(entry["default"]) for name, entry in ACTION["inputs"].items()} | inputs
    wrapper, outputs = tmp_path / "run-ampfix", tmp_path / "outputs"
    wrapper.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m ampfix "$@"\n')
    wrapper.chmod(0o755)
    environment = os.environ | {variable: given[name] for variable, name in NAMES.items()}
    environment |= {
        "AMPFIX_SUITE": str(wrapper),
        "GITHUB_OUTPUT": str(outputs),
        "GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md"),
        "PYTHONPATH": str(ROOT),
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
    }
    command = [shutil.which("bash") or "bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", step["run"]]
    done = subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, timeout=240)
    return done.returncode, done.stdout, outputs.read_text()


def test_verdicts_as_they_are_locked_pass(project: Path, tmp_path: Path) -> None:
    report = tmp_path / "out.xml"
    inputs = {"scenarios-dir": "my scenarios", "scenarios": "toy\n\n", "junit-file": str(report), "shard": "1/1"}
    assert run_action(project, tmp_path, **inputs) == (0, "", "changed=false\n")
    assert '<testsuite name="toy"' in report.read_text()


@pytest.mark.parametrize(("fail", "code"), [("true", 1), ("false", 0)])
def test_a_changed_verdict_is_annotated_and_summarised(project: Path, tmp_path: Path, fail: str, code: int) -> None:
    lock = json.loads((project / "my scenarios" / "scenarios.lock").read_text())
    gold = lock["scenarios"]["toy"]["variants"]["gold"]
    gold["outcomes"] = gold["checks"]["converges"]["outcomes"] = ["fail: loss_too_high"]
    other = tmp_path / "other.lock"
    other.write_text(json.dumps(lock))
    inputs = {"scenarios-dir": "my scenarios", "options": f"--lock-file={other}", "junit-file": "out.xml", "fail": fail}
    got, out, outputs = run_action(project, tmp_path, **inputs)
    assert (got, outputs) == (code, "changed=true\n")
    (line,) = out.splitlines()
    assert line.startswith("::error title=ampfix suite::toy gold: fail: loss_too_high -> pass: converges")
    assert "1 verdicts changed" in (tmp_path / "summary.md").read_text()


@pytest.mark.parametrize(
    "inputs",
    [
        {"scenarios": "$(touch pwned); `touch pwned`"},
        {"scenarios": "--output-file=pwned"},
        {"shard": "1/1 --output-file=pwned"},
        {"scenarios": "toy"},  # of ampfix's own, there is no such scenario
    ],
)
def test_wrong_inputs_fail_and_none_is_run(project: Path, tmp_path: Path, inputs: dict[str, str]) -> None:
    code, _, outputs = run_action(
        project, tmp_path, **{"fail": "false", "options": "--lock-file=my scenarios/scenarios.lock", **inputs}
    )
    assert (code, outputs) == (2, "changed=false\n")
    assert not (project / "pwned").exists()


def test_no_input_is_pasted_into_a_script() -> None:
    assert not [step["name"] for step in ACTION["runs"]["steps"] if "${{" in step["run"]]


def test_the_install_step_takes_what_a_suite_needs() -> None:
    (step,) = [step for step in ACTION["runs"]["steps"] if step["name"] == "Install"]
    assert '"$AMPFIX_SOURCE[run]"' in step["run"] and step["env"]["AMPFIX_SOURCE"].endswith("/../..")
