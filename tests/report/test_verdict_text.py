"""A verdict as text: what it rests on can be read from it."""

from __future__ import annotations

import io

from ampfix.lab.causes import Status
from ampfix.report import verdict_text

from . import samples


def shown(*verdicts) -> str:
    stream = io.StringIO()
    verdict_text.write(verdicts, stream)
    return stream.getvalue()


def row(text: str, check: str) -> list[str]:
    return next(line.split() for line in text.splitlines() if line.startswith(check))


def test_a_pass_names_status_scenario_trust_and_circumstances() -> None:
    text = shown(samples.verdict())
    assert text.startswith("pass  clip-before-unscale\n")
    assert "trust self-reported, not all checks can be measured here" in text
    assert "A100, cuda policy · isolation namespaces · 3 seeds" in text


def test_a_fail_names_its_reason_and_the_check_that_decided() -> None:
    text = shown(samples.failed())
    assert text.startswith("fail (loss_too_high)  clip-before-unscale\n")
    assert row(text, "converges")[1:5] == ["fail", "0.9", "0.25", "attested"]
    assert "yes" in row(text, "converges")


def test_what_was_not_measured_shows_no_number() -> None:
    line = row(shown(samples.verdict()), "speedup")
    assert line[:5] == ["speedup", "(optional)", "not", "measured", "-"]


def test_the_unit_follows_both_numbers() -> None:
    assert row(shown(samples.verdict()), "converges")[2:7] == ["0.01", "0.25", "of", "the", "gap"]


def test_a_detail_that_the_table_shows_is_not_said_twice() -> None:
    (check,) = samples.failed().checks
    assert shown(samples.failed(detail=check.detail)).count("broken loop") == 1
    assert "not in the table" in shown(samples.failed(detail="not in the table"))


def test_an_invalid_answer_shows_the_detail_and_no_empty_table() -> None:
    text = shown(
        samples.verdict(Status.INVALID_ANSWER, reason="no_code", detail="no code block", checks=(), trust=None)
    )
    assert "no code block" in text and "decisive" not in text and "trust none, since nothing was measured ·" in text


def test_markup_in_an_answers_own_words_is_not_interpreted() -> None:
    text = shown(samples.failed(detail="ValueError: [red]boo[/red] [/nope]"))
    assert "ValueError: [red]boo[/red] [/nope]" in text


def test_markup_in_a_checks_words_is_not_interpreted() -> None:
    found = samples.failed()
    checks = tuple(each.model_copy(update={"detail": "[/tcp/pair.cc:537] closed :boom:"}) for each in found.checks)
    text = " ".join(shown(found.model_copy(update={"checks": checks})).split())
    assert "[/tcp/pair.cc:537] closed :boom:" in text


def test_every_verdict_is_shown_in_order() -> None:
    text = shown(samples.verdict(scenario_id="one"), samples.verdict(scenario_id="two"))
    assert text.index("one") < text.index("two")


def test_no_control_codes_reach_a_file() -> None:
    assert "\x1b" not in shown(samples.verdict(), samples.failed())


def test_the_end_of_what_a_failing_loop_printed_is_shown_as_it_is() -> None:
    printed = "\n".join(f"[step] {number}" for number in range(100))
    lines = shown(samples.failed(output_tail=printed)).splitlines()
    assert "  [step] 99" in lines and "  [step] 80" in lines and "  [step] 79" not in lines
    assert "it printed" not in shown(samples.failed())
