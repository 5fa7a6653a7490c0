"""Findings as JSON: one document, or one object per line."""

from __future__ import annotations

import json
from typing import Any

from ampfix import __version__
from ampfix.findings import Finding, Span, TracePoint
from ampfix.lint import Report
from ampfix.report.documents import Documents

SCHEMA = 1


def as_json(report: Report, documents: Documents) -> str:
    """The document `{schema, version, findings, errors, files_checked}`."""
    document = {
        "schema": SCHEMA,
        "version": __version__,
        "findings": [_item(finding, documents) for finding in report.findings],
        "errors": [{"path": error.path, "message": error.message} for error in report.errors],
        "files_checked": report.files_checked,
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def as_json_lines(report: Report, documents: Documents) -> str:
    """One finding per line."""
    return "".join(json.dumps(_item(finding, documents), ensure_ascii=False) + "\n" for finding in report.findings)


def _item(finding: Finding, documents: Documents) -> dict[str, Any]:
    item = _fields(finding)
    if finding.repair is None:
        return item | {"no_fix_reason": finding.no_fix_reason}
    return item | _fix(finding, documents)


def _fields(finding: Finding) -> dict[str, Any]:
    item: dict[str, Any] = {
        "code": finding.code,
        "name": finding.name,
        "message": finding.message,
        "path": finding.path,
        "line": finding.span.start.line,
        "column": finding.span.start.column,
        "end_line": finding.span.end.line,
        "end_column": finding.span.end.column,
        "severity": finding.severity.value,
        "symbol": finding.symbol,
        "trace": [_point(point) for point in finding.trace],
    }
    return item | _cell(finding.cell)


def _point(point: TracePoint) -> dict[str, Any]:
    start = point.span.start
    return {"event": point.event, "path": point.path, "line": start.line, "column": start.column} | _cell(point.cell)


def _cell(cell: int | None) -> dict[str, int]:
    return {} if cell is None else {"cell": cell}


def _fix(finding: Finding, documents: Documents) -> dict[str, Any]:
    """The edits a codemod would make, or why it makes none."""
    from ampfix.codemods import CannotRepair

    assert finding.repair is not None
    try:
        edits = documents.edits(finding)
    except CannotRepair as error:
        return {"no_fix_reason": str(error)}
    plain = [{**_place(one.edit.span), "text": one.edit.text} | _cell(one.cell) for one in edits]
    repair = finding.repair
    return {"fix": {"applicability": repair.applicability.value, "message": repair.message, "edits": plain}}


def _place(span: Span) -> dict[str, int]:
    return {
        "start_line": span.start.line,
        "start_column": span.start.column,
        "end_line": span.end.line,
        "end_column": span.end.column,
    }
