"""The suite's table: what is compared stands together, and what is wrong is said."""

from __future__ import annotations

import io
import math

from ampfix.lab.suite import SuiteReport
from ampfix.lab.verdict import Figures, Trust
from ampfix.report import suite_text
from ampfix.report.rows import rows

from . import samples


def shown(report: SuiteReport) -> str:
    stream = io.StringIO()
    suite_text.write(report, stream)
    return stream.getvalue()


def line_of(text: str, variant: str) -> list[str]:
    return next(line.split() for line in text.splitlines() if line.split()[:1] == [variant])


VERDICTS = {
    "reference": samples.verdict(figures=Figures(loss=0.12, attempted=150, skipped=0, half_precision=0.0)),
    "gold": samples.verdict(),
    "answer:larger_max_norm": samples.failed(),
    "broken": samples.failed(),
    "codemod": samples.verdict(),
}


def test_broken_codemod_gold_and_reference_lead_and_answers_follow() -> None:
    text = shown(samples.suite(samples.scenario(VERDICTS)))
    places = [
        text.index(f"{variant} ") for variant in ("broken", "codemod", "gold", "reference", "answer:larger_max_norm")
    ]
    assert places == sorted(places)


def test_a_row_tells_loss_skips_half_share_verdict_reason_and_trust() -> None:
    text = shown(samples.suite(samples.scenario(VERDICTS)))
    assert line_of(text, "gold") == ["gold", "0.1235", "2/150", "97", "%", "pass", "self-reported"]
    assert line_of(text, "broken") == [
        "broken", "1.5", "0/150", "97", "%", "fail", "converges:", "loss_too_high", "attested",
    ]  # fmt: skip


def test_a_scenarios_name_stands_once() -> None:
    text = shown(samples.suite(samples.scenario(VERDICTS), samples.scenario(VERDICTS, id="second")))
    assert text.count("clip-before-unscale") == 1 and text.count("second") == 1


def test_an_invalid_scenario_says_every_problem_and_the_count() -> None:
    bad = samples.scenario(VERDICTS, id="bad", valid=False, problems=("gold does not pass: [x]", "no codes"))
    text = shown(samples.suite(samples.scenario(VERDICTS), bad))
    assert "bad: gold does not pass: [x]\nbad: no codes\n1 of 2 scenarios valid\n" in text


def test_a_loss_that_is_not_finite_is_told_from_one_that_was_not_measured() -> None:
    diverged = samples.failed(figures=Figures(loss=math.nan))
    crashed = samples.failed(figures=Figures(loss=None))
    found = rows(samples.scenario({"broken": diverged, "answer:crash": crashed}))
    assert found[0].loss == math.inf and found[1].loss is None
    text = shown(samples.suite(samples.scenario({"broken": diverged, "answer:crash": crashed})))
    assert "not finite" in text and line_of(text, "answer:crash")[1] == "-"


def test_repeats_of_a_variant_are_one_row_that_tells_disagreement() -> None:
    twice = samples.scenario({"gold": samples.verdict()})
    other = samples.scenario({"gold": samples.failed(trust=Trust.ATTESTED)})
    both = twice.model_copy(update={"verdicts": twice.verdicts + other.verdicts})
    (row,) = rows(both)
    assert row.status == "pass and fail" and row.why == "converges: loss_too_high"


def test_losses_of_every_seed_are_kept_for_the_charts() -> None:
    (row,) = rows(samples.scenario({"gold": samples.verdict()}, {"gold": (0.1, 0.2, math.nan)}))
    assert row.losses[:2] == (0.1, 0.2) and math.isnan(row.losses[2])


def test_no_control_codes_reach_a_file_and_names_are_never_cut() -> None:
    name = "answer:" + "long_" * 12
    text = shown(samples.suite(samples.scenario({name: samples.failed()})))
    assert "\x1b" not in text and name in text
