"""Which rules a file is worth: the test on words that keeps most files unparsed."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

from ampfix.rules import Rule


def worth_parsing(data: bytes, rules: Iterable[Rule]) -> bool:
    """Whether any of the rules looks at a file with these bytes."""
    return any(all(word in data for word in group) for group in _groups(tuple(rule.mentions for rule in rules)))


def concerned(text: str, rules: Iterable[Rule]) -> list[Rule]:
    """The rules that look at this text."""
    return [rule for rule in rules if any(all(word in text for word in group) for group in rule.mentions)]


@cache
def _groups(mentions: tuple[tuple[tuple[str, ...], ...], ...]) -> tuple[tuple[bytes, ...], ...]:
    """The distinct groups of many rules, as bytes."""
    return tuple(tuple(word.encode() for word in group) for group in dict.fromkeys(g for m in mentions for g in m))
