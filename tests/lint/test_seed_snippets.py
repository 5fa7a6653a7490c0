"""Shapes of the snippets that tutorials teach: the wrong ones are found and repaired, the right ones left alone, and
those taught as right that are broken are found."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from pathlib import Path

import pytest

from ampfix.codemods.fixpoint import fix_text
from ampfix.findings import Applicability, Severity
from ampfix.lint import check_source

SNIPPETS = Path(__file__).parents[1] / "data" / "snippets"
ALL = (Applicability.SAFE, Applicability.UNSAFE)


@dataclass(frozen=True)
class Row:
    """found: codes that fire. left: those that no repair can be right for, whatever is allowed."""

    found: str
    left: str = ""


WRONG = {
    "attention_by_hand": Row("AMP412"),
    "clip_on_scaled_gradients": Row("AMP101"),
    "clip_on_scaled_gradients_and_no_update": Row("AMP101 AMP109"),
    "contrastive_by_hand": Row("AMP401"),
    "contrastive_with_softmax": Row("AMP402"),
    "exp_and_log_in_place": Row("AMP407 AMP404"),
    "exp_of_half": Row("AMP407"),
    "fixed_scale": Row("AMP205"),
    "float16_without_a_scaler": Row("AMP201"),
    "half_weights_for_resuming": Row("AMP306"),
    "log_of_a_tiny_sum": Row("AMP404"),
    "loss_times_65536": Row("AMP205"),
    "normalised_by_hand_in_half": Row("AMP404"),
    "odd_layer": Row("AMP501", "AMP501"),  # both widths may be the data's
    "odd_layers": Row("AMP501"),
    "transformer_loop_with_clip": Row("AMP601 AMP101"),
}
BROKEN_RIGHT = {
    "hooks_of_the_old_kind": Row("AMP604"),
    "no_update": Row("AMP109"),
    "skips_by_a_private_dict": Row("AMP206", "AMP206"),  # the dict is true after clean steps too: no public twin
    "thresholds_on_scaled_gradients": Row("AMP102"),
    "timed_without_synchronize": Row("AMP503"),
    "trainer_that_skips_by_itself": Row("AMP113 AMP204 AMP301", "AMP113 AMP204 AMP301"),
    "unscale_outside_the_window": Row("AMP105", "AMP105"),  # what it computes per micro-batch is logged there
    "weights_halved_by_data": Row("AMP301", "AMP301"),
}
NOTES = frozenset({"AMP302", "AMP411"})
"""Notes on loops that are right on the hardware they are written for."""


def text(kind: str, name: str) -> str:
    return (SNIPPETS / kind / f"{name}.py").read_text(encoding="utf-8")


def names(kind: str) -> list[str]:
    return sorted(path.stem for path in (SNIPPETS / kind).glob("*.py"))


def codes(source: str) -> set[str]:
    return {finding.code for finding in check_source(source, "snippet.py")}


@pytest.mark.parametrize("name", names("wrong"))
def test_wrong_snippets_are_found_and_repaired(name: str) -> None:
    row, source = WRONG[name], text("wrong", name)
    assert codes(source) == set(row.found.split())
    assert_repaired(source, row)


@pytest.mark.parametrize("name", names("broken_right"))
def test_what_is_taught_as_right_and_is_broken_is_found(name: str) -> None:
    row, source = BROKEN_RIGHT[name], text("broken_right", name)
    assert codes(source) >= set(row.found.split())
    assert_repaired(source, row)


@pytest.mark.parametrize("name", names("right"))
def test_right_snippets_are_left_alone(name: str) -> None:
    source = text("right", name)
    findings = check_source(source, "snippet.py")
    assert {f.code for f in findings if f.severity is not Severity.NOTE or f.code not in NOTES} == set()
    assert fix_text(source, lambda given: check_source(given, "snippet.py")).text == source


def assert_repaired(source: str, row: Row) -> None:
    outcome = fix_text(source, lambda given: check_source(given, "snippet.py"), ALL)
    ast.parse(outcome.text)
    assert {unfixed.finding.code for unfixed in outcome.unfixed} == set(row.left.split())
    assert codes(outcome.text) == set(row.left.split())
    assert all(unfixed.reason for unfixed in outcome.unfixed)


def test_every_snippet_has_its_row() -> None:
    assert names("wrong") == sorted(WRONG)
    assert names("broken_right") == sorted(BROKEN_RIGHT)
