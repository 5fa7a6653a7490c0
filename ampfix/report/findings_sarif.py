"""Findings as SARIF 2.1.0 (https://docs.oasis-open.org/sarif/sarif/v2.1.0/sarif-v2.1.0.html), with repairs."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any
from urllib.parse import quote

from ampfix import __version__
from ampfix.findings import Finding, Span, TracePoint
from ampfix.lint import FileError, Report
from ampfix.report.documents import Documents, below_here, fingerprints

SCHEMA_URI = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_ROOT = "%SRCROOT%"


def sarif(report: Report, documents: Documents) -> str:
    """A log with one run."""
    codes = sorted({finding.code for finding in report.findings})
    results = [
        _result(finding, fingerprint, codes.index(finding.code), documents)
        for finding, fingerprint in zip(report.findings, fingerprints(report.findings), strict=True)
    ]
    run = {
        "tool": {"driver": {"name": "ampfix", "version": __version__, "rules": _rules(codes)}},
        "invocations": [
            {
                "executionSuccessful": not report.errors,
                "toolExecutionNotifications": [_notification(error) for error in report.errors],
            }
        ],
        "columnKind": "unicodeCodePoints",
        "results": results,
    }
    return json.dumps({"$schema": SCHEMA_URI, "version": "2.1.0", "runs": [run]}, indent=2, ensure_ascii=False) + "\n"


def _rules(codes: Iterable[str]) -> list[dict[str, Any]]:
    from ampfix.rules import all_rules
    from ampfix.rules._pages import page, summary

    known = {rule.code: rule for rule in all_rules()}
    return [
        {
            "id": code,
            "name": known[code].name,
            "shortDescription": {"text": summary(known[code])},
            "help": {"text": page(known[code]), "markdown": page(known[code])},
            "defaultConfiguration": {"level": known[code].severity.value},
        }
        for code in codes
    ]


def _result(finding: Finding, fingerprint: str, index: int, documents: Documents) -> dict[str, Any]:
    result: dict[str, Any] = {
        "ruleId": finding.code,
        "ruleIndex": index,
        "level": finding.severity.value,
        "message": {"text": finding.message},
        "locations": [_location(finding.path, finding.cell, finding.span, documents, finding.symbol)],
        "partialFingerprints": {"ampfix/v1": fingerprint},
    }
    if len(finding.trace) > 1:
        steps = [{"location": _step(point, documents)} for point in finding.trace]
        result["codeFlows"] = [{"threadFlows": [{"locations": steps}]}]
    if finding.repair is not None:
        result |= _fixes(finding, documents)
    return result


def _fixes(finding: Finding, documents: Documents) -> dict[str, Any]:
    """The repair as SARIF has it, or nothing where the codemod refuses. SARIF has no word for how safe it is, so the
    description says it."""
    from ampfix.codemods import CannotRepair

    assert finding.repair is not None, "asked only for findings with a repair"
    try:
        edits = documents.file_edits(finding)
    except CannotRepair as error:
        return {"properties": {"noFixReason": str(error)}}
    replacements = [{"deletedRegion": _region(edit.span), "insertedContent": {"text": edit.text}} for edit in edits]
    change = {"artifactLocation": _artifact(finding.path), "replacements": replacements}
    applicability = finding.repair.applicability.value
    text = f"{finding.repair.message} ({applicability})"
    return {
        "fixes": [{"description": {"text": text}, "artifactChanges": [change]}],
        "properties": {"applicability": applicability},
    }


def _location(path: str, cell: int | None, span: Span, documents: Documents, symbol: str) -> dict[str, Any]:
    region = _region(documents.region(path, cell, span))
    location: dict[str, Any] = {"physicalLocation": {"artifactLocation": _artifact(path), "region": region}}
    if symbol:
        location["logicalLocations"] = [{"fullyQualifiedName": symbol}]
    return location


def _step(point: TracePoint, documents: Documents) -> dict[str, Any]:
    return _location(point.path, point.cell, point.span, documents, "") | {"message": {"text": point.event}}


def _region(span: Span) -> dict[str, int]:
    return {
        "startLine": span.start.line,
        "startColumn": span.start.column,
        "endLine": span.end.line,
        "endColumn": span.end.column,
    }


def _artifact(path: str) -> dict[str, str]:
    shown = below_here(path)
    if shown.startswith("/") or shown[1:2] == ":":
        return {"uri": "file://" + quote(shown if shown.startswith("/") else f"/{shown}", safe="/:")}
    return {"uri": quote(shown), "uriBaseId": _ROOT}


def _notification(error: FileError) -> dict[str, Any]:
    return {
        "level": "error",
        "message": {"text": f"not checked: {error.message}"},
        "locations": [{"physicalLocation": {"artifactLocation": _artifact(error.path)}}],
    }
