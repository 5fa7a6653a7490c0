"""Projects of several files: `# expect: CODE` comments say where findings lie, each in one file and once."""

from __future__ import annotations

import random
import shutil
from pathlib import Path

import pytest

from ampfix.findings import Finding, Severity
from ampfix.lint import Settings
from ampfix.lint.engine import Checked, check_text
from ampfix.lint.importers import folder_of_all
from ampfix.lint.project import Project

from .test_cases import expected

PROJECTS = Path(__file__).parents[1] / "data" / "projects"
# The loops leave regions out for brevity.
RULES = Settings(select=("AMP1", "AMP2", "AMP304"), ignore=("AMP210",))
NAMES = sorted(path.name for path in PROJECTS.iterdir())


@pytest.fixture
def copied(tmp_path: Path, request: pytest.FixtureRequest) -> Path:
    """A project by itself: nothing around it is found by climbing."""
    return Path(shutil.copytree(PROJECTS / request.param, tmp_path / "project"))


def files(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.py"))


def checked(path: Path, project: Project) -> Checked:
    return check_text(path.read_text(encoding="utf-8"), str(path), RULES, project)


def found(findings: tuple[Finding, ...]) -> list[tuple[int, str]]:
    return [(finding.span.start.line, finding.code) for finding in findings]


@pytest.mark.parametrize("copied", NAMES, indirect=True)
def test_each_file_shows_its_own_bugs_and_no_other(copied: Path) -> None:
    project = Project()
    assert {str(path.relative_to(copied)): found(checked(path, project).findings) for path in files(copied)} == {
        str(path.relative_to(copied)): expected(path.read_text(encoding="utf-8")) for path in files(copied)
    }


@pytest.mark.parametrize("copied", NAMES, indirect=True)
def test_what_a_file_shows_does_not_depend_on_what_was_checked_before(copied: Path) -> None:
    alone = {path: checked(path, Project()) for path in files(copied)}
    for seed in range(3):
        order = files(copied)
        random.Random(seed).shuffle(order)
        project = Project()
        assert {path: checked(path, project) for path in order} == alone


@pytest.mark.parametrize("copied", NAMES, indirect=True)
def test_findings_change_only_when_a_file_depended_on_does(copied: Path) -> None:
    for path in files(copied):
        before = checked(path, Project())
        on_all = any(folder_of_all(depended) for depended in before.depends)
        for other in files(copied):
            if str(other) not in before.depends and other != path and not on_all:
                kept = other.read_text(encoding="utf-8")
                other.unlink()
                assert checked(path, Project()) == before
                other.write_text(kept, encoding="utf-8")


@pytest.mark.parametrize("copied", ["helpers"], indirect=True)
def test_a_trace_leads_through_other_files_and_the_repair_stays_here(copied: Path) -> None:
    path = copied / "pkg" / "train.py"
    first = checked(path, Project()).findings[0]
    assert [(point.event, Path(point.path).name, point.span.start.line) for point in first.trace] == [
        ("backward", "train.py", 12),
        ("clip", "utils.py", 8),
    ]
    assert first.path == str(path)
    assert first.repair is not None
    assert first.repair.span.start.line == 13


@pytest.mark.parametrize("copied", ["helpers"], indirect=True)
def test_a_changed_neighbour_is_seen_once_it_is_forgotten(copied: Path) -> None:
    path, other = copied / "pkg" / "train.py", copied / "pkg" / "utils.py"
    project = Project()
    assert len(checked(path, project).findings) == 2
    text = other.read_text(encoding="utf-8")
    other.write_text(text.replace("return clip_grad_norm_(model.parameters(), limit)", "return limit"), "utf-8")
    project.forget(str(other))
    assert checked(path, project).findings == ()


@pytest.mark.parametrize("copied", ["unseen_code"], indirect=True)
def test_what_unseen_code_may_have_done_makes_a_guess_of_what_follows(copied: Path) -> None:
    assert [finding.severity for finding in checked(copied / "train.py", Project()).findings] == [Severity.NOTE]
