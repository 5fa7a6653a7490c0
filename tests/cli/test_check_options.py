"""The options of `check` and `fix`: what each does, and one line for each mistake."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ampfix.cli.main import main
from tests.lint.test_engine import BUG


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / ".git").mkdir()
    for name in ("train.py", "tests/test_train.py", "old/train.py"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(BUG, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AMPFIX_CACHE_DIR", str(tmp_path / ".kept"))
    return tmp_path


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main(list(arguments))
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def paths(capsys: pytest.CaptureFixture[str], *arguments: str) -> list[str]:
    _, out, err = run(capsys, "check", "--output-format", "json", *arguments)
    assert err == ""
    return [Path(finding["path"]).as_posix() for finding in json.loads(out)["findings"]]


def test_excluding(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert paths(capsys) == ["old/train.py", "tests/test_train.py", "train.py"]
    assert paths(capsys, "--extend-exclude", "old,tests") == ["train.py"]
    assert paths(capsys, "--exclude", "old") == ["tests/test_train.py", "train.py"]
    assert paths(capsys, "--extend-exclude", "old", "old/train.py") == ["old/train.py"]
    assert paths(capsys, "--extend-exclude", "old", "--force-exclude", "old/train.py") == []
    (project / ".gitignore").write_text("old/\n")
    assert paths(capsys) == ["tests/test_train.py", "train.py"]
    assert paths(capsys, "--no-respect-gitignore") == ["old/train.py", "tests/test_train.py", "train.py"]


def test_per_file_ignores(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert paths(capsys, "--per-file-ignores", "tests/*:AMP101,old/*:AMP1") == ["train.py"]


def test_config_is_obeyed_instead_of_pyproject(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "pyproject.toml").write_text('[tool.ampfix]\nextend-exclude = ["old"]\n')
    (project / "other.toml").write_text('extend-exclude = ["tests"]\n')
    assert paths(capsys) == ["tests/test_train.py", "train.py"]
    assert paths(capsys, "--config", "other.toml") == ["old/train.py", "train.py"]
    assert paths(capsys, "--isolated") == ["old/train.py", "tests/test_train.py", "train.py"]


def test_each_file_obeys_its_own_settings(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "tests" / "pyproject.toml").write_text('[tool.ampfix]\nselect = ["AMP6"]\n')
    assert paths(capsys) == ["old/train.py", "train.py"]


def test_show_files(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "check", "--show-files", "--extend-exclude", "old")
    assert (code, [Path(line).as_posix() for line in out.splitlines()]) == (0, ["tests/test_train.py", "train.py"])
    assert run(capsys, "check", "--show-files", "missing.py")[0] == 2


def test_show_settings_is_toml_that_gives_the_same_settings(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (project / "pyproject.toml").write_text(
        '[tool.ampfix]\nselect = ["AMP1"]\ntarget-torch = "2.3"\nper-file-ignores = {"tests/*" = ["AMP101"]}\n'
    )
    code, out, _ = run(capsys, "check", "--show-settings", "--unfixable", "AMP101")
    assert code == 0
    assert 'select = ["AMP1"]' in out and 'unfixable = ["AMP101"]' in out and 'target-torch = "2.3"' in out
    (project / "pyproject.toml").write_text(out)
    assert run(capsys, "check", "--show-settings")[1] == out


def test_fixable_decides_what_is_offered(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _, out, _ = run(capsys, "check", "train.py", "--output-format", "json", "--unfixable", "AMP1")
    (finding,) = json.loads(out)["findings"]
    assert finding["no_fix_reason"] == "AMP101 is not selected for fixing"
    assert "no fix: AMP101 is not selected" in run(capsys, "check", "train.py", "--fixable", "AMP6")[1]


def test_the_cache_is_used_kept_and_left_alone(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run(capsys, "check", "--no-cache")
    assert not (project / ".kept").exists()
    run(capsys, "check", "--cache-dir", "elsewhere")
    assert list((project / "elsewhere").glob("*.json"))
    first = run(capsys, "check")
    assert run(capsys, "check") == first
    assert list((project / ".kept").glob("*.json"))


def test_an_output_file_is_replaced_as_a_whole(project: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = project / "report.json"
    target.write_text("old")
    target.chmod(0o640)
    code, out, _ = run(capsys, "check", "--output-format", "json", "--output-file", "report.json")
    assert (code, out) == (1, "")
    assert len(json.loads(target.read_bytes())["findings"]) == 3
    assert target.stat().st_mode & 0o777 == 0o640
    assert not [name for name in os.listdir() if name.endswith(".tmp")]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("check", "--jobs", "0"), "--jobs"),
        (("check", "--config", "missing.toml"), "missing.toml: cannot be read"),
        (("check", "--config", "a.toml", "--isolated"), "--isolated"),
        (("check", "--per-file-ignores", "tests"), "PATTERN:CODE"),
        (("check", "--per-file-ignores", "a:XYZ"), "per-file-ignores: 'XYZ' selects no rule"),
        (("check", "--fixable", "XYZ"), "fixable: 'XYZ' selects no rule"),
        (("check", "--output-format", "xml"), "invalid choice"),
        (("check", "train.py", "--output-file", "missing/x.json"), "--output-file"),
        (("check", "-", "train.py"), "stdin cannot be read together"),
        (("check", "train.py", "--stdin-filename", "x.py"), "stdin cannot be read together"),
        (("check", "bad"), "bad/pyproject.toml: unknown key 'slect'"),
        (("fix", "bad"), "bad/pyproject.toml: unknown key 'slect'"),
        (("check", "missing.py"), "missing.py: no such file"),
    ],
)
def test_a_mistake_is_one_line_and_exit_code_2(
    project: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], said: str
) -> None:
    (project / "bad").mkdir()
    (project / "bad" / "pyproject.toml").write_text("[tool.ampfix]\nslect = []\n")
    try:
        code = main(list(arguments))
    except SystemExit as exit_:
        code = exit_.code  # type: ignore[assignment]
    err = capsys.readouterr().err.replace(os.sep, "/")
    assert code == 2
    assert said in err
    assert err.count("\n") == 1


Pipe = Callable[..., tuple[int, bytes, bytes]]


@pytest.fixture
def piped(project: Path, monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]) -> Pipe:
    """Runs a command with bytes on stdin: its exit code and what it wrote."""

    def pipe(*arguments: str, data: bytes) -> tuple[int, bytes, bytes]:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data)))
        return (main(list(arguments)), *capsysbinary.readouterr())

    return pipe


def test_stdin_obeys_the_settings_of_the_name_it_is_given(project: Path, piped: Pipe) -> None:
    (project / "tests" / "pyproject.toml").write_text('[tool.ampfix]\nselect = ["AMP6"]\n')
    assert piped("check", "-", data=BUG.encode())[0] == 1
    assert piped("check", "--stdin-filename", "tests/new.py", data=BUG.encode())[0] == 0
    assert piped("check", "-", "--stdin-filename", "x.py", data=b"import torch.cuda.amp.autocast\ndef f(:")[0] == 2


def test_fix_repairs_stdin_to_stdout(project: Path, piped: Pipe) -> None:
    data = b"\xef\xbb\xbf" + BUG.replace("\n", "\r\n").encode()
    code, out, err = piped("fix", "-", "--stdin-filename", "new.py", data=data)
    clip = b"        torch.nn.utils.clip"
    assert out == data.replace(clip, b"        scaler.unscale_(optimizer)\r\n" + clip)
    assert code == 0
    assert b"fixed" in err
    assert not (project / "new.py").exists()
    assert piped("fix", "-", data=b"x = 1\n")[:2] == (0, b"x = 1\n")
    assert piped("fix", "-", data=b"import torch.cuda.amp.autocast\ndef f(:")[:2] == (
        2,
        b"import torch.cuda.amp.autocast\ndef f(:",
    )
    assert piped("fix", "-", "--diff", data=BUG.encode())[1].startswith(b"--- -\n+++ -\n")


def test_a_notebook_comes_through_stdin_too(piped: Pipe) -> None:
    cell = {"cell_type": "code", "source": BUG, "metadata": {}, "outputs": []}
    data = json.dumps({"cells": [cell], "metadata": {}, "nbformat": 4}).encode()
    assert b"a.ipynb:cell 1:7:9: AMP101" in piped("check", "--stdin-filename", "a.ipynb", data=data)[1]
    repaired = json.loads(piped("fix", "--stdin-filename", "a.ipynb", data=data)[1])
    assert "unscale_" in repaired["cells"][0]["source"]


@pytest.mark.parametrize("encoding", ["cp1252", "ascii"])
def test_a_console_that_lacks_characters_gets_escapes(project: Path, encoding: str) -> None:
    text = BUG.replace("clip_grad_norm_(", "clip_grad_norm_(  # \u4e2d\u6587\n            ")
    environment = os.environ | {"PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"}
    command = [sys.executable, "-m", "ampfix", "check", "-"]
    done = subprocess.run(command, input=text.encode(), capture_output=True, timeout=120, env=environment)
    assert done.returncode == 1
    assert b"\\u4e2d" in done.stdout
    assert done.stderr == b""


def test_what_check_imports_exists_everywhere(project: Path) -> None:
    """Modules that only POSIX has are not imported, and neither is anything heavy."""
    program = (
        "import sys\nfor name in ('fcntl', 'resource', 'pwd', 'grp', 'termios'): sys.modules[name] = None\n"
        "from ampfix.cli.main import main\ncode = main(['check', '.', '--jobs', '1'])\n"
        "heavy = {'torch', 'libcst', 'pydantic', 'numpy', 'pygls', 'yaml'} & set(sys.modules)\n"
        "sys.exit(9 if heavy else code)"
    )
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=120).returncode == 1


def test_a_run_that_finds_all_in_its_cache_loads_no_analysis(project: Path) -> None:
    program = (
        "import sys\nfrom ampfix.cli.main import main\nmain(['check', '.', '--output-format', 'concise'])\n"
        "sys.exit('ampfix.lint.engine' in sys.modules)"
    )
    codes = [subprocess.run([sys.executable, "-c", program], capture_output=True).returncode for _ in range(2)]
    assert codes == [1, 0]


def test_rule_pages_survive_a_narrow_console(monkeypatch: pytest.MonkeyPatch) -> None:
    console = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", console)
    assert main(["rule", "AMP101"]) == 0
