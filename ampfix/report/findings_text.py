"""Findings as text: `concise` is a line each, `full` adds the source line and how the bug comes about."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from ampfix.findings import Applicability, Finding
from ampfix.lint import Report

_MARKS = {Applicability.SAFE: "[*] ", Applicability.UNSAFE: "[!] ", Applicability.DISPLAY: ""}


def concise(report: Report, sources: dict[str, bytes]) -> str:  # noqa: ARG001
    """One line per finding and a summary."""
    return "".join(f"{_headline(finding)}\n" for finding in report.findings) + _summary(report)


def full(report: Report, sources: dict[str, bytes]) -> str:
    """Each finding with its source, its trace, and its repair or why it has none."""
    texts = _Lines(sources)
    return "".join("\n".join(_full(finding, texts)) + "\n\n" for finding in report.findings) + _summary(report)


def _headline(finding: Finding) -> str:
    start = finding.span.start
    mark = _MARKS[finding.repair.applicability] if finding.repair else ""
    severity = "" if finding.severity.value == "error" else f"{finding.severity.value}: "
    return f"{finding.path}:{start.line}:{start.column}: {finding.code} {mark}{severity}{finding.message}"


def _full(finding: Finding, texts: _Lines) -> Iterator[str]:
    yield _headline(finding)
    start, end = finding.span.start, finding.span.end
    width = len(str(start.line))
    line = texts.line(finding.path, start.line)
    length = (end.column - start.column) if end.line == start.line else len(line) - start.column + 1
    yield f"{' ' * width} |"
    yield f"{start.line} | {line}"
    yield f"{' ' * width} | {' ' * (start.column - 1)}{'^' * max(1, length)}"
    if len(finding.trace) > 1:
        steps = ", ".join(f"{point.event} (line {point.span.start.line})" for point in finding.trace)
        yield f"{' ' * width} = path: {steps}"
    if finding.repair is not None:
        unsafe = " (needs --unsafe-fixes)" if finding.repair.applicability is Applicability.UNSAFE else ""
        yield f"{' ' * width} = fix: {finding.repair.message}{unsafe}"
    elif finding.no_fix_reason:
        yield f"{' ' * width} = no fix: {finding.no_fix_reason}"


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


class _Lines:
    """Lines of checked texts, read again only where one is shown."""

    def __init__(self, sources: dict[str, bytes]) -> None:
        self._sources = sources
        self._lines: dict[str, list[str]] = {}

    def line(self, path: str, number: int) -> str:
        if path not in self._lines:
            from ampfix.lint.read import decode

            text = decode(self._sources[path] if path in self._sources else Path(path).read_bytes())
            self._lines[path] = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
        lines = self._lines[path]
        return lines[number - 1] if number <= len(lines) else ""
