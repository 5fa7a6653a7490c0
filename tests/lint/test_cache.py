"""Kept results are used while nothing they rest on has changed, and never otherwise."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ampfix.findings import Applicability, Finding, Position, Repair, Severity, Span, TracePoint
from ampfix.lint import Settings, cache, check_paths, parallel
from ampfix.lint.cache import Cache, folder_for
from ampfix.lint.checked import Checked
from ampfix.lint.config import Configuration
from ampfix.lint.read import digest
from tests.lint.test_engine import BUG

POSITIONS = st.builds(Position, st.integers(1, 10**6), st.integers(1, 10**4))
SPANS = st.builds(Span, POSITIONS, POSITIONS)
TEXT = st.text(max_size=8)
FINDINGS = st.builds(
    Finding,
    TEXT, TEXT, TEXT, TEXT, SPANS, st.sampled_from(Severity), TEXT,
    st.lists(st.builds(TracePoint, TEXT, TEXT, SPANS, TEXT, st.none() | st.integers(1, 9)), max_size=3).map(tuple),
    st.none() | st.builds(
        Repair, TEXT, st.sampled_from(Applicability), TEXT, SPANS, st.dictionaries(TEXT, TEXT, max_size=2)
    ),
    TEXT, st.none() | st.integers(1, 9),
)  # fmt: skip


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A loop in a project of its own: in an unmarked folder, what others write around it would count as well."""
    monkeypatch.chdir(tmp_path)
    Path(".git").mkdir()
    Path("train.py").write_text(BUG, encoding="utf-8")
    return tmp_path


