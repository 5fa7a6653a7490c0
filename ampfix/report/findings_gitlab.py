"""Findings as a GitLab Code Quality report (https://docs.gitlab.com/ci/testing/code_quality/)."""

from __future__ import annotations

import json
from typing import Any

from ampfix.lint import FileError, Report
from ampfix.report.documents import Documents, below_here, fingerprints, last_line

_SEVERITIES = {"error": "major", "warning": "minor", "note": "info"}


def gitlab(report: Report, documents: Documents) -> str:
    """A JSON array with an object for each finding, and for each file that could not be checked."""
    items: list[dict[str, Any]] = []
    for finding, fingerprint in zip(report.findings, fingerprints(report.findings), strict=True):
        region = documents.region(finding.path, finding.cell, finding.span)
        items.append(
            {
                "description": f"{finding.code} {finding.message}",
                "check_name": finding.code,
                "fingerprint": fingerprint,
                "severity": _SEVERITIES[finding.severity.value],
                "location": {
                    "path": below_here(finding.path),
                    "lines": {"begin": region.start.line, "end": last_line(region)},
                },
            }
        )
    items += map(_error, report.errors)
    return json.dumps(items, indent=2, ensure_ascii=False) + "\n"


def _error(error: FileError) -> dict[str, Any]:
    path = below_here(error.path)
    return {
        "description": f"not checked: {error.message}",
        "check_name": "unreadable",
        "fingerprint": f"unreadable:{path}",
        "severity": "blocker",
        "location": {"path": path, "lines": {"begin": 1, "end": 1}},
    }
