"""Which files are checked: those named, and below directories what git does not ignore and no pattern excludes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ampfix.lint import Settings, check_paths
from ampfix.lint.discover import discover
from ampfix.lint.gitignore import ignored, ignores_in
from ampfix.lint.globs import any_of, setting_pattern, translate
from ampfix.lint.settings import Pattern


def tree(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")


def found(folder: Path, settings: Settings | None = None, *names: str) -> list[str]:
    paths = [str(folder / name) for name in names] or [str(folder)]
    candidates = discover(paths, lambda _: settings or Settings())
    return [Path(candidate.path).relative_to(folder).as_posix() for candidate in candidates]


def test_what_is_not_a_file_is_an_error(tmp_path: Path) -> None:
    loop = tmp_path / "loop.py"
    loop.symlink_to(loop)
    report = check_paths([str(tmp_path / "missing.py"), str(loop)])
    messages = [error.message for error in report.errors]
    assert ["no such file" in messages[0], "symbolic link" in messages[1]] == [True] * 2


def test_directories_are_walked_without_what_git_ignores(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()
    lines = ("/out/", "*.gen.py", "!keep.gen.py", "deep/**/skip.py", "# comment", "\\#a.py", "log/*.py")
    (tmp_path / ".gitignore").write_text("\n".join(lines))
    tree(
        tmp_path,
        *("a.py", "out/b.py", "sub/out/c.py", "d.gen.py", "keep.gen.py", "deep/x/y/skip.py", "venv/e.py", "f.txt"),
        *("#a.py", "log/g.py", "log/sub/h.py", "notebook.ipynb", ".ipynb_checkpoints/notebook.ipynb", "stub.pyi"),
    )
    (tmp_path / "sub" / "again").symlink_to(tmp_path, target_is_directory=True)
    expected = ["a.py", "keep.gen.py", "log/sub/h.py", "notebook.ipynb", "stub.pyi", "sub/out/c.py"]
    assert found(tmp_path) == expected
    everything = found(tmp_path, Settings(respect_gitignore=False))
    assert {"out/b.py", "d.gen.py", "log/g.py"} < set(everything)


def test_gitignores_above_the_walked_folder_count_up_to_the_repository(tmp_path: Path) -> None:
    (tmp_path / "repo" / ".git").mkdir(parents=True)
    (tmp_path / ".gitignore").write_text("*.py\n")
    (tmp_path / "repo" / ".gitignore").write_text("drop.py\n")
    tree(tmp_path, "repo/src/drop.py", "repo/src/keep.py")
    assert found(tmp_path / "repo" / "src") == ["keep.py"]


def test_an_inner_gitignore_has_the_last_word(tmp_path: Path) -> None:
    (tmp_path / ".gitignore").write_text("*.py\n")
    tree(tmp_path, "a.py", "inner/b.py")
    (tmp_path / "inner" / ".gitignore").write_text("!b.py\n")
    assert found(tmp_path) == ["inner/b.py"]


def test_a_named_file_is_checked_once_whatever_its_name(tmp_path: Path) -> None:
    tree(tmp_path, "script")
    script = str(tmp_path / "script")
    assert len(list(discover([script, script, os.path.relpath(script)]))) == 1
    assert len(list(discover([script, str(tmp_path / "link")]))) == 2  # one of them an error


def test_a_link_to_a_file_is_the_file(tmp_path: Path) -> None:
    tree(tmp_path, "a.py")
    (tmp_path / "b.py").symlink_to(tmp_path / "a.py")
    assert found(tmp_path) == ["a.py"]


@pytest.mark.parametrize(
    ("globs", "left"),
    [
        (("legacy",), ["a.py", "src/gen/d.py"]),
        (("legacy/",), ["a.py", "src/gen/d.py"]),
        (("a.py",), ["legacy/b.py", "src/gen/d.py", "sub/legacy/c.py"]),
        (("sub/legacy",), ["a.py", "legacy/b.py", "src/gen/d.py"]),
        (("./legacy",), ["a.py", "src/gen/d.py"]),
        (("src/*.py",), ["a.py", "legacy/b.py", "sub/legacy/c.py"]),
        (("**/gen", "[ab].py"), ["sub/legacy/c.py"]),
        (("gen/d.py",), ["a.py", "legacy/b.py", "src/gen/d.py", "sub/legacy/c.py"]),
    ],
)
def test_exclude_patterns(tmp_path: Path, globs: tuple[str, ...], left: list[str]) -> None:
    tree(tmp_path, "a.py", "legacy/b.py", "sub/legacy/c.py", "src/gen/d.py")
    patterns = tuple(Pattern(glob, tmp_path) for glob in globs)
    assert found(tmp_path, Settings(extend_exclude=patterns)) == left


def test_exclude_replaces_the_usual_patterns_and_extend_exclude_adds(tmp_path: Path) -> None:
    tree(tmp_path, "a.py", "build/b.py", "old/c.py")
    old = (Pattern("old", tmp_path),)
    assert found(tmp_path, Settings(exclude=old)) == ["a.py", "build/b.py"]
    assert found(tmp_path, Settings(extend_exclude=old)) == ["a.py"]


def test_a_named_file_is_excluded_only_by_force(tmp_path: Path) -> None:
    tree(tmp_path, "old/c.py")
    old = (Pattern("old", tmp_path),)
    assert found(tmp_path, Settings(extend_exclude=old), "old/c.py") == ["old/c.py"]
    assert found(tmp_path, Settings(extend_exclude=old, force_exclude=True), "old/c.py") == []


def test_a_fault_of_ours_in_one_file_costs_only_that_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from ampfix.lint import engine

    real = engine.SourceModule

    def failing(text: str, path: str, *rest: object) -> object:
        if path.endswith("bad.py"):
            raise KeyError("a\nb")
        return real(text, path, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(engine, "SourceModule", failing)
    for name in ("bad.py", "good.py"):
        (tmp_path / name).write_text("import torch\ntorch.cuda.amp.GradScaler()\n")
    report = check_paths([str(tmp_path)])
    assert [Path(error.path).name for error in report.errors] == ["bad.py"]
    assert report.errors[0].message.startswith("could not be analysed: internal error: KeyError")
    assert {Path(finding.path).name for finding in report.findings} == {"good.py"}
    monkeypatch.setenv("AMPFIX_DEBUG", "1")
    with pytest.raises(KeyError):
        check_paths([str(tmp_path)])


@given(st.text(alphabet="ab*?[]!/.\\{}()+^$", max_size=12), st.text(alphabet="ab/.", max_size=12))
def test_any_glob_compiles_or_matches_nothing(glob: str, path: str) -> None:
    pattern = any_of([setting_pattern(glob, Path("/root")), translate(glob)])
    if pattern is not None:
        pattern.fullmatch(path)


@given(st.text(max_size=60))
def test_any_gitignore_is_read(tmp_path_factory: pytest.TempPathFactory, text: str) -> None:
    folder = tmp_path_factory.mktemp("ignore")
    (folder / ".gitignore").write_bytes(text.encode("utf-8", "surrogatepass"))
    ignored((folder / "sub" / "a.py").as_posix(), False, tuple(ignores_in(str(folder))))


@given(st.lists(st.sampled_from(["a.py", "b.py", "sub/a.py", "sub/b.py", "sub/deep/a.py"]), unique=True, min_size=1))
def test_a_plain_name_is_ignored_at_any_depth_and_an_anchored_one_at_its_place(names: list[str]) -> None:
    for name in names:
        assert any_of([setting_pattern("a.py", Path("/r"))]).fullmatch(f"/r/{name}") is not None or "a.py" not in name  # type: ignore[union-attr]
        assert (any_of([setting_pattern("sub/b.py", Path("/r"))]).fullmatch(f"/r/{name}") is not None) is (  # type: ignore[union-attr]
            name == "sub/b.py"
        )
