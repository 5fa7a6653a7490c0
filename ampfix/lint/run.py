"""Checks paths: which files, each under its own settings, what is known from before, and one report of all."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ampfix.findings import Finding
from ampfix.lint.cache import Cache
from ampfix.lint.config import Configuration
from ampfix.lint.discover import discover, is_notebook
from ampfix.lint.jobs import Job
from ampfix.lint.prefilter import worth_parsing
from ampfix.lint.read import UnreadableError, read_bytes
from ampfix.lint.settings import Settings, without_unwanted_repair


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
        path, settings = str(candidate.path), candidate.settings
        rules = settings.rules_for(path)
        if cache and not candidate.error and cache.passed.knows(path, rules):
            results.append((path, settings, []))
            continue
        try:
            if candidate.error:
                raise UnreadableError(candidate.error)
            data = read_bytes(candidate.path)
        except UnreadableError as error:
            results.append((path, settings, str(error)))
            continue
        known: list[Finding] = []
        if is_worth_checking(data, path, settings):
            earlier = cache.find(path, data, settings) if cache else None
            if earlier is None:
                jobs[len(results)] = Job(path, settings, len(data))
            else:
                known = list(earlier.findings)
        elif cache:
            cache.passed.note(path, rules)
        results.append((path, settings, known))
    if jobs:
        from ampfix.lint.parallel import check_jobs  # with all of the analysis: half of the time it takes to start

        for index, outcome in zip(jobs, check_jobs(list(jobs.values()), processes), strict=True):
            path, settings, _ = results[index]
            results[index] = (path, settings, outcome.error or list(outcome.checked.findings))
            if cache and not outcome.error:
                cache.put(path, outcome.data, settings, outcome.checked)
    if cache:
        cache.write()
    return _report(results)


def is_worth_checking(data: bytes, path: str, settings: Settings) -> bool:
    """Whether any rule in force looks at a file with these bytes."""
    plain = data.replace(b'\\"', b'"') if is_notebook(path) else data
    return worth_parsing(plain, settings.rules_for(path))


def check_data(data: bytes, path: str, settings: Settings) -> Report:
    """Check bytes that do not lie in a file, under the name they would have. Never raises for what they contain."""
    try:
        if not is_worth_checking(data, path, settings):
            return Report(files_checked=1)
        from ampfix.lint.parallel import check_one
        from ampfix.lint.project import Project

        findings = check_one(data, path, settings, Project()).findings
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