class Counter:
    """Counts the files that are analysed."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.paths: list[str] = []
        real = parallel.check_one

        def counted(data: bytes, path: str, *rest: object) -> Checked:
            self.paths.append(path)
            return real(data, path, *rest)  # type: ignore[arg-type]

        monkeypatch.setattr(parallel, "check_one", counted)

    def run(self, *paths: str, settings: Configuration | None = None) -> tuple[int, tuple[Finding, ...]]:
        self.paths.clear()
        report = check_paths(paths or ["."], settings, Cache(Path("kept")))
        return len(self.paths), report.findings


@pytest.fixture
def counter(monkeypatch: pytest.MonkeyPatch) -> Counter:
    return Counter(monkeypatch)


def test_nothing_is_analysed_twice(project: Path, counter: Counter) -> None:
    first = counter.run()
    assert first[0] == 1
    assert counter.run() == (0, first[1])
    assert first[1]


def test_new_content_is_analysed(project: Path, counter: Counter) -> None:
    counter.run()
    (project / "train.py").write_text(BUG.replace("1.0", "2.0"), encoding="utf-8")
    assert counter.run()[0] == 1


def test_the_same_file_under_another_name_tells_its_own_path(project: Path, counter: Counter) -> None:
    counter.run("train.py")
    analysed, findings = counter.run(str(project / "train.py"))
    assert analysed == 1
    assert findings[0].path == str(project / "train.py")
    assert counter.run("train.py")[0] == 0


def test_other_rules_or_another_torch_are_another_question(project: Path, counter: Counter) -> None:
    counter.run()
    only = Configuration(isolated=True, override=lambda base: Settings(select=("AMP101",)))
    assert counter.run(settings=only)[0] == 1
    older = Configuration(isolated=True, override=lambda base: Settings(torch_floor="2.0"))
    assert counter.run(settings=older)[0] == 1


def test_unfixable_rules_share_the_entry(project: Path, counter: Counter) -> None:
    counter.run()
    left = Configuration(isolated=True, override=lambda base: Settings(unfixable=("AMP101",)))
    analysed, findings = counter.run(settings=left)
    assert analysed == 0
    assert findings[0].repair is None


def test_another_ampfix_starts_anew(project: Path, counter: Counter, monkeypatch: pytest.MonkeyPatch) -> None:
    counter.run()
    monkeypatch.setattr(cache, "__version__", "99")
    assert counter.run()[0] == 1


@pytest.mark.parametrize("change", ["edited", "removed", "appeared", "became a package"])
def test_a_file_depended_on_that_changes_makes_its_users_new(
    project: Path, monkeypatch: pytest.MonkeyPatch, change: str
) -> None:
    helper = project / "helper.py"
    if change in ("edited", "removed"):
        helper.write_text("x = 1\n", encoding="utf-8")
    kept, content = Cache(project / "kept"), digest(BUG.encode())
    kept.put("train.py", content, Settings(), Checked((), frozenset({str(helper)})))
    kept.write()
    assert Cache(project / "kept").find("train.py", content, Settings()) is not None
    if change == "removed":
        helper.unlink()
    elif change == "became a package":
        (project / "helper").mkdir()
    else:
        helper.write_text("x = 2\n", encoding="utf-8")
    assert Cache(project / "kept").find("train.py", content, Settings()) is None


@pytest.mark.parametrize("damage", [b"", b"{", b"[]", b'{"x": 1}', b"\xff\xfe", b"[" * 100_000])
def test_a_damaged_file_counts_as_empty(project: Path, counter: Counter, damage: bytes) -> None:
    counter.run()
    (file,) = (project / "kept").glob("*.json")
    file.write_bytes(damage)
    assert counter.run()[0] == 1
    assert counter.run()[0] == 0


def test_a_damaged_entry_counts_as_none(project: Path, counter: Counter) -> None:
    counter.run()
    (file,) = (project / "kept").glob("*.json")
    entries = json.loads(file.read_bytes())
    for entry in entries.values():
        entry["findings"] = [{"code": 3}]
    file.write_text(json.dumps(entries), encoding="utf-8")
    assert counter.run()[0] == 1


def test_a_folder_that_cannot_be_made_is_no_error(project: Path) -> None:
    (project / "blocked").write_text("a file, no folder", encoding="utf-8")
    assert check_paths(["."], None, Cache(project / "blocked" / "kept")).findings


def test_old_entries_and_old_files_are_dropped(
    project: Path, counter: Counter, monkeypatch: pytest.MonkeyPatch
) -> None:
    counter.run()
    (project / "train.py").rename(project / "moved.py")
    stale = project / "kept" / "0123.json"
    stale.write_text("{}", encoding="utf-8")
    os.utime(stale, (0, 0))
    now = cache.time.time() + (cache.KEPT_DAYS + 1) * 86_400
    monkeypatch.setattr(cache.time, "time", lambda: now)
    counter.run()
    (file,) = (project / "kept").glob("*.json")
    assert [entry.partition("\0")[2] for entry in json.loads(file.read_bytes())] == ["moved.py"]


def test_the_folder_hides_itself_from_git(project: Path, counter: Counter) -> None:
    counter.run()
    assert (project / "kept" / ".gitignore").read_text() == "*\n"


def test_the_folder_lies_beside_the_nearest_project(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("")
    (tmp_path / "a" / "b").mkdir(parents=True)
    assert folder_for(tmp_path / "a" / "b") == tmp_path / cache.FOLDER
    (tmp_path / "a" / ".git").mkdir()
    assert folder_for(tmp_path / "a" / "b") == tmp_path / "a" / cache.FOLDER


@settings(max_examples=30)  # each writes a file through to the disk
@given(st.lists(FINDINGS, max_size=3))
def test_findings_survive_being_kept(tmp_path_factory: pytest.TempPathFactory, findings: list[Finding]) -> None:
    folder = tmp_path_factory.mktemp("kept")
    kept = Cache(folder)
    kept.put("a.py", "x", Settings(), Checked(tuple(findings)))
    kept.write()
    again = Cache(folder).find("a.py", "x", Settings())
    assert again is not None
    assert list(again.findings) == findings
