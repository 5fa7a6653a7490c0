"""A suite's result as a table: each scenario's broken, repaired, gold and reference loop, and its answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, TextIO

from ampfix.report.rows import Row, number, rows
from ampfix.report.tables import STATUS_STYLES, Text, console, new_table

if TYPE_CHECKING:
    from ampfix.lab.suite import SuiteReport


def write(report: SuiteReport, stream: TextIO) -> None:
    """Print the table, what is wrong with scenarios that are not valid, and a closing line."""
    out = console(stream)
    table = new_table("loop", "held-out loss>", "skipped>", "half>", "verdict", "why", "trust")
    for scenario in report.scenarios:
        table.add_row(Text(scenario.id, style="bold"))
        for row in rows(scenario):
            table.add_row(*_cells(row))
        table.add_section()
    out.print(table)
    for scenario in report.scenarios:
        for problem in scenario.problems:
            out.print(Text.assemble((scenario.id, "bold"), ": ", (problem, "red")))
    for change in getattr(report, "changes", ()):
        colour = "red" if change.fails else "yellow"
        out.print(Text.assemble((f"{change.kind} ", "bold"), (change.line, colour)))
    valid = sum(scenario.valid for scenario in report.scenarios)
    closing = f"{valid} of {len(report.scenarios)} scenarios valid"
    if hasattr(report, "changes"):
        closing += f", {sum(change.fails for change in report.changes)} changes from the lock"
    out.print(Text(closing, style="green" if report.ok else "red"))


def _cells(row: Row) -> list[str | Text]:
    status = Text(row.status, style=STATUS_STYLES.get(row.status, ""))
    return [f"  {row.variant}", number(row.loss), row.skipped_text, row.half_text, status, row.why, row.trust]
