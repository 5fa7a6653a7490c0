"""doctor tells what is here, what is missing and how to get it, also where almost everything is missing."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from ampfix.cli import main as cli
from ampfix.cli._common import Exit
from ampfix.extras import EXTRAS
from ampfix.hardware import machine


@pytest.fixture
def bare(monkeypatch: pytest.MonkeyPatch) -> None:
    """A base installation: no package of an extra can be found or imported."""
    real = machine.importlib.util.find_spec
    monkeypatch.setattr(machine.importlib.util, "find_spec", lambda name: None if name in EXTRAS else real(name))
    monkeypatch.setitem(sys.modules, "torch", None)


def doctor(capsys: pytest.CaptureFixture[str], *options: str) -> tuple[int, str]:
    code = cli.main(["doctor", *options])
    return code, capsys.readouterr().out


def test_a_complete_machine_is_told_as_such(capsys: pytest.CaptureFixture[str]) -> None:
    code, text = doctor(capsys, "--output-format", "json")
    found = json.loads(text)
    assert code == Exit.OK
    assert found["schema"] == 1
    assert found["machine"]["cores"] >= 1 and found["python"] == ".".join(map(str, sys.version_info[:3]))
    assert {package["name"] for package in found["packages"]} == set(EXTRAS)
    assert all(package["version"] for package in found["packages"])
    assert found["device"]["kind"] in {"cuda", "emulated"}
    assert found["isolation"]["level"] in {"namespaces", "process_tree", "process_group"}
    assert not [item for item in found["missing"] if item["blocks"]]


def test_a_base_installation_is_told_what_to_install_once(bare: None, capsys: pytest.CaptureFixture[str]) -> None:
    code, text = doctor(capsys)
    assert code == Exit.FINDINGS
    assert text.count('pip install "ampfix[run]"') == 1
    assert "torch, numpy" in text and "suite and grade cannot run loops" in text


@pytest.mark.parametrize(
    ("result", "told"),
    [
        (subprocess.CompletedProcess([], 1, "", "Traceback ...\nOSError: not permitted\n"), "OSError: not permitted"),
        (subprocess.CompletedProcess([], -9, "", ""), "exit code -9"),
        (subprocess.TimeoutExpired("probe", 60), "did not finish"),
    ],
)
def test_a_probe_that_fails_is_no_level_and_says_why(monkeypatch, capsys, result, told: str) -> None:
    def run(*_args, **_options):
        if isinstance(result, Exception):
            raise result
        return result

    monkeypatch.setattr(machine.subprocess, "run", run)
    code, text = doctor(capsys)
    assert code == Exit.OK
    assert "isolation  unknown" in text and told in text


def test_what_a_weak_level_leaves_open_is_told(monkeypatch, capsys) -> None:
    weak = {
        "level": "process_group",
        "features": ["rlimits"],
        "undefended": ["the host's network"],
        "detail": "no Linux",
    }
    probed = subprocess.CompletedProcess([], 0, json.dumps(weak), "")
    monkeypatch.setattr(machine.subprocess, "run", lambda *_args, **_options: probed)
    _, text = doctor(capsys)
    assert "open to submitted code: the host's network" in text and "no Linux" in text
