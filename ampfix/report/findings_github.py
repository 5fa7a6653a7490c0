"""Findings as GitHub Actions workflow commands, which annotate pull requests."""

from __future__ import annotations

from ampfix.findings import Finding
from ampfix.lint import Report

_LEVELS = {"error": "error", "warning": "warning", "note": "notice"}


def github(report: Report, sources: dict[str, bytes]) -> str:  # noqa: ARG001
    """One `::error file=...::` command per finding."""
    return "".join(_command(finding) for finding in report.findings)


def _command(finding: Finding) -> str:
    start, end = finding.span.start, finding.span.end
    properties = {
        "title": f"{finding.code} {finding.name}",
        "file": finding.path,
        "line": start.line,
        "endLine": end.line,
        "col": start.column,
        "endColumn": end.column,
    }
    if end.line != start.line:  # GitHub refuses columns that span lines
        del properties["col"], properties["endColumn"]
    written = ",".join(f"{key}={_escape(str(value), ',:')}" for key, value in properties.items())
    message = _escape(f"{finding.path}:{start.line}:{start.column}: {finding.code} {finding.message}")
    return f"::{_LEVELS[finding.severity.value]} {written}::{message}\n"


def _escape(text: str, more: str = "") -> str:
    """Percent-encoding as the runner undoes it (actions/toolkit, packages/core/src/command.ts)."""
    for character in "%\r\n" + more:
        text = text.replace(character, f"%{ord(character):02X}")
    return text
