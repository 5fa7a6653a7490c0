"""Every rule's own examples: VALID stays silent, INVALID fires where it says and its repair gives the expected text."""

from __future__ import annotations

import ast

import pytest

from ampfix.codemods import carry_out
from ampfix.findings import Finding, Severity
from ampfix.lint import Settings, check_source
from ampfix.rules import Invalid, Rule, all_rules

RULES = all_rules()


def only(rule: Rule, text: str) -> list[Finding]:
    return check_source(text, "example.py", Settings(select=(rule.code,)))


def cases(kind: str) -> list[object]:
    return [
        pytest.param(rule, example, id=f"{rule.code}-{kind.lower()}{index}")
        for rule in RULES
        for index, example in enumerate(getattr(rule, kind))
    ]


@pytest.mark.parametrize(("rule", "text"), cases("VALID"))
def test_valid_examples_are_silent(rule: Rule, text: str) -> None:
    assert only(rule, text) == []


@pytest.mark.parametrize(("rule", "example"), cases("INVALID"))
def test_invalid_examples_fire_where_they_say(rule: Rule, example: Invalid) -> None:
    findings = only(rule, example.code)
    assert findings
    if example.lines:
        assert [finding.span.start.line for finding in findings] == list(example.lines)
    for finding in findings:
        assert (finding.code, finding.name) == (rule.code, rule.name)
        assert (finding.repair is None) == bool(finding.no_fix_reason)


@pytest.mark.parametrize(("rule", "example"), cases("INVALID"))
def test_repairing_an_invalid_example_gives_its_fixed_text_and_silence(rule: Rule, example: Invalid) -> None:
    repairs = [finding.repair for finding in only(rule, example.code) if finding.repair is not None]
    if example.fixed is None:
        assert repairs == []
        return
    repaired = example.code
    while repairs:
        repaired = carry_out(repaired, repairs[0])
        ast.parse(repaired)
        repairs = [finding.repair for finding in only(rule, repaired) if finding.repair is not None]
    assert repaired == example.fixed
    assert only(rule, repaired) == []


@pytest.mark.parametrize(("rule", "example"), cases("INVALID"))
def test_a_repair_trips_no_rule_that_was_silent_before(rule: Rule, example: Invalid) -> None:
    if example.fixed is not None:
        before = {finding.code for finding in check_source(example.code)}
        assert {finding.code for finding in check_source(example.fixed)} <= before - {rule.code}


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.code)
def test_every_rule_is_documented_and_exemplified(rule: Rule) -> None:
    text = type(rule).__doc__ or ""
    for heading in ("What it does", "Why is this bad", "Example", "Use instead", "Fix safety", "References"):
        assert f"## {heading}" in text
    assert rule.VALID
    assert rule.INVALID
    assert isinstance(rule.severity, Severity)


def test_codes_and_names_are_unique() -> None:
    assert len({rule.code for rule in RULES}) == len(RULES) == len({rule.name for rule in RULES})
