"""What the static side contributes to a scenario's proof: rule codes, findings of `check`, and the output of `fix`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache, partial
from pathlib import Path

from ampfix.codemods.fixpoint import fix_text
from ampfix.findings import Applicability
from ampfix.lab.scratch import scratch_folder
from ampfix.lint.engine import check_source
from ampfix.lint.project import Project
from ampfix.rules import all_rules


@cache
def _violations() -> tuple[tuple[str, str], ...]:
    """(violation, rule code) pairs of every rule that a recorded run can show."""
    return tuple((violation.value, rule.code) for rule in all_rules() for violation in rule.violations)


def codes_by_violation(codes: Iterable[str]) -> Mapping[str, str]:
    """The violations that the rules `codes` stand for, each with its code."""
    wanted = set(codes)
    return {violation: code for violation, code in _violations() if code in wanted}


def codes_of(violations: Iterable[str]) -> set[str]:
    """The rules that some violations belong to."""
    seen = set(violations)
    return {code for violation, code in _violations() if violation in seen}


def codes_found(files: Mapping[str, str]) -> set[str]:
    """What `check` reports in a loop's files. Raises ValueError for text that is not Python."""
    with _laid_out(files) as paths:
        check = partial(check_source, project=Project())
        return {finding.code for name, text in files.items() for finding in check(text, str(paths[name]))}


def lines_found(files: Mapping[str, str], codes: Iterable[str]) -> set[int]:
    """The lines that findings of these rules cover. Raises ValueError for text that is not Python."""
    wanted = set(codes)
    with _laid_out(files) as paths:
        check = partial(check_source, project=Project())
        found = [finding for name, text in files.items() for finding in check(text, str(paths[name]))]
    spans = [each.span for each in found if each.code in wanted]
    return {line for span in spans for line in range(span.start.line, span.end.line + 1)}


def repaired(files: Mapping[str, str], kinds: Iterable[Applicability]) -> dict[str, str]:
    """The files as `fix` leaves them, with repairs of these kinds applied."""
    allowed = tuple(kinds)
    fixed: dict[str, str] = {}
    with _laid_out(files) as paths:
        project = Project()
        for name, path in paths.items():
            check = partial(check_source, path=str(path), project=project)
            fixed[name] = fix_text(files[name], check, allowed).text
            path.write_text(fixed[name], encoding="utf-8")
            project.forget(str(path))
    return fixed


@contextmanager
def _laid_out(files: Mapping[str, str]) -> Iterator[dict[str, Path]]:
    """The files in a folder of their own, where each finds what it imports from the others."""
    with scratch_folder() as folder:
        paths = {name: folder / name for name in files}
        for name, path in paths.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(files[name], encoding="utf-8")
        yield paths
