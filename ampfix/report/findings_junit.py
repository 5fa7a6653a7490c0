"""Findings as a JUnit XML report: a suite for each file, a failing case for each finding."""

from __future__ import annotations

from itertools import groupby
from xml.etree import ElementTree as xml

from ampfix.findings import Finding
from ampfix.lint import FileError, Report
from ampfix.report.documents import Documents
from ampfix.report.findings_text import place
from ampfix.report.junit_xml import clean, counts, document


def junit(report: Report, documents: Documents) -> str:  # noqa: ARG001
    """An XML document. Where nothing was found it holds one passing case, since servers refuse an empty report."""
    findings, errors = report.findings, report.errors
    root = xml.Element("testsuites", counts("ampfix", max(1, len(findings) + len(errors)), len(findings), len(errors)))
    for path, group in groupby(findings, lambda finding: finding.path):
        cases = list(group)
        suite = xml.SubElement(root, "testsuite", counts(path, len(cases), len(cases), 0))
        for finding in cases:
            _case(suite, finding)
    for error in errors:
        _error(xml.SubElement(root, "testsuite", counts(error.path, 1, 0, 1)), error)
    if not findings and not errors:
        suite = xml.SubElement(root, "testsuite", counts("ampfix", 1, 0, 0))
        xml.SubElement(suite, "testcase", {"name": "no findings", "classname": "ampfix"})
    return document(root)


def _case(suite: xml.Element, finding: Finding) -> None:
    start = finding.span.start
    where = {"line": str(start.line), "column": str(start.column)}
    names = {"name": f"{finding.code} {finding.name} at {place(finding)}", "classname": _class(finding.path)}
    case = xml.SubElement(suite, "testcase", {key: clean(value) for key, value in (names | where).items()})
    failure = xml.SubElement(case, "failure", {"message": clean(finding.message), "type": finding.severity.value})
    failure.text = clean(f"{place(finding)}: {finding.code} {finding.message}")


def _error(suite: xml.Element, error: FileError) -> None:
    case = xml.SubElement(suite, "testcase", {"name": "not checked", "classname": clean(_class(error.path))})
    xml.SubElement(case, "error", {"message": clean(error.message), "type": "unreadable"})


def _class(path: str) -> str:
    return path.rpartition(".")[0] or path
