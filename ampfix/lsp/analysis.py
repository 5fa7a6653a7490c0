"""What the server knows about open texts: their findings, and the texts that repairs lead to. Knows no protocol."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from ampfix.codemods.fixpoint import fix_text, try_repair
from ampfix.findings import Applicability, Finding
from ampfix.lint import SettingsError, UnreadableError
from ampfix.lint.config import Configuration
from ampfix.lint.engine import check_source
from ampfix.lint.project import Project
from ampfix.lint.settings import Settings, without_unwanted_repair


@dataclass(frozen=True)
class Analysis:
    """One state of one text. problem: why settings keep it from being checked."""

    text: str
    path: str
    settings: Settings = field(default_factory=Settings)
    findings: tuple[Finding, ...] = ()
    problem: str = ""


class Analyst:
    """Checks texts of one workspace. configure: makes the settings anew, after a settings file has changed."""

    def __init__(self, configure: Callable[[], Configuration]) -> None:
        self._configure = configure
        self.forget()

    def forget(self) -> None:
        """Files around the open ones have changed: read settings and neighbours anew."""
        self._configuration = self._configure()
        self._project = Project()

    def analyse(self, text: str, path: str) -> Analysis:
        """Check a text. One that is not Python just now has no findings."""
        try:
            settings = self._configuration.of(Path(path).parent)
            found = check_source(text, path, settings, self._project)
        except SettingsError as error:
            return Analysis(text, path, problem=str(error))
        except UnreadableError:
            return Analysis(text, path)
        return Analysis(text, path, settings, tuple(without_unwanted_repair(one, settings) for one in found))

    def repaired(self, analysis: Analysis, finding: Finding) -> str | None:
        """The text with one finding repaired; None where its repair does not hold, or is only to be shown."""
        if finding.repair is None or finding.repair.applicability is Applicability.DISPLAY:
            return None
        result = try_repair(analysis.text, analysis.findings, (finding,), self._check(analysis))
        return None if isinstance(result, str) else result[0]

    def silences(self, analysis: Analysis, finding: Finding, text: str) -> bool:
        """Whether a text with one comment more has this finding less, and no other change."""
        try:
            left = self._check(analysis)(text)
        except UnreadableError:
            return False
        return [one.code for one in left] == [one.code for one in analysis.findings if one is not finding]

    def all_repaired(self, analysis: Analysis) -> str:
        """The text with every safe repair made."""
        wanted = analysis.settings.is_fixable
        return fix_text(analysis.text, self._check(analysis), (Applicability.SAFE,), wanted).text

    def _check(self, analysis: Analysis) -> Callable[[str], list[Finding]]:
        def check(text: str) -> list[Finding]:
            if text == analysis.text:
                return list(analysis.findings)
            return check_source(text, analysis.path, analysis.settings, self._project)

        return check
