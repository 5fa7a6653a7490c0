"""What the static side contributes to a scenario's proof: rule codes, findings of `check`, and the output of `fix`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache

from ampfix.codemods.fixpoint import fix_text
from ampfix.findings import Applicability
from ampfix.lint.engine import check_source
from ampfix.rules import ProtocolRule, all_rules


@cache
def _violations() -> tuple[tuple[str, str], ...]:
    """(violation, rule code) pairs of every rule about the protocol."""
    rules = (rule for rule in all_rules() if isinstance(rule, ProtocolRule))
    return tuple((violation.value, rule.code) for rule in rules for violation in rule.violations)


def codes_by_violation(codes: Iterable[str]) -> Mapping[str, str]:
    """The violations that the rules `codes` stand for, each with its code."""
    wanted = set(codes)
    return {violation: code for violation, code in _violations() if code in wanted}


def codes_of(violations: Iterable[str]) -> set[str]:
    """The rules that some violations belong to."""
    seen = set(violations)
    return {code for violation, code in _violations() if violation in seen}


def codes_found(files: Mapping[str, str]) -> set[str]:
    """What `check` reports in a loop's files. Raises ValueError for text that is not Python."""
    return {finding.code for path, text in files.items() for finding in check_source(text, path)}


def repaired(files: Mapping[str, str], kinds: Iterable[Applicability]) -> dict[str, str]:
    """The files as `fix` leaves them, with repairs of these kinds applied."""
    allowed = tuple(kinds)
    return {
        path: fix_text(text, lambda source, path=path: check_source(source, path), allowed).text  # type: ignore[misc]
        for path, text in files.items()
    }
