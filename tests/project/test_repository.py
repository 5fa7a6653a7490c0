"""What holds for the project as a whole: sizes, documents that stay true, and one place for each fact."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from ampfix import __version__
from ampfix.cli.main import COMMANDS
from ampfix.extras import EXTRAS

from .modules import ROOT, python_files

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

MAX_LINES = 350

# A file of somebody's machine. Inside the jail there is a folder of the same kind, which is the project's own.
MACHINE_PATH = re.compile(r"(?<![\w.~-])/(?:root|home|Users|work|workspace)/(?!<)\w+")
OWN_PATHS = ("graders/", "tests/graders/", "docs/threat-model.md", "ampfix/lab/", "tests/exploits/")

SHELL_BLOCK = re.compile(r"^```(?:sh|bash|shell|console)\n(.*?)^```", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"(?<!!)\[[^\]]+\]\(([^)\s]+)\)")


@cache
def tracked() -> list[Path]:
    """The files of the repository; outside a checkout (an unpacked sdist), every file."""
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True)
    if listing.returncode:
        return [path for path in ROOT.rglob("*") if path.is_file() and not {".venv", ".git"} & set(path.parts)]
    return [path for name in listing.stdout.split("\0") if name and (path := ROOT / name).is_file()]


def documents() -> list[Path]:
    return [path for path in tracked() if path.suffix == ".md"]


def relative(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def pyproject() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def commands_of(document: Path) -> list[str]:
    """The command lines of a document's shell blocks, without prompts, comments and output."""
    lines = []
    for block in SHELL_BLOCK.findall(document.read_text(encoding="utf-8")):
        shown = block.splitlines()
        prompted = [line[2:] for line in shown if line.startswith("$ ")]
        lines += prompted or [line for line in shown if line and not line.startswith("#")]
    return lines


def test_modules_stay_small() -> None:
    long = {
        relative(path): count
        for folder in ("ampfix", "graders")
        for path in python_files(folder)
        if (count := len(path.read_text(encoding="utf-8").splitlines())) > MAX_LINES
    }
    assert not long


def test_every_module_says_what_it_owns() -> None:
    silent = [
        relative(path)
        for folder in ("ampfix", "graders")
        for path in python_files(folder)
        if (text := path.read_text(encoding="utf-8").lstrip()) and not text.startswith(('"""', "#!", "'''"))
    ]
    assert not silent


def test_no_file_names_a_folder_of_somebodys_machine() -> None:
    wrong = []
    for path in tracked():
        if relative(path).startswith(OWN_PATHS):
            continue
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        wrong += [f"{relative(path)}: {found}" for found in MACHINE_PATH.findall(text)]
    assert not wrong


def test_no_file_is_left_unfinished() -> None:
    marks = re.compile(r"\b(?:TO" r"DO|FIX" r"ME|X" r"XX)\b")
    wrong = [
        relative(path)
        for path in tracked()
        if path.suffix in {".py", ".toml", ".md", ".sh", ".jinja"} and marks.search(path.read_text("utf-8", "replace"))
    ]
    assert not wrong


def test_folders_of_tests_are_packages_so_that_names_may_repeat() -> None:
    folders = {path.parent for path in python_files("tests") if path.name.startswith("test_")}
    assert not [relative(folder) for folder in folders if not (folder / "__init__.py").is_file()]


def test_the_changelog_has_this_version() -> None:
    assert f"\n## [{__version__}]" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert pyproject()["project"]["version"] == __version__


def test_the_extras_named_in_errors_are_those_of_the_package() -> None:
    extras = pyproject()["project"]["optional-dependencies"]
    for module, extra in EXTRAS.items():
        names = {re.split(r"[<>=~!;\[ ]", requirement)[0].replace("-", "_") for requirement in extras[extra]}
        assert module in names


@pytest.mark.parametrize("document", documents(), ids=relative)
def test_links_of_a_document_lead_somewhere(document: Path) -> None:
    targets = LINK.findall(document.read_text(encoding="utf-8"))
    local = [target.partition("#")[0] for target in targets if not re.match(r"[a-z]+:", target)]
    assert not [target for target in local if target and not (document.parent / target).exists()]


@pytest.mark.parametrize("document", documents(), ids=relative)
def test_commands_of_a_document_exist(document: Path) -> None:
    goals = set(re.findall(r"^([a-z][\w-]*):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    for line in commands_of(document):
        words = shlex.split(line, comments=True)
        if words[:1] == ["ampfix"]:
            assert words[1] in COMMANDS or words[1].startswith("-"), line
        elif words[:1] == ["make"]:
            assert words[1] in goals, line


def sessions(document: Path) -> list[tuple[str, str]]:
    """(command line, output) of everything a document's console blocks show."""
    found = []
    for block in re.findall(r"^```console\n(.*?)^```", document.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, _, output = part.partition("\n")
            found.append((command, output.rstrip("\n")))
    return found


def test_readme_shows_what_the_commands_really_print() -> None:
    """Those whose output is the same on every machine; a suite's losses are not."""
    shown = [
        (command, output) for command, output in sessions(ROOT / "README.md") if not command.startswith("ampfix suite")
    ]
    assert len(shown) >= 2
    for command, output in shown:
        program, *arguments = shlex.split(command)
        assert program == "ampfix"
        done = subprocess.run([sys.executable, "-m", "ampfix", *arguments], cwd=ROOT, capture_output=True, text=True)
        assert done.stdout.rstrip("\n") == output, command


def test_readme_shows_the_commands_there_are() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert not [name for name in COMMANDS if f"ampfix {name}" not in readme]
