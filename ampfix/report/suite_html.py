"""A suite's result as one HTML page that needs nothing else: no network, no script, light and dark."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

from markupsafe import Markup

from ampfix import atomic
from ampfix.report import pages
from ampfix.report.rows import ANSWER, Row, rows
from ampfix.report.svg import Dots, dot_plot

if TYPE_CHECKING:
    from ampfix.lab.suite import ScenarioReport, SuiteReport
    from ampfix.lab.verdict import Check, Verdict

# Answers may diverge; a loss this many times the largest of the scenario's own loops is counted, not drawn.
_FAR = 10.0

_UNIT = "held-out loss (fp32, lower is better)"


def render(report: SuiteReport) -> str:
    """The page as text."""
    verdicts = [judged.verdict for scenario in report.scenarios for judged in scenario.verdicts]
    return pages.render(
        "suite.html.jinja",
        report=report,
        scenarios=[(scenario, rows(scenario), _chart(scenario)) for scenario in report.scenarios],
        first=verdicts[0] if verdicts else None,
        runs=sum(len(scenario.runs) for scenario in report.scenarios),
        columns=_columns,
        cells=_cells,
    )


def write(report: SuiteReport, path: Path) -> None:
    """Write the page in one move, so that a reader never meets half of it. Raises OSError."""
    page = render(report)
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic.write(path, page.encode())


def _columns(scenario: ScenarioReport) -> list[Check]:
    """One check of each name, for the table's head: thresholds and units are the scenario's, the same for all."""
    found: dict[str, Check] = {}
    for judged in scenario.verdicts:
        for check in judged.verdict.checks:
            if check.name not in found or found[check.name].threshold is None:
                found[check.name] = check
    return list(found.values())


def _cells(scenario: ScenarioReport, verdict: Verdict) -> list[Check | None]:
    """A verdict's checks in the order of the columns; None where it was not asked for."""
    checks = {check.name: check for check in verdict.checks}
    return [checks.get(column.name) for column in _columns(scenario)]


def _chart(scenario: ScenarioReport) -> Markup:
    measured = [row for row in rows(scenario) if row.losses]
    if not measured:
        return Markup("")
    usual = [loss for row in measured if not row.is_answer for loss in row.losses if math.isfinite(loss)]
    limit = _FAR * max(map(abs, usual)) if usual else math.inf
    return Markup(dot_plot([_dots(row) for row in measured], _UNIT, limit))


def _dots(row: Row) -> Dots:
    return Dots(row.variant.removeprefix(ANSWER), row.losses, f"status-{row.status.replace(' ', '-')}")
