"""What must hold of every text, valid or not. Each function raises AssertionError, or whatever the checker raised."""

from __future__ import annotations

import io
import json
import tempfile
import tokenize
import warnings
from pathlib import Path

from ampfix.codemods.fixpoint import fix_text
from ampfix.findings import Applicability, Finding
from ampfix.lint import Settings
from ampfix.lint.discover import discover
from ampfix.lint.document import check_document, open_document
from ampfix.lint.engine import check_bytes, check_source
from ampfix.lint.read import UnreadableError

ALL = (Applicability.SAFE, Applicability.UNSAFE)


def parses(text: str) -> bool:
    """Whether Python compiles the text."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compile(text, "program.py", "exec", dont_inherit=True)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return True


def comments(text: str) -> list[str]:
    readline = io.StringIO(text).readline
    return sorted(token.string for token in tokenize.generate_tokens(readline) if token.type == tokenize.COMMENT)


def told(findings: list[Finding]) -> list[tuple[str, str, int, int]]:
    return [(f.code, f.severity.value, f.span.start.line, f.span.start.column) for f in findings]


def bytes_are_checked(data: bytes) -> None:
    """Any bytes: findings or UnreadableError, nothing else."""
    try:
        check_bytes(data, "program.py")
    except UnreadableError:
        return


def text_is_checked(text: str) -> None:
    """Findings lie in the text, come in order, come again, and move with the text and its line ends."""
    try:
        findings = check_source(text)
    except UnreadableError:
        assert not parses(text), "Python compiles what check refuses"
        return
    lines = text.split("\n")
    for finding in findings:
        start, end = finding.span.start, finding.span.end
        assert (1, 0) <= (start.line, start.column) <= (end.line, end.column), finding
        assert end.line <= len(lines), finding
        assert start.column <= len(lines[start.line - 1].encode()), finding
        assert (finding.repair is None) == bool(finding.no_fix_reason), finding
    assert told(check_source(text)) == told(findings), "a second check says something else"
    assert told(check_source(text.replace("\n", "\r\n"))) == told(findings), "line ends change the findings"
    lower = [(code, severity, line + 2, column) for code, severity, line, column in told(findings)]
    assert told(check_source("\n\n" + text)) == lower, "two empty lines above change the findings"


def text_is_fixed(text: str) -> None:
    """Repairs parse, keep comments and line ends, end, and leave a text that is repaired no further."""
    if not parses(text):
        return
    outcome = fix_text(text, check_source, ALL)
    assert parses(outcome.text), "the repaired text does not parse"
    again = fix_text(outcome.text, check_source, ALL)
    assert again.text == outcome.text, "a second fix changes the text again"
    assert len(check_source(outcome.text)) <= len(check_source(text)), "more findings than before"
    kept = comments(outcome.text)
    assert all(kept.count(each) >= comments(text).count(each) for each in set(comments(text))), "a comment is lost"
    if not outcome.fixed:
        assert outcome.text == text, "changed without a repair"
    if "\r" not in text:
        assert "\r" not in outcome.text, "other line ends"


def ignore_file_is_read(text: str) -> None:
    """Any .gitignore and any exclude pattern: discovery ends and yields Python files of the folder alone."""
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        (root / ".git").mkdir()
        (root / "a" / "b").mkdir(parents=True)
        for name in ("x.py", "a/y.py", "a/b/[z].py", "a/no.txt"):
            (root / name).write_text("", encoding="utf-8")
        (root / ".gitignore").write_text(text, encoding="utf-8", errors="replace")
        for candidate in discover([folder]):
            assert Path(candidate.path).suffix == ".py", candidate


def notebook_is_checked(text: str) -> None:
    """Any JSON text as a notebook: findings lie in its code cells, and its own source is given back as it was."""
    try:
        document = open_document(text.encode(), "book.ipynb")
        checked = check_document(document, "book.ipynb", Settings())
    except UnreadableError:
        return
    assert document.source(document.text) == text, "an unchanged notebook changes"
    cells = json.loads(text, strict=False)["cells"]
    for finding in checked.findings:
        cell, span = document.locate(finding.span)
        assert cell is not None and cells[cell - 1]["cell_type"] == "code", finding
        assert document.line(span.start.line, cell) is not None
