"""What differs on Windows, as far as it shows elsewhere: backslashes, drives, upper and lower case, line ends."""

from __future__ import annotations

import io
import ntpath
import re
import sys
from pathlib import Path, PureWindowsPath
from types import SimpleNamespace

import pytest

from ampfix.cli.main import main
from ampfix.lint import globs
from ampfix.report import documents, findings_sarif
from tests.lint.test_engine import BUG


@pytest.fixture
def windows(monkeypatch: pytest.MonkeyPatch) -> None:
    """The modules that handle paths as text see the separators of Windows."""
    fake = SimpleNamespace(sep="\\", name="nt", path=ntpath)
    monkeypatch.setattr(globs, "os", fake)
    monkeypatch.setattr(documents, "os", fake)


@pytest.mark.parametrize(
    ("glob", "path", "covered"),
    [
        ("tests\\*", "C:\\proj\\tests\\a.py", True),
        ("tests/*", "C:\\proj\\tests\\deep\\a.py", True),
        ("tests/*", "C:\\proj\\src\\a.py", False),
        ("gen", "C:\\proj\\src\\gen", True),
        (".\\gen\\", "C:\\proj\\gen", True),
        ("*.py", "D:\\other\\a.py", True),
    ],
)
def test_patterns_match_paths_with_backslashes(windows: None, glob: str, path: str, covered: bool) -> None:
    root = PureWindowsPath("C:\\proj")
    expression = re.compile(globs.setting_pattern(glob, root), re.DOTALL)  # type: ignore[arg-type]
    assert (expression.fullmatch(globs.posix(path)) is not None) is covered


def test_a_file_on_another_drive_has_a_uri(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(findings_sarif, "below_here", lambda _: "D:/my loops/train.py")
    assert findings_sarif._artifact("x") == {"uri": "file:///D:/my%20loops/train.py"}


def test_relative_paths_are_told_with_forward_slashes(windows: None, monkeypatch: pytest.MonkeyPatch) -> None:
    fake = SimpleNamespace(relpath=lambda _: "pkg\\sub\\train.py")
    monkeypatch.setattr(documents, "os", SimpleNamespace(sep="\\", path=fake))
    assert documents.below_here("anything") == "pkg/sub/train.py"


def test_line_ends_are_written_as_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A console of Windows would write two carriage returns for the ends of a file that has its own."""
    monkeypatch.chdir(tmp_path)
    Path("train.py").write_bytes(BUG.replace("\n", "\r\n").encode())
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="cp1252", newline="\r\n"))
    assert main(["fix", "--diff", "--isolated", "train.py"]) == 1
    sys.stdout.flush()
    assert b"+        scaler.unscale_(optimizer)\r\n" in raw.getvalue()
    assert b"\r\r\n" not in raw.getvalue()
    assert raw.getvalue().startswith(b"--- train.py\n+++ train.py\n")
