"""Checks one text: from source to findings. What it says lies in that text, whatever other files it had to look at."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from ampfix.findings import Finding, Severity
from ampfix.lint.checked import Checked
from ampfix.lint.memory import analysed, collector_paused, roomy
from ampfix.lint.module import SourceModule
from ampfix.lint.prefilter import code_of, concerned, has_words, mentions_amp
from ampfix.lint.project import Project
from ampfix.lint.read import UnreadableError, decode
from ampfix.lint.settings import Settings
from ampfix.lint.suppress import unsuppressed
from ampfix.lint.syntax import NOT_PYTHON, require_python, told
from ampfix.rules import Listed


def check_file(data: bytes, path: str, settings: Settings, project: Project | None = None) -> Checked:
    """Check a file's bytes: a pure function of them, the settings and the files depended on.

    Raises UnreadableError for what is not Python source.
    """
    if not has_words(data, settings.rules_for(path)):
        return Checked()
    return check_text(decode(data), path, settings, project)


def check_bytes(
    data: bytes, path: str, settings: Settings | None = None, project: Project | None = None
) -> list[Finding]:
    """Check a file's bytes: its findings by position. Raises UnreadableError for what is not Python source."""
    return list(check_file(data, path, settings or Settings(), project).findings)


def check_source(
    text: str, path: str = "<string>", settings: Settings | None = None, project: Project | None = None
) -> list[Finding]:
    """Check one text: its findings by position. Raises UnreadableError for what is not Python source."""
    return list(check_text(text, path, settings or Settings(), project).findings)


def check_text(text: str, path: str, settings: Settings, project: Project | None = None) -> Checked:
    """Check one text. Without a project nothing outside it is looked at. Raises UnreadableError as above, also for a
    text that no rule looks at where it mentions AMP: what a rule would have found there is not known."""
    code = code_of(text)
    rules = concerned(code, settings.rules_for(path))
    if not rules:
        if mentions_amp(code):
            require_python(text)
        return Checked()
    try:
        with collector_paused():
            found, depends = _analysed(text, path, settings, rules, project)
    except NOT_PYTHON as error:
        raise UnreadableError(told(error)) from None
    ordered = sorted(unsuppressed(_once(found), text), key=lambda finding: (finding.span, finding.code))
    return Checked(tuple(ordered), depends)


@roomy
def _analysed(
    text: str, path: str, settings: Settings, rules: Iterable[Listed], project: Project | None
) -> tuple[list[Finding], frozenset[str]]:
    """What the rules find in a text, and the paths that this depends on."""
    module = SourceModule(text, path, settings.torch_floor, project)
    try:
        found = [finding for rule in rules if _may_find(rule, module) for finding in rule.load().check(module)]
        return found, module.consulted
    finally:
        module.release()
        analysed()


def _may_find(rule: Listed, module: SourceModule) -> bool:
    """Whether a rule may find anything; one about violations that did not occur is not even loaded."""
    return not rule.violations or any(found.broken.violation in rule.violations for found in module.occurrences)


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
