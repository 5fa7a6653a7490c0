"""Whole files that must stay silent, and files whose `# expect: CODE` comments say where rules fire, and only there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ampfix.lint import check_source

CASES = Path(__file__).parents[1] / "data" / "lint"
_EXPECT = re.compile(r"# expect: ([A-Z0-9, ]+)")
DEPRECATED = "AMP601"  # shown by files of its own; elsewhere old spellings are just spellings


def expected(text: str) -> list[tuple[int, str]]:
    return [
        (number, code.strip())
        for number, line in enumerate(text.splitlines(), 1)
        if (match := _EXPECT.search(line)) is not None
        for code in match[1].split(",")
    ]


def found(text: str) -> list[tuple[int, str]]:
    return [(finding.span.start.line, finding.code) for finding in check_source(text)]


@pytest.mark.parametrize("path", sorted((CASES / "silent").glob("*.py")), ids=lambda path: path.stem)
def test_stays_silent(path: Path) -> None:
    assert [item for item in found(path.read_text(encoding="utf-8")) if item[1] != DEPRECATED] == []


@pytest.mark.parametrize("path", sorted((CASES / "fire").glob("*.py")), ids=lambda path: path.stem)
def test_fires_where_expected_and_nowhere_else(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert expected(text)
    assert found(text) == expected(text)
