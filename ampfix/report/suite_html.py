"""A suite's result as one HTML page that needs nothing else: no network, no script, light and dark.

The page of a whole suite holds a thousand rows. It keeps below `pages.MOST_BYTES` by saying each thing once: losses are
drawn in their row, and what is said by every cell of a table is the table's style. 89 scenarios with all their answers
take 0.28 MB; where it would be too much, details of valid scenarios are left out: every check, and losses in figures.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from markupsafe import Markup

from ampfix import atomic
from ampfix.report import pages
from ampfix.report.rows import ANSWER, Row, number, rows, why
from ampfix.report.strips import axis_of, head, strip

if TYPE_CHECKING:
    from ampfix.lab.suite import ScenarioReport, SuiteReport
    from ampfix.lab.verdict import Check, Verdict

# Answers may diverge; a loss this many times the largest of the scenario's own loops is counted, not drawn.
_FAR = 10.0
_OWN = ("broken", "codemod", "gold", "reference")
_TONES = {"pass": "p", "fail": "f", "invalid_answer": "i", "infra_error": "e", "not_measured": "x"}
"""Classes of the page's style, by status."""

_SEEN_ABOVE = "loss_too_high"
"""The reason of a check whose figures are medians that the rows above it show."""


@dataclass(frozen=True)
class Line:
    """A row with its losses drawn. tone: its class."""

    row: Row
    drawn: Markup
    losses: str

    @property
    def name(self) -> str:
        return self.row.variant.removeprefix(ANSWER)

    @property
    def tone(self) -> str:
        return _TONES.get(self.row.status, "")


@dataclass(frozen=True)
class Cell:
    """A verdict's figure of one check. told: why it failed, where nothing else on the page says so."""

    words: str
    tone: str
    decisive: bool
    told: str


@dataclass(frozen=True)
class Part:
    """One scenario: its loops, then its answers, and every check of both; no columns where checks are left out."""

    scenario: ScenarioReport
    axis: Markup
    loops: list[Line]
    answers: list[Line]
    columns: list[Check]

    @property
    def own(self) -> list[Line | None]:
        """The scenario's own loops in the order of the overview."""
        found = {line.row.variant: line for line in self.loops}
        return [found.get(name) for name in _OWN]

    @property
    def checks(self) -> list[tuple[str, list[Cell | None]]]:
        """For each verdict, its name and its checks in the order of the columns; None where it was not asked for."""
        judged = [(one.variant.removeprefix(ANSWER), one.verdict) for one in self.scenario.verdicts]
        return [(name, [_cell(verdict, column.name) for column in self.columns]) for name, verdict in judged]


def render(report: SuiteReport) -> str:
    """The page as text."""
    page = _render(report, [_part(scenario) for scenario in report.scenarios])
    if len(page.encode()) < pages.MOST_BYTES:
        return page
    return _render(report, [_part(scenario, details=not scenario.valid) for scenario in report.scenarios])


def _render(report: SuiteReport, parts: Sequence[Part]) -> str:
    verdicts = [judged.verdict for scenario in report.scenarios for judged in scenario.verdicts]
    return pages.render(
        "suite.html.jinja",
        report=report,
        parts=parts,
        own=_OWN,
        first=verdicts[0] if verdicts else None,
        runs=sum(len(scenario.runs) for scenario in report.scenarios),
    )


def write(report: SuiteReport, path: Path) -> None:
    """Write the page in one move, so that a reader never meets half of it. Raises OSError."""
    page = render(report)
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic.write(path, page.encode())


def _part(scenario: ScenarioReport, *, details: bool = True) -> Part:
    found = rows(scenario)
    usual = [loss for row in found if not row.is_answer for loss in row.losses if math.isfinite(loss)]
    limit = _FAR * max(map(abs, usual)) if usual else math.inf
    every = [loss for row in found for loss in row.losses]
    scale = axis_of(every, limit)
    lines = [Line(row, Markup(strip(row.losses, scale, limit)), _listed(row) if details else "") for row in found]
    return Part(
        scenario,
        Markup(head(scale)) if any(loss <= limit for loss in every) else Markup(""),
        [line for line in lines if not line.row.is_answer],
        [line for line in lines if line.row.is_answer],
        _columns(scenario) if details else [],
    )


def _listed(row: Row) -> str:
    return ", ".join(f"{loss:.3g}" for loss in row.losses)


def _columns(scenario: ScenarioReport) -> list[Check]:
    """One check of each name, for the table's head: thresholds and units are the scenario's, the same for all."""
    found: dict[str, Check] = {}
    for judged in scenario.verdicts:
        for check in judged.verdict.checks:
            if check.name not in found or found[check.name].threshold is None:
                found[check.name] = check
    return list(found.values())


def _cell(verdict: Verdict, name: str) -> Cell | None:
    check = next((check for check in verdict.checks if check.name == name), None)
    if check is None:
        return None
    status = check.status.value
    if status == "not_measured":
        return Cell("?", _TONES[status], check.decisive, "")
    words = check.status.value if check.measured is None else number(check.measured)
    told = check.detail or check.reason if status == "fail" and check.reason != _SEEN_ABOVE else ""
    return Cell(words, "" if status == "pass" else _TONES[status], check.decisive, "" if told in why(verdict) else told)
