"""Which parsed files are kept, and when those that nothing uses are freed."""

from __future__ import annotations

from pathlib import Path

from ampfix.lint.files import SourceFile
from ampfix.lint.kept import KeptFiles
from ampfix.lint.project import Project

LARGE = "x = 1\n" * 25_000


def file(text: str = LARGE) -> SourceFile:
    return SourceFile(text, "file.py")


def test_room_is_made_of_what_the_check_does_not_use_the_oldest_first() -> None:
    kept = KeptFiles()
    for path in ("a", "b"):
        kept.put(path, file("x = 1\n"))
    kept.put("large", file())
    kept.begin()
    kept.use("a")
    kept.put("other", file())
    assert [path for path in ("a", "b", "large", "other") if path in kept] == ["a", "other"]


def test_what_a_check_uses_stays_until_the_next_however_large() -> None:
    kept, used = KeptFiles(), [file() for _ in range(3)]
    for number, one in enumerate(used):
        kept.put(str(number), one)
    assert all(one.parsed == len(LARGE) for one in used)
    kept.settle()
    assert [str(number) in kept for number in range(3)] == [False, False, True]


def test_idle_files_are_freed_where_a_check_needs_all_room() -> None:
    kept = KeptFiles()
    kept.put("idle", file("x = 1\n"))
    kept.begin()
    kept.put("used", file("x = 1\n"))
    kept.free_idle()
    assert "idle" not in kept
    assert "used" in kept


MODEL = "import torch\n\n\ndef build():\n    return torch.nn.Linear(1, 1)\n"
MAIN = "from model import build\n\nbuild()\n"


def test_a_small_project_is_let_go_of_once_a_file_outside_is_checked(tmp_path: Path) -> None:
    for name in ("one", "other"):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "pyproject.toml").write_text("")
        (folder / "model.py").write_text(MODEL)
        (folder / "main.py").write_text(MAIN)
    project, main = Project(), str(tmp_path / "one" / "main.py")
    project.opened(MODEL, str(tmp_path / "one" / "model.py"))
    assert project.programs(str(tmp_path / "one" / "model.py"))[0] == [main]
    project.runs[main] = None  # type: ignore[assignment]
    project.opened(MAIN, main)
    assert main in project.runs
    project.opened(MODEL, str(tmp_path / "other" / "model.py"))
    assert not project.runs
