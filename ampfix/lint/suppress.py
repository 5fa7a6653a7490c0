"""Comments that silence findings: `# noqa`, `# noqa: AMP101, AMP114`, and for a whole file `# ampfix: noqa`.

A comment silences what begins or ends on its line; on the first or last line of a statement, what lies anywhere in it.
"""

from __future__ import annotations

import io
import re
import tokenize
from collections.abc import Iterable, Iterator

from ampfix.findings import Finding
from ampfix.patterns import pattern
from ampfix.records import dataclass, field

_LIST = r"(?P<codes>\s*:\s*[A-Z]+[0-9]+(?:[\s,]+[A-Z]+[0-9]+)*)?"
_LINE = pattern(rf"#\s*noqa{_LIST}", re.IGNORECASE)
_FILE = pattern(rf"\s*#\s*ampfix\s*:\s*noqa{_LIST}", re.IGNORECASE)
_CODE = pattern(r"[A-Z]+[0-9]+", re.IGNORECASE)

Codes = frozenset[str]
"""Codes and prefixes that are silenced; empty for all."""


@dataclass
class _Silence:
    """file: what comments say about all of it. lines: about lines. statements: (first, last line) and what is said."""

    file: list[Codes] = field(default_factory=list)
    lines: dict[int, Codes] = field(default_factory=dict)
    statements: list[tuple[int, int, Codes]] = field(default_factory=list)

    def covers(self, finding: Finding) -> bool:
        first, last = finding.span.start.line, finding.span.end.line
        said = [*self.file, *(self.lines[line] for line in (first, last) if line in self.lines)]
        said += [codes for begin, end, codes in self.statements if begin <= first <= end]
        return any(not codes or finding.code.startswith(tuple(codes)) for codes in said)


def unsuppressed(findings: Iterable[Finding], text: str) -> Iterator[Finding]:
    """The findings that no comment silences."""
    findings = list(findings)
    if not _may_silence(text, findings):  # most comments of this kind are for other linters
        return iter(findings)
    silence = _read(text)
    return (finding for finding in findings if not silence.covers(finding))


def _may_silence(text: str, findings: list[Finding]) -> bool:
    """Whether what looks like such a comment, wherever it stands, names one of the findings or all."""
    if not findings or "noqa" not in text.lower():
        return False
    named = [_codes(match) for expression in (_LINE, _FILE) for match in expression.finditer(text)]
    return any(not codes or finding.code.startswith(tuple(codes)) for codes in named for finding in findings)


def _read(text: str) -> _Silence:
    silence = _Silence()
    begin = 0  # the first line of the statement that is being read; 0 between statements
    comments: dict[int, Codes] = {}
    try:
        for token in tokenize.generate_tokens(io.StringIO(text).readline):
            line = token.start[0]
            if token.type == tokenize.COMMENT:
                whole_file = _FILE.fullmatch(token.string.rstrip())
                match = None if whole_file else _LINE.search(token.string)
                if whole_file and not token.line[: token.start[1]].strip():
                    silence.file.append(_codes(whole_file))
                elif match:
                    comments[line] = _codes(match)
            elif token.type == tokenize.NEWLINE:
                silence.statements += [(begin, line, comments[at]) for at in {begin, line} if at in comments]
                begin = 0
            elif token.type not in (tokenize.NL, tokenize.INDENT, tokenize.DEDENT) and not begin:
                begin = line
    except (tokenize.TokenError, SyntaxError):
        pass  # ast parsed the text, so the comments up to here are the ones there are
    silence.lines = comments
    return silence


def _codes(match: re.Match[str]) -> Codes:
    return frozenset(_CODE.findall((match["codes"] or "").upper()))
