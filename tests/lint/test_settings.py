"""Settings: the nearest pyproject.toml decides for each file, what it extends counts, and mistakes are named."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ampfix.lint import Settings, SettingsError
from ampfix.lint.config import Configuration, from_table, own_torch_floor
from ampfix.lint.settings import DEFAULT_EXCLUDE, PerFileIgnore, without_unwanted_repair
from ampfix.rules import listed
from tests.lint.test_engine import check_source

TABLES = st.dictionaries(
    st.sampled_from(["select", "ignore", "extend-select", "fixable", "unfixable", "exclude", "extend-exclude"]),
    st.lists(st.sampled_from(["AMP1", "AMP101", "ALL", "AMP601"]), max_size=3),
)


def write(folder: Path, text: str, name: str = "pyproject.toml") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_text(text, encoding="utf-8")
    return folder


def test_the_nearest_table_decides_for_each_folder(tmp_path: Path) -> None:
    write(tmp_path, '[tool.ampfix]\nignore = ["AMP6"]\nexclude = ["old"]\n')
    write(tmp_path / "other", "[tool.other]\nx = 1\n")
    write(tmp_path / "own" / "deep", '[tool.ampfix]\nselect = ["AMP1"]\n')
    found = Configuration()
    assert found.of(tmp_path / "other").ignore == ("AMP6",)
    assert [pattern.glob for pattern in found.of(tmp_path / "other").exclude] == ["old"]
    assert found.of(tmp_path / "own").ignore == ("AMP6",)
    deep = found.of(tmp_path / "own" / "deep" / "er")
    assert (deep.select, deep.ignore) == (("AMP1",), ())
    assert [pattern.glob for pattern in deep.exclude] == list(DEFAULT_EXCLUDE)
    assert found.of(tmp_path) is found.of(tmp_path / "other")


def test_isolated_reads_nothing_and_a_file_decides_for_all(tmp_path: Path) -> None:
    write(tmp_path, '[project]\nname = "x"\ndependencies = ["torch>=2.1"]\n[tool.ampfix]\nselect = ["AMP1"]\n')
    bare = write(tmp_path, 'ignore = ["AMP6"]\n', "lint.toml") / "lint.toml"
    assert Configuration(isolated=True).of(tmp_path) == Settings()
    settings = Configuration(file=bare).of(tmp_path)
    assert (settings.select, settings.ignore, settings.torch_floor) == (("ALL",), ("AMP6",), "2.1")


def test_extend_inherits_replaces_and_adds(tmp_path: Path) -> None:
    write(
        tmp_path,
        '[tool.ampfix]\nselect = ["AMP1"]\nignore = ["AMP114"]\nextend-exclude = ["old"]\n'
        'per-file-ignores = {"tests/*" = ["AMP101"]}\n',
    )
    write(
        tmp_path / "pkg",
        '[tool.ampfix]\nextend = "../pyproject.toml"\nignore = ["AMP101"]\nextend-select = ["AMP6"]\n'
        'extend-exclude = ["gen"]\nextend-per-file-ignores = {"*.ipynb" = ["AMP6"]}\n',
    )
    settings = Configuration().of(tmp_path / "pkg")
    assert (settings.select, settings.ignore, settings.extend_select) == (("AMP1",), ("AMP101",), ("AMP6",))
    assert [(pattern.glob, pattern.root) for pattern in settings.extend_exclude] == [
        ("old", tmp_path),
        ("gen", tmp_path / "pkg"),
    ]
    assert settings.ignored_in(str(tmp_path / "tests" / "a.py")) == ("AMP101",)
    assert settings.ignored_in(str(tmp_path / "pkg" / "tests" / "a.py")) == ()
    assert settings.ignored_in(str(tmp_path / "pkg" / "a.ipynb")) == ("AMP6",)


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("[tool.ampfix]\nslect = []", "unknown key 'slect'"),
        ("[tool.ampfix]\nselect = 'AMP1'", "select must be a list of strings"),
        ("[tool.ampfix]\nselect = [1]", "select must be a list of strings"),
        ("[tool.ampfix]\nselect = ['XYZ9']", "select: 'XYZ9' selects no rule"),
        ("[tool.ampfix]\nper-file-ignores = ['a']", "per-file-ignores must be a table"),
        ("[tool.ampfix]\nper-file-ignores = {'a' = ['NOPE']}", "'NOPE' selects no rule"),
        ("[tool.ampfix]\nrespect-gitignore = 'yes'", "respect-gitignore must be true or false"),
        ("[tool.ampfix]\ntarget-torch = 2.4", "target-torch must be a version"),
        ("[tool.ampfix]\nextend = 3", "extend must be a string"),
        ("[tool.ampfix]\nextend = 'missing.toml'", "missing.toml: cannot be read"),
        ("[tool.ampfix]\nextend = 'pyproject.toml'", "leads back to itself"),
        ("[tool]\nampfix = 3", r"\[tool.ampfix\] must be a table"),
        ("[tool.ampfix", "not valid TOML"),
    ],
)
def test_a_mistake_is_named_with_its_file(tmp_path: Path, text: str, named: str) -> None:
    write(tmp_path, text)
    with pytest.raises(SettingsError, match=named) as caught:
        Configuration().of(tmp_path)
    assert "toml" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_circle_of_extends_is_refused(tmp_path: Path) -> None:
    write(tmp_path, '[tool.ampfix]\nextend = "other.toml"\n')
    write(tmp_path, 'extend = "pyproject.toml"\n', "other.toml")
    with pytest.raises(SettingsError, match="leads back to itself"):
        Configuration().of(tmp_path)


@pytest.mark.parametrize(
    ("text", "floor"),
    [
        ('[project]\nname = "x"\ndependencies = ["torch>=2.1,<3", "numpy"]\n', "2.1"),
        ('[project]\nname = "x"\ndependencies = ["torch<3,>=2.0.1"]\n', "2.0"),
        ('[project]\nname = "x"\ndependencies = ["torchvision>=0.9"]\n', ""),
        ('[project]\nname = "x"\n[project.optional-dependencies]\ntrain = ["torch ~= 1.13"]\n', "1.13"),
        ('[tool.poetry.dependencies]\ntorch = "^2.2"\n', "2.2"),
        ('[tool.poetry.dependencies]\ntorch = {version = ">=1.12,<3", optional = true}\n', "1.12"),
        ("[tool.ruff]\nline-length = 9\n", None),
        ("[project\n", None),
    ],
)
def test_the_oldest_torch_is_read_from_the_project(tmp_path: Path, text: str, floor: str | None) -> None:
    assert own_torch_floor(write(tmp_path, text)) == floor
    assert Configuration().of(tmp_path / "src").torch_floor == (floor or "")


def test_a_target_is_said_louder_than_a_requirement(tmp_path: Path) -> None:
    write(tmp_path, '[project]\nname = "x"\ndependencies = ["torch>=2.1"]\n[tool.ampfix]\ntarget-torch = "2.4"\n')
    assert Configuration().of(tmp_path).torch_floor == "2.4"


@pytest.mark.parametrize(
    ("glob", "path", "off"),
    [
        ("tests/*", "/p/tests/a/b.py", True),
        ("tests/*", "/p/src/tests/b.py", False),
        ("conftest.py", "/p/a/conftest.py", True),
        ("!src/**", "/p/tests/a.py", True),
        ("!src/**", "/p/src/a.py", False),
        ("**/x.py", "/p/x.py", True),
    ],
)
def test_per_file_ignores(glob: str, path: str, off: bool) -> None:
    assert bool(Settings(per_file_ignores=(PerFileIgnore(glob, ("AMP1",), Path("/p")),)).ignored_in(path)) is off


def test_rules_off_in_one_file_are_in_force_in_others() -> None:
    settings = Settings(per_file_ignores=(PerFileIgnore("a.py", ("AMP1",)),))
    assert {rule.code[:4] for rule in settings.rules_for("x/a.py")} == {c.code[:4] for c in listed()} - {"AMP1"}
    assert settings.rules_for("x/b.py") == listed()


def test_a_repair_that_is_not_wanted_is_not_offered() -> None:
    settings = Settings(fixable=("ALL",), unfixable=("AMP6",))
    (finding,) = check_source("import torch\ntorch.cuda.amp.GradScaler()\n", settings=Settings(select=("AMP601",)))
    assert finding.repair is not None
    shown = without_unwanted_repair(finding, settings)
    assert (shown.repair, shown.no_fix_reason) == (None, "AMP601 is not selected for fixing")
    assert without_unwanted_repair(finding, Settings(fixable=("AMP601",), unfixable=("AMP6",))).repair


@given(TABLES)
def test_every_well_formed_table_is_obeyed(table: dict[str, list[str]]) -> None:
    settings = from_table(table, Path("pyproject.toml"), Path("/p"))
    for key, value in table.items():
        got = getattr(settings, key.replace("-", "_"))
        assert [getattr(item, "glob", item) for item in got] == value


@given(st.dictionaries(st.text(max_size=9), st.one_of(st.integers(), st.text(), st.lists(st.integers())), min_size=1))
def test_no_table_is_a_crash(table: dict[str, object]) -> None:
    try:
        from_table(table, Path("pyproject.toml"), Path("/p"))
    except SettingsError as error:
        assert str(error).startswith("pyproject.toml: ")
