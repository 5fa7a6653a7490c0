"""Checks paths: which files, each under its own settings, and one report of all."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ampfix.findings import Finding
from ampfix.lint.config import Configuration
from ampfix.lint.discover import Candidate, discover
from ampfix.lint.engine import check_bytes
from ampfix.lint.read import UnreadableError, read_bytes
from ampfix.lint.settings import without_unwanted_repair


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


def check_paths(paths: Iterable[str], configuration: Configuration | None = None) -> Report:
    """Check files and directories. Never raises for what a file contains."""
    configuration = configuration or Configuration(isolated=True)
    findings: list[Finding] = []
    errors: list[FileError] = []
    checked = 0
    for candidate in discover(paths, configuration.of):
        outcome = _check(candidate)
        if isinstance(outcome, FileError):
            errors.append(outcome)
        else:
            findings.extend(without_unwanted_repair(finding, candidate.settings) for finding in outcome)
            checked += 1
    return Report(tuple(findings), tuple(errors), checked)


def _check(candidate: Candidate) -> list[Finding] | FileError:
    path = str(candidate.path)
    if candidate.error:
        return FileError(path, candidate.error)
    try:
        return check_bytes(read_bytes(candidate.path), path, candidate.settings)
    except UnreadableError as error:
        return FileError(path, str(error))
