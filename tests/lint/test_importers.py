"""Who imports a file shows in small projects, and an answer rests on all of their files."""

from __future__ import annotations

import ast
import os
from pathlib import Path

import pytest

from ampfix.lint import Settings, importers
from ampfix.lint.cache import Cache
from ampfix.lint.checked import Checked
from ampfix.lint.importers import all_below, imported
from ampfix.lint.module import SourceModule
from ampfix.lint.project import Project
from ampfix.rules._callers import callers

ENGINE = """\
import torch

def train(model, optimizer, scaler=None):
    optimizer.step()

class Trainer:
    def __init__(self, model, scaler=None):
        self.scaler = scaler

    def fit(self, epochs):
        self.optimizer.step()
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "pyproject.toml").touch()
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "__init__.py").touch()
    (tmp_path / "lib" / "engine.py").write_text(ENGINE, encoding="utf-8")
    return tmp_path


def calling(project: Path, function: str) -> list[tuple[str, int, dict[str, str]]]:
    """The calls of a function of the engine: in which file, at which line, and what they hand in."""
    module = SourceModule(ENGINE, str(project / "lib" / "engine.py"), project=Project())
    (found,) = (node for node in module.nodes((ast.FunctionDef,)) if getattr(node, "name", "") == function)
    assert isinstance(found, ast.FunctionDef)
    calls = [
        (Path(one.source.path).name, one.call.lineno, {name: ast.unparse(by) for name, by in one.arguments.items()})
        for one in callers(found, module)
    ]
    module.release()
    return calls


@pytest.mark.parametrize(
    ("place", "text"),
    [
        ("main.py", "from lib.engine import train\noptim = train(net, opt)\n"),
        ("main.py", "from lib import engine\noptim = engine.train(net, opt)\n"),
        ("main.py", "import lib.engine\noptim = lib.engine.train(net, opt)\n"),
        ("main.py", "from lib.engine import (  # the loop\n    train as run)\noptim = run(net, opt)\n"),
        ("lib/main.py", "from .engine import train\noptim = train(net, opt)\n"),
        ("scripts/main.py", "from lib.engine import *\noptim = train(net, opt)\n"),
    ],
)
def test_a_call_in_an_importing_file_is_seen(project: Path, place: str, text: str) -> None:
    (project / "scripts").mkdir()
    (project / place).write_text(text, encoding="utf-8")
    assert calling(project, "train") == [("main.py", len(text.splitlines()), {"model": "net", "optimizer": "opt"})]


def test_a_call_through_a_package_that_passes_names_on_is_seen(project: Path) -> None:
    (project / "lib" / "__init__.py").write_text("from .engine import train\n", encoding="utf-8")
    (project / "main.py").write_text("from lib import train\noptim = train(net, opt)\n", encoding="utf-8")
    assert [line for _, line, _ in calling(project, "train")] == [2]


def test_methods_and_classes_are_called_too(project: Path) -> None:
    text = "from lib.engine import Trainer\noptim = Trainer(net, scaler=None)\noptim.fit(3)\n"
    (project / "main.py").write_text(text, encoding="utf-8")
    assert calling(project, "__init__") == [("main.py", 2, {"model": "net", "scaler": "None"})]
    assert calling(project, "fit") == [("main.py", 3, {"epochs": "3"})]


@pytest.mark.parametrize(
    "text",
    [
        "from other.engine import train\noptim = train(net, opt)\n",
        "def train(model, optimizer): ...\nimport lib.engine\noptim = train(net, opt)\n",
        '"""\nfrom lib.engine import train\n"""\noptim = train(net, opt)\n',
    ],
)
def test_something_else_of_the_name_is_not_meant(project: Path, text: str) -> None:
    (project / "main.py").write_text(text, encoding="utf-8")
    assert calling(project, "train") == []


def test_nobody_is_asked_in_a_large_project(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (project / "main.py").write_text("from lib.engine import train\noptim = train(net, opt)\n", encoding="utf-8")
    monkeypatch.setattr(importers, "MAX_FILES", 2)
    assert calling(project, "train") == []


def test_the_bound_is_told() -> None:
    usage = Path(__file__).parents[2] / "docs" / "usage.md"
    assert f"at most {importers.MAX_FILES} Python files" in usage.read_text(encoding="utf-8")


def test_imports_are_read_as_they_are_spelled() -> None:
    text = (
        b"import os, a.b as c\nif True:\n    from . import x as y, z  # from q import r\nfrom ..k import *; import m\n"
    )
    assert list(imported(text)) == ["os", "a.b", ".x", ".z", "..k.*"]


@pytest.mark.parametrize("change", ["edited", "added", "removed", "none"])
def test_an_answer_about_importers_holds_while_no_file_of_the_project_changes(project: Path, change: str) -> None:
    main, kept = project / "main.py", project / ".kept"
    main.write_text("from lib.engine import train\n", encoding="utf-8")
    module = SourceModule(ENGINE, str(project / "lib" / "engine.py"), project=Project())
    assert module.importers("train") == ()  # not worth parsing
    depends = module.consulted
    assert all_below(os.fspath(project)) in depends
    cache = Cache(kept)
    cache.put("engine.py", "content", Settings(), Checked((), depends))
    cache.write()
    if change == "edited":
        main.write_text("from lib.engine import train\ntrain(1, 2)\n", encoding="utf-8")
    elif change == "added":
        (project / "lib" / "further.py").touch()
    elif change == "removed":
        main.unlink()
    is_known = Cache(kept).find("engine.py", "content", Settings()) is not None
    assert is_known == (change == "none")


def test_a_changed_importer_is_seen_once_it_is_forgotten(project: Path) -> None:
    kept, main, path = Project(), project / "main.py", str(project / "lib" / "engine.py")
    assert not SourceModule(ENGINE, path, project=kept).importers("train")
    main.write_text("from lib.engine import train\noptim = train(net, opt)\n", encoding="utf-8")
    kept.forget(str(main))
    assert [one.path for one in SourceModule(ENGINE, path, project=kept).importers("train")]


def test_what_is_seen_of_an_importer_does_not_depend_on_whether_it_was_checked(project: Path) -> None:
    main, path, kept = project / "main.py", str(project / "lib" / "engine.py"), Project()
    main.write_text("from lib.engine import train\n", encoding="utf-8")
    SourceModule(main.read_text(encoding="utf-8"), str(main), project=kept).release()
    assert SourceModule(ENGINE, path, project=kept).importers("train") == ()  # not worth parsing
