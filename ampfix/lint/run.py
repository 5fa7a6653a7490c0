"""Checks paths: which files, each under its own settings, what is known from before, and one report of all."""

from __future__ import annotations

from collections.abc import Iterable

from ampfix.findings import Finding
from ampfix.lint.cache import Cache
from ampfix.lint.config import Configuration
from ampfix.lint.discover import Candidate, discover
from ampfix.lint.jobs import Job
from ampfix.lint.read import UnreadableError, digest, read_bytes
from ampfix.lint.settings import Settings, without_unwanted_repair
from ampfix.records import dataclass


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


def check_paths(
    paths: Iterable[str], configuration: Configuration | None = None, cache: Cache | None = None, processes: int = 1
) -> Report:
    """Check files and directories. Never raises for what a file contains.

    Raises SettingsError for a settings file that is wrong. More than one process needs a main module that may be
    imported again (`if __name__ == "__main__"`).
    """
    configuration = configuration or Configuration(isolated=True)
    results: list[tuple[str, Settings, list[Finding] | str]] = []
    jobs: dict[int, Job] = {}
    for candidate in discover(paths, configuration.of):
        path, settings = candidate.path, candidate.settings
        known: list[Finding] | str | None
        try:
            known = candidate.error or (_known(candidate, cache) if cache else None)
        except UnreadableError as error:
            known = str(error)
        if known is None:
            jobs[len(results)] = Job(path, settings, named=candidate.named)
        results.append((path, settings, known or []))
    if jobs:
        _check(jobs, results, cache, processes)
    if cache:
        cache.write()
    return _report(results)


def _known(candidate: Candidate, cache: Cache) -> list[Finding] | None:
    """What is in the cache about a file; None where it has to be checked. Raises UnreadableError."""
    path, settings = candidate.path, candidate.settings
    if not candidate.named and cache.passed.knows(path, settings.rules_for(path)):
        return []
    earlier = cache.find(path, digest(read_bytes(path)), settings) if cache.has(path) else None
    return None if earlier is None else list(earlier.findings)


def _check(
    jobs: dict[int, Job],
    results: list[tuple[str, Settings, list[Finding] | str]],
    cache: Cache | None,
    processes: int,
) -> None:
    from ampfix.lint.parallel import check_jobs

    for index, outcome in zip(jobs, check_jobs(list(jobs.values()), processes), strict=True):
        path, settings, _ = results[index]
        results[index] = (path, settings, outcome.error or list(outcome.checked.findings))
        if cache and outcome.passed:
            cache.passed.note(path, settings.rules_for(path))
        elif cache and not outcome.error:
            cache.put(path, outcome.digest, settings, outcome.checked)


def check_data(data: bytes, path: str, settings: Settings) -> Report:
    """Check bytes that do not lie in a file, under the name they would have. Never raises for what they contain."""
    try:
        from ampfix.lint.parallel import check_data as checked

        findings = checked(data, path, settings).findings
    except UnreadableError as error:
        return _report([(path, settings, str(error))])
    return _report([(path, settings, list(findings))])


def _report(results: Iterable[tuple[str, Settings, list[Finding] | str]]) -> Report:
    findings: list[Finding] = []
    errors: list[FileError] = []
    checked = 0
    for path, settings, outcome in results:
        if isinstance(outcome, str):
            errors.append(FileError(path, outcome))
        else:
            findings.extend(without_unwanted_repair(finding, settings) for finding in outcome)
            checked += 1
    return Report(tuple(findings), tuple(errors), checked)
