"""Every example, written in other ways: as many findings where there is a bug, and none where there is none."""

from __future__ import annotations

import ast
import csv
from collections.abc import Iterator
from pathlib import Path

import pytest

from ampfix.lint import Settings, check_source
from ampfix.rules import Rule, all_rules
from tests.rules.respellings import RESPELLINGS, Respelling

# Where a finding still hangs on the spelling: rule, kind and index of the example, respelling, and why.
LIMITS = Path(__file__).parents[1] / "data" / "respellings.csv"


def limits(rule: Rule) -> set[tuple[str, str, str]]:
    with LIMITS.open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["rule"] == rule.code]
    return {(row["kind"], row["example"], row["respelling"]) for row in rows}


def differing(rule: Rule) -> Iterator[tuple[str, str, str]]:
    """The examples whose findings are other in number once they are written differently."""
    texts = [("invalid", i, example.code) for i, example in enumerate(rule.INVALID)]
    texts += [("valid", i, text) for i, text in enumerate(rule.VALID)]
    for kind, index, text in texts:
        before = count(rule, text)
        for respelling in RESPELLINGS:
            other = respelling(text)
            if other is not None and count(rule, other) != before:
                yield kind, str(index), respelling.__name__


def count(rule: Rule, text: str) -> int:
    return len(check_source(text, "example.py", Settings(select=(rule.code,))))


@pytest.mark.parametrize("rule", all_rules(), ids=lambda rule: rule.code)
def test_findings_hang_on_no_spelling(rule: Rule) -> None:
    assert set(differing(rule)) == limits(rule)


@pytest.mark.parametrize("respelling", RESPELLINGS, ids=lambda one: one.__name__)
def test_a_respelling_is_python_and_changes_some_examples(respelling: Respelling) -> None:
    texts = [example.code for rule in all_rules() for example in rule.INVALID]
    changed = [other for text in texts if (other := respelling(text)) is not None]
    for text in changed:
        ast.parse(text)
    assert len(changed) >= 10


def test_every_limit_names_an_example_and_says_why() -> None:
    codes = {rule.code for rule in all_rules()}
    with LIMITS.open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            assert row["rule"] in codes
            assert row["why"]
