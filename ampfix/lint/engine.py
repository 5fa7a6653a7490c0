"""Checks texts, files and trees: the way from bytes to findings."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ampfix.findings import Finding, Severity
from ampfix.lint.discover import Candidate, discover
from ampfix.lint.module import SourceModule
from ampfix.lint.prefilter import concerned, worth_parsing
from ampfix.lint.read import UnreadableError, decode, read_bytes
from ampfix.lint.settings import Settings
from ampfix.lint.suppress import unsuppressed


@dataclass(frozen=True)
class FileError:
    """A path that could not be checked, and why."""

    path: str
    message: str


@dataclass(frozen=True)
class Report:
    """What a check found. findings are in the order of paths, then positions."""

    findings: tuple[Finding, ...] = ()
    errors: tuple[FileError, ...] = ()
    files_checked: int = 0


def check_paths(paths: Iterable[str], settings: Settings | None = None) -> Report:
    """Check files and directories. Never raises for what a file contains."""
    settings = settings or Settings()
    findings: list[Finding] = []
    errors: list[FileError] = []
    checked = 0
    for candidate in discover(paths, settings.exclude):
        outcome = _check_candidate(candidate, settings)
        if isinstance(outcome, FileError):
            errors.append(outcome)
        else:
            findings.extend(outcome)
            checked += 1
    return Report(tuple(findings), tuple(errors), checked)


def _check_candidate(candidate: Candidate, settings: Settings) -> list[Finding] | FileError:
    path = str(candidate.path)
    if candidate.error:
        return FileError(path, candidate.error)
    try:
        return check_bytes(read_bytes(candidate.path), path, settings)
    except UnreadableError as error:
        return FileError(path, str(error))


def check_bytes(data: bytes, path: str, settings: Settings | None = None) -> list[Finding]:
    """Check a file's bytes. Raises UnreadableError for what is not Python source."""
    settings = settings or Settings()
    if not worth_parsing(data, settings.rules_for(path)):
        return []
    return check_source(decode(data), path, settings)


def check_source(text: str, path: str = "<string>", settings: Settings | None = None) -> list[Finding]:
    """Check one text: its findings by position. Raises UnreadableError for what is not Python source."""
    settings = settings or Settings()
    rules = concerned(text, settings.rules_for(path))
    if not rules:
        return []
    try:
        module = SourceModule(text, path, settings.torch_floor)
        found = [finding for rule in rules for finding in rule.check(module)]
    except SyntaxError as error:
        raise UnreadableError(f"is not valid Python: line {error.lineno or 1}: {error.msg}") from None
    except (ValueError, UnicodeError) as error:
        raise UnreadableError(f"is not valid Python: {error}") from None
    except (RecursionError, MemoryError):
        raise UnreadableError("is nested too deeply to be analysed; exclude the file") from None
    return sorted(unsuppressed(_once(found), text), key=lambda finding: (finding.span, finding.code))


def _once(findings: Iterable[Finding]) -> Iterator[Finding]:
    """One finding per rule and place: of the ways to reach it the surest, then one with a repair, then the nearest."""
    best: dict[object, Finding] = {}
    for finding in findings:
        key = (finding.code, finding.span)
        if key not in best or _rank(finding) < _rank(best[key]):
            best[key] = finding
    return iter(best.values())


def _rank(finding: Finding) -> tuple[bool, bool]:
    return finding.severity is Severity.NOTE, finding.repair is None
