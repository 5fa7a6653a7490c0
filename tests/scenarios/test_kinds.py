"""Controls and decoys: enough of both, and nothing to report in either."""

from __future__ import annotations

from collections import Counter

import pytest

from ampfix.lab.spec import ScenarioSpec, all_specs
from ampfix.lab.witness import codes_found

SPECS = all_specs()
CLEAN = [spec for spec in SPECS if spec.kind != "bug"]


def test_every_larger_family_of_bugs_has_controls() -> None:
    """Loops near the family's bugs that are right; without them a tool that reports everything would score best."""
    families = Counter(spec.family for spec in SPECS if spec.kind == "bug")
    controls = Counter(spec.family for spec in SPECS if spec.kind == "control")
    short = {family: controls[family] for family, bugs in families.items() if bugs > 2 and controls[family] < 2}
    assert not short


def test_three_decoys_have_the_answers_that_decoys_invite() -> None:
    decoys = [spec for spec in SPECS if spec.kind == "decoy"]
    assert len(decoys) >= 3
    for spec in decoys:
        expected = {answer.variant: (answer.expect, answer.check) for answer in spec.answers}
        assert expected["answer:bfloat16"] == expected["answer:remove_amp"] == ("fail", spec.broken.fails)
        assert "pass" in {expect for expect, _ in expected.values()}


@pytest.mark.parametrize("spec", CLEAN, ids=lambda spec: spec.id)
def test_what_has_no_precision_bug_claims_none(spec: ScenarioSpec) -> None:
    assert not (spec.rules or spec.broken.static or spec.broken.runtime)
    assert spec.codemod == "none"
    assert not codes_found(spec.loop_files())
