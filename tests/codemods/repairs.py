"""Makes repairs by hand, and carries them out in every way there is."""

from __future__ import annotations

from itertools import pairwise

from ampfix.codemods import apply_edits, carry_out, compute_fix
from ampfix.codemods.edits import Locator
from ampfix.findings import Applicability, Repair, Span


def span_of(text: str, source: str, occurrence: int = 0) -> Span:
    """Where `source` stands in `text`."""
    offset = -1
    for _ in range(occurrence + 1):
        offset = text.index(source, offset + 1)
    locate = Locator(text)
    return Span(locate.position(offset), locate.position(offset + len(source)))


def repair(codemod: str, text: str, source: str, occurrence: int = 0, **arguments: str) -> Repair:
    return Repair(codemod, Applicability.SAFE, "a repair", span_of(text, source, occurrence), arguments)


def repaired(text: str, request: Repair) -> str:
    """The repaired text, after checking that its edits say exactly the same."""
    after = carry_out(text, request)
    fix = compute_fix(text, request)
    assert apply_edits(text, fix.edits) == after
    spans = [edit.span for edit in fix.edits]
    assert all(first.end <= second.start for first, second in pairwise(spans)), "edits overlap"
    compile(after, "repaired.py", "exec")
    return after


def place(span: Span) -> str:
    return f"{span.start.line}:{span.start.column}-{span.end.line}:{span.end.column}"
