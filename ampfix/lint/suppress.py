"""`# noqa` and `# noqa: AMP101, AMP114` comments."""

from __future__ import annotations

import io
import re
import tokenize
from collections.abc import Iterable, Iterator

from ampfix.findings import Finding

_NOQA = re.compile(r"#\s*noqa(?P<codes>\s*:\s*[A-Z]+[0-9]+(?:[\s,]+[A-Z]+[0-9]+)*)?", re.IGNORECASE)
_CODE = re.compile(r"[A-Z]+[0-9]+", re.IGNORECASE)


def unsuppressed(findings: Iterable[Finding], text: str) -> Iterator[Finding]:
    """The findings that no comment on their first or last line silences."""
    silenced = _silenced(text) if "noqa" in text.lower() else {}
    for finding in findings:
        lines = (finding.span.start.line, finding.span.end.line)
        if not any(_silences(silenced.get(line), finding.code) for line in lines):
            yield finding


def _silences(codes: frozenset[str] | None, code: str) -> bool:
    return codes is not None and (not codes or any(code.startswith(prefix) for prefix in codes))


def _silenced(text: str) -> dict[int, frozenset[str]]:
    """Line -> codes; an empty set silences every code."""
    found: dict[int, frozenset[str]] = {}
    try:
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            match = _NOQA.search(token.string) if token.type == tokenize.COMMENT else None
            if match is not None:
                codes = _CODE.findall((match["codes"] or "").upper())
                found[token.start[0]] = frozenset(codes)
    except (tokenize.TokenError, SyntaxError):
        pass  # ast parsed the text, so the comments up to here are the ones there are
    return found
