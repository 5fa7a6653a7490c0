"""The rubric: facts that a good answer names, and claims that it must not make. Read from the tables beside it."""

from __future__ import annotations

import re
import sys
from functools import cache
from importlib.resources import files
from typing import Any, Literal

from ampfix.lab.models import Model
from ampfix.lab.spec import ScenarioSpec

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib  # type: ignore[import-not-found,unused-ignore]

Pattern = Literal["scaler-mechanics", "dtype-tradeoff", "numerical-stability", "performance-method"]
"""The four ways in which answers were seen to fail."""


class Fact(Model):
    id: str
    pattern: Pattern
    rules: tuple[str, ...]
    says: str
    any: tuple[str, ...]

    def asked_of(self, spec: ScenarioSpec) -> bool:
        return any(rule in spec.rules for rule in self.rules)


class Claim(Model):
    """unless: rules in whose scenarios it is right."""

    id: str
    pattern: Pattern
    kinds: tuple[Literal["bug", "control", "decoy"], ...]
    says: str
    any: tuple[str, ...]
    unless: tuple[str, ...] = ()

    def wrong_in(self, spec: ScenarioSpec) -> bool:
        return spec.kind in self.kinds and not set(self.unless) & set(spec.rules)


@cache
def facts() -> tuple[Fact, ...]:
    return tuple(Fact(**row) for row in _table("facts.toml")["fact"])


@cache
def claims() -> tuple[Claim, ...]:
    return tuple(Claim(**row) for row in _table("claims.toml")["claim"])


def asked_facts(spec: ScenarioSpec) -> list[Fact]:
    """What an answer to this scenario should name."""
    return [fact for fact in facts() if fact.asked_of(spec)]


def false_claims(spec: ScenarioSpec) -> list[Claim]:
    """What an answer to this scenario must not say."""
    return [claim for claim in claims() if claim.wrong_in(spec)]


def _table(name: str) -> dict[str, Any]:
    table: dict[str, Any] = tomllib.loads(files(__package__).joinpath(name).read_text(encoding="utf-8"))
    return table


_SENTENCE = re.compile(r"(?<=[.!?])\s+(?=[A-Z`*\d-])|\n\s*\n|\n(?=\s*(?:[-*]|\d+[.)])\s)")
_DENIED = re.compile(
    r"\b(?:no need|not? (?:be )?(?:need|necess|requir)|need ?n[o']t|n't (?:need|have to)|unnecessary|instead of"
    r"|rather than|myth|wrong to say|do(?:es)? not (?:mean|imply)|not true)",
    re.IGNORECASE,
)


def sentences(text: str) -> list[str]:
    """The prose of an answer: without its code blocks, one sentence or list item each, line breaks folded."""
    without_code = re.sub(r"^\s*(`{3,}|~{3,}).*?^\s*\1\s*$", "\n\n", text, flags=re.DOTALL | re.MULTILINE)
    return [" ".join(part.split()) for part in _SENTENCE.split(without_code) if part.strip()]


def said(expressions: tuple[str, ...], prose: list[str]) -> bool:
    """Whether a sentence matches one of the expressions and does not deny it."""
    return any(
        (match := re.search(expression, sentence, re.IGNORECASE)) is not None
        and not _DENIED.search(sentence[max(0, match.start() - 40) : match.end()])
        for sentence in prose
        for expression in expressions
    )
