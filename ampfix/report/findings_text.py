"""Findings as text: `concise` is a line each, `full` adds the source line and how the bug comes about."""

from __future__ import annotations

from collections.abc import Iterator

from ampfix.findings import Applicability, Finding, TracePoint
from ampfix.lint import Report
from ampfix.report.documents import Documents

_MARKS = {Applicability.SAFE: "[*] ", Applicability.UNSAFE: "[!] ", Applicability.DISPLAY: ""}


def concise(report: Report, documents: Documents) -> str:  # noqa: ARG001
    """One line per finding and a summary."""
    return "".join(f"{_headline(finding)}\n" for finding in report.findings) + _summary(report)


def full(report: Report, documents: Documents) -> str:
    """Each finding with its source, its trace, and its repair or why it has none."""
    return "".join("\n".join(_full(finding, documents)) + "\n\n" for finding in report.findings) + _summary(report)


def place(finding: Finding) -> str:
    """Where a finding is, as people and editors read it; in a notebook the cell counts among all cells, from 1."""
    start = finding.span.start
    cell = "" if finding.cell is None else f":cell {finding.cell}"
    return f"{finding.path}{cell}:{start.line}:{start.column}"


def _headline(finding: Finding) -> str:
    mark = _MARKS[finding.repair.applicability] if finding.repair else ""
    severity = "" if finding.severity.value == "error" else f"{finding.severity.value}: "
    return f"{place(finding)}: {finding.code} {mark}{severity}{finding.message}"


def _full(finding: Finding, documents: Documents) -> Iterator[str]:
    yield _headline(finding)
    start, end = finding.span.start, finding.span.end
    width = len(str(start.line))
    line = documents.line(finding)
    length = (end.column - start.column) if end.line == start.line else len(line) - start.column + 1
    yield f"{' ' * width} |"
    yield f"{start.line} | {line}"
    yield f"{' ' * width} | {' ' * (start.column - 1)}{'^' * max(1, length)}"
    if len(finding.trace) > 1:
        steps = ", ".join(f"{point.event} ({_where(point, finding)})" for point in finding.trace)
        yield f"{' ' * width} = path: {steps}"
    if finding.repair is not None:
        unsafe = " (needs --unsafe-fixes)" if finding.repair.applicability is Applicability.UNSAFE else ""
        yield f"{' ' * width} = fix: {finding.repair.message}{unsafe}"
    elif finding.no_fix_reason:
        yield f"{' ' * width} = no fix: {finding.no_fix_reason}"


def _where(point: TracePoint, finding: Finding) -> str:
    """A step's line, with its file or cell where that is not the finding's."""
    line = f"line {point.span.start.line}"
    if point.path != finding.path:
        return f"{point.path}, {line}"
    return line if point.cell == finding.cell else f"cell {point.cell}, {line}"


def _summary(report: Report) -> str:
    count = len(report.findings)
    if not count:
        return f"No findings in {_plural(report.files_checked, 'file')}.\n" if not report.errors else ""
    by_kind = dict.fromkeys(Applicability, 0)
    for finding in report.findings:
        if finding.repair is not None:
            by_kind[finding.repair.applicability] += 1
    notes = []
    if by_kind[Applicability.SAFE]:
        notes.append(f"{by_kind[Applicability.SAFE]} [*] fixable with `ampfix fix`")
    if by_kind[Applicability.UNSAFE]:
        notes.append(f"{by_kind[Applicability.UNSAFE]} [!] with `ampfix fix --unsafe-fixes`")
    found = f"Found {_plural(count, 'finding')} in {_plural(report.files_checked, 'file')}"
    return f"{found}; {', '.join(notes)}.\n" if notes else f"{found}.\n"


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}" if count == 1 else f"{count} {noun}s"
