"""Patterns behave as those of `re`, and are compiled when they are first asked."""

from __future__ import annotations

import re

import pytest

from ampfix import patterns
from ampfix.patterns import pattern

WORD = pattern(r"(?P<first>[a-z])\w*", re.IGNORECASE)


def test_a_pattern_answers_as_the_standard_one_does() -> None:
    standard = re.compile(r"(?P<first>[a-z])\w*", re.IGNORECASE)
    text = "Ab 1c dE"
    assert WORD.findall(text) == standard.findall(text) == ["A", "c", "d"]
    assert WORD.sub("x", text) == standard.sub("x", text)
    assert [match["first"] for match in WORD.finditer(text)] == ["A", "c", "d"]
    assert (WORD.match("1"), WORD.pattern, WORD.groups) == (None, standard.pattern, 1)
    assert pattern(rb"a+").search(b"caat") is not None


def test_nothing_is_compiled_before_the_first_question(monkeypatch: pytest.MonkeyPatch) -> None:
    compiled: list[str] = []

    def compile_(expression: str, flags: int = 0) -> re.Pattern[str]:
        compiled.append(expression)
        return original(expression, flags)

    original = re.compile
    monkeypatch.setattr(patterns.re, "compile", compile_)
    asked = pattern("a")
    assert not compiled
    assert asked.search("cat") and asked.search("bat")
    assert compiled == ["a"]


def test_an_error_in_the_expression_shows_at_the_first_question() -> None:
    wrong = pattern("(")
    with pytest.raises(re.error):
        wrong.search("")
