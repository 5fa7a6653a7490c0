"""docs/rules is what the rule files say."""

from __future__ import annotations

from pathlib import Path

from ampfix.rules._pages import pages

DOCS = Path(__file__).parents[2] / "docs" / "rules"


def test_the_pages_are_current() -> None:
    written = {path.name: path.read_text(encoding="utf-8") for path in DOCS.glob("*.md")}
    assert written == pages(), "run `python -m ampfix.rules._pages docs/rules`"
