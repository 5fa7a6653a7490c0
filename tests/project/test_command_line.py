"""The command line as its users meet it: codes, one-line errors, and a start that imports nothing heavy."""

from __future__ import annotations

import builtins
import json
import os
import subprocess
import sys
import types
from pathlib import Path

import pytest

from ampfix import __version__
from ampfix.cli import main as cli
from ampfix.cli._common import CommandError, Exit
from ampfix.extras import EXTRAS

HEAVY = ("torch", "libcst", "pydantic", "jinja2", "rich", "numpy")

BROKEN = """\
import torch

scaler = torch.amp.GradScaler("cuda")
for x, y in batches:
    optimizer.zero_grad()
    with torch.autocast("cuda", dtype=torch.float16):
        loss = criterion(model(x), y)
    scaler.scale(loss).backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    scaler.step(optimizer)
    scaler.update()
"""


def ampfix(*arguments: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "ampfix", *arguments], cwd=cwd, capture_output=True, text=True, timeout=120
    )


def one_line(error: str) -> str:
    """The only line of an error, checked to be one."""
    assert error.startswith("ampfix: error: "), error
    assert error.count("\n") == 1 and error.endswith("\n"), error
    return error


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch):
    """Puts a function in place of `ampfix doctor`."""

    def install(run) -> None:
        module = types.ModuleType("ampfix.cli.doctor")
        module.add_parser = lambda subparsers: subparsers.add_parser("doctor")
        module.run = run
        monkeypatch.setitem(sys.modules, "ampfix.cli.doctor", module)

    return install


def raising(error: BaseException):
    def run(_args):
        raise error

    return run


def test_help_names_every_command_and_imports_none() -> None:
    program = (
        "import sys; from ampfix.cli.main import main\n"
        "try: main(['--help'])\n"
        "finally: print(*sys.modules, file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    for name in cli.COMMANDS:
        assert f"\n    {name} " in done.stdout
        assert f"ampfix.cli.{name}" not in done.stderr.split()


@pytest.mark.parametrize("name", cli.COMMANDS)
def test_every_command_explains_itself(name: str) -> None:
    done = ampfix(name, "--help")
    assert done.returncode == Exit.OK, done.stderr
    assert done.stdout.startswith(f"usage: ampfix {name} ")


def test_version() -> None:
    assert ampfix("--version").stdout == f"ampfix {__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "named"),
    [((), "COMMAND"), (("chekc",), "'chekc'"), (("--bogus",), "COMMAND"), (("doctor", "--bogus"), "--bogus")],
)
def test_a_usage_error_is_one_line_that_names_the_culprit_and_where_help_is(arguments, named, capsys) -> None:
    with pytest.raises(SystemExit) as stop:
        cli.main(arguments)
    assert stop.value.code == Exit.ERROR
    error = one_line(capsys.readouterr().err)
    assert named in error and "--help" in error


def test_options_are_not_abbreviated(capsys) -> None:
    with pytest.raises(SystemExit):
        cli.main(["--versio"])
    assert "ampfix 0" not in capsys.readouterr().out


@pytest.mark.parametrize("code", [0, 1, 2])
def test_the_exit_code_is_the_commands(command, code: int) -> None:
    command(lambda _args: code)
    assert cli.main(["doctor"]) == code


def test_a_command_error_is_one_line_on_stderr_even_if_its_message_has_several(command, capsys) -> None:
    command(raising(CommandError("scenario.toml: bad\n  value")))
    assert cli.main(["doctor"]) == Exit.ERROR
    shown = capsys.readouterr()
    assert (shown.out, shown.err) == ("", "ampfix: error: scenario.toml: bad value\n")


@pytest.mark.parametrize("name", ["torch", "pydantic.fields", "safetensors.torch"])
def test_a_missing_extra_is_named_with_the_way_to_install_it(command, capsys, name: str) -> None:
    command(raising(ModuleNotFoundError(f"No module named {name!r}", name=name)))
    assert cli.main(["doctor"]) == Exit.ERROR
    error = one_line(capsys.readouterr().err)
    assert name.partition(".")[0] in error and 'pip install "ampfix[run]"' in error


def test_a_missing_module_of_ours_is_an_internal_error_not_a_missing_extra(command, capsys) -> None:
    command(raising(ModuleNotFoundError("No module named 'ampfix.nowhere'", name="ampfix.nowhere")))
    assert cli.main(["doctor"]) == Exit.ERROR
    assert "internal error: ModuleNotFoundError" in one_line(capsys.readouterr().err)


def test_an_internal_error_hides_its_traceback_until_asked(command, capsys, monkeypatch) -> None:
    command(raising(ZeroDivisionError("division by zero")))
    assert cli.main(["doctor"]) == Exit.ERROR
    assert "Traceback" not in one_line(capsys.readouterr().err)
    monkeypatch.setenv(cli.DEBUG_VARIABLE, "1")
    cli.main(["doctor"])
    assert "Traceback" in capsys.readouterr().err


def test_an_interrupt_ends_with_the_shells_code(command, capsys) -> None:
    command(raising(KeyboardInterrupt()))
    assert cli.main(["doctor"]) == 130
    assert one_line(capsys.readouterr().err) == "ampfix: error: interrupted\n"


@pytest.mark.skipif(os.name != "posix", reason="pipes break differently elsewhere")
def test_a_reader_that_leaves_early_causes_no_noise() -> None:
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run([sys.executable, "-m", "ampfix", "rule", "--all"], stdout=writing, stderr=subprocess.PIPE)
    os.close(writing)
    assert done.returncode == Exit.BROKEN_PIPE
    assert done.stderr == b""


def test_characters_the_terminal_lacks_are_escaped(tmp_path: Path) -> None:
    path = tmp_path / "café.py"
    path.write_text(BROKEN, encoding="utf-8")
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    done = subprocess.run([sys.executable, "-m", "ampfix", "check", str(path)], capture_output=True, env=environment)
    assert done.returncode == Exit.FINDINGS, done.stderr
    assert b"caf\\xe9.py" in done.stdout


def test_check_imports_nothing_heavy(tmp_path: Path) -> None:
    """On a file with a finding, so that detection and text output are on the way."""
    (tmp_path / "train.py").write_text(BROKEN, encoding="utf-8")
    program = (
        "import json, sys; from ampfix.cli.main import main\n"
        "code = main(['check', 'train.py'])\n"
        "print(json.dumps([code, sorted(sys.modules)]), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True)
    code, modules = json.loads(done.stderr.splitlines()[-1])
    assert code == Exit.FINDINGS and "AMP101" in done.stdout
    assert not {name for name in modules if name.partition(".")[0] in HEAVY}


def test_check_works_without_the_run_extra(tmp_path: Path, monkeypatch, capsys) -> None:
    """Neither torch nor any other module of an extra can be imported, as in a base installation."""
    (tmp_path / "train.py").write_text(BROKEN, encoding="utf-8")
    real = builtins.__import__

    def refuse(name, *args, **kwargs):
        if name.partition(".")[0] in EXTRAS:
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", refuse)
    assert cli.main(["check", str(tmp_path / "train.py")]) == Exit.FINDINGS
    assert "AMP101" in capsys.readouterr().out
