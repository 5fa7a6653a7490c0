"""Findings as JSON: one document, or one object per line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from ampfix import __version__
from ampfix.findings import Finding, Span
from ampfix.lint import Report

SCHEMA = 1


def as_json(report: Report, sources: dict[str, bytes]) -> str:
    """The document `{schema, version, findings, errors, files_checked}`."""
    document = {
        "schema": SCHEMA,
        "version": __version__,
        "findings": _findings(report, sources),
        "errors": [{"path": error.path, "message": error.message} for error in report.errors],
        "files_checked": report.files_checked,
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def as_json_lines(report: Report, sources: dict[str, bytes]) -> str:
    """One finding per line."""
    return "".join(json.dumps(item, ensure_ascii=False) + "\n" for item in _findings(report, sources))


def _findings(report: Report, sources: dict[str, bytes]) -> list[dict[str, Any]]:
    texts: dict[str, str] = {}
    found = []
    for finding in report.findings:
        item = _fields(finding)
        if finding.repair is None:
            item["no_fix_reason"] = finding.no_fix_reason
        else:
            item |= _fix(finding, _text(finding.path, sources, texts))
        found.append(item)
    return found


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
        "trace": [
            {
                "event": point.event,
                "path": point.path,
                "line": point.span.start.line,
                "column": point.span.start.column,
            }
            for point in finding.trace
        ],
    }
    return item if finding.cell is None else item | {"cell": finding.cell}


def _fix(finding: Finding, text: str) -> dict[str, Any]:
    """The edits a codemod would make, or why it makes none. Codemods are loaded here, where edits are asked for."""
    from ampfix.codemods import CannotRepair, compute_fix

    assert finding.repair is not None
    try:
        fix = compute_fix(text, finding.repair)
    except CannotRepair as error:
        return {"no_fix_reason": str(error)}
    edits = [{**_place(edit.span), "text": edit.text} for edit in fix.edits]
    return {"fix": {"applicability": fix.applicability.value, "message": fix.message, "edits": edits}}


def _place(span: Span) -> dict[str, int]:
    return {
        "start_line": span.start.line,
        "start_column": span.start.column,
        "end_line": span.end.line,
        "end_column": span.end.column,
    }


def _text(path: str, sources: dict[str, bytes], texts: dict[str, str]) -> str:
    if path not in texts:
        from ampfix.lint.read import decode

        texts[path] = decode(sources[path] if path in sources else Path(path).read_bytes())
    return texts[path]
