"""Findings as GitHub Actions workflow commands, which annotate pull requests."""

from __future__ import annotations

from ampfix.findings import Finding
from ampfix.lint import FileError, Report
from ampfix.report.documents import Documents, below_here, last_line
from ampfix.report.findings_text import place

_LEVELS = {"error": "error", "warning": "warning", "note": "notice"}


def github(report: Report, documents: Documents) -> str:
    """One `::error file=...::` command per finding, and per file that could not be checked."""
    return "".join(
        (*(_command(finding, documents) for finding in report.findings), *map(_error_command, report.errors))
    )


def _command(finding: Finding, documents: Documents) -> str:
    region = documents.region(finding.path, finding.cell, finding.span)
    start, end = region.start, region.end
    properties = {
        "title": f"{finding.code} {finding.name}",
        "file": below_here(finding.path),
        "line": start.line,
        "endLine": last_line(region),
        "col": start.column,
        "endColumn": end.column,
    }
    if end.line != start.line:  # GitHub refuses columns that span lines
        del properties["col"], properties["endColumn"]
    written = ",".join(f"{key}={_escape(str(value), ',:')}" for key, value in properties.items())
    message = _escape(f"{place(finding)}: {finding.code} {finding.message}")
    return f"::{_LEVELS[finding.severity.value]} {written}::{message}\n"


def _error_command(error: FileError) -> str:
    return f"::error title=not checked,file={_escape(below_here(error.path), ',:')}::{_escape(error.message)}\n"


def _escape(text: str, more: str = "") -> str:
    """Percent-encoding as the runner undoes it (actions/toolkit, packages/core/src/command.ts)."""
    for character in "%\r\n" + more:
        text = text.replace(character, f"%{ord(character):02X}")
    return text
