"""Every scenario's folder is what its scenario.toml says, and its loops read like their users'."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from ampfix.lab.causes import CAUSES
from ampfix.lab.checkspec import HalfPrecision
from ampfix.lab.spec import ScenarioSpec, all_specs
from ampfix.lab.witness import codes_found
from ampfix.rules import all_rules
from tests.scenarios.page import PAGE, calibration, page

SPECS = all_specs()
each = pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.id)


def sources(spec: ScenarioSpec) -> dict[str, str]:
    paths = [*spec.root.glob("*.py"), *spec.root.glob("answers/*.py")]
    return {path.relative_to(spec.root).as_posix(): path.read_text(encoding="utf-8") for path in paths}


def comments(text: str) -> list[str]:
    return re.findall(r"#.*|\"\"\"[\s\S]*?\"\"\"", text)


def test_ids_and_titles_are_unique() -> None:
    assert len({spec.id for spec in SPECS}) == len({spec.title for spec in SPECS}) == len(SPECS) >= 7


def test_the_rules_and_the_scenarios_name_each_other() -> None:
    by_rule = {(rule.code, scenario) for rule in all_rules() for scenario in rule.scenarios}
    assert by_rule == {(code, spec.id) for spec in SPECS for code in spec.rules}


@each
def test_every_source_parses(spec: ScenarioSpec) -> None:
    for name, text in sources(spec).items():
        ast.parse(text, filename=name)


@each
def test_answers_listed_are_the_answers_there(spec: ScenarioSpec) -> None:
    listed = [answer.file for answer in spec.answers]
    there = {path.relative_to(spec.root).as_posix() for path in (spec.root / "answers").iterdir() if path.is_file()}
    assert len(listed) == len(set(listed))
    assert set(listed) == there


@each
def test_answers_differ_from_the_loops_and_each_other(spec: ScenarioSpec) -> None:
    texts = [text for name, text in sources(spec).items() if name != "task.py"]
    assert len({ast.dump(ast.parse(text)) for text in texts}) == len(texts)


@each
def test_some_answers_fail_and_another_one_passes(spec: ScenarioSpec) -> None:
    assert {answer.expect for answer in spec.answers} >= {"pass", "fail"}
    for answer in spec.answers:
        assert answer.note
        assert bool(answer.check) == (answer.expect == "fail"), f"{answer.file}: a failing answer names its check"
        assert not answer.reason or answer.reason.partition(":")[0] in CAUSES


@each
def test_fp32_is_no_answer(spec: ScenarioSpec) -> None:
    """Required by every scenario: the proof that AMP is still there, attested and by share.

    Where half precision costs more than it gives, fp32 is the answer, and the share is bounded from above.
    """
    required = {check.name for check in spec.all_checks if check.required}
    if any(isinstance(check, HalfPrecision) and check.max_share < 1 for check in spec.all_checks):
        assert required >= {"runs", "converges", "half_precision"}
        return
    assert required >= {"runs", "converges", "not_fp32", "half_precision"}
    assert any(answer.check == "not_fp32" for answer in spec.answers)


@each
def test_provenance_is_given(spec: ScenarioSpec) -> None:
    assert spec.provenance
    assert any(re.fullmatch(r"[\w.-]+(/[\w.-]+)?#\d+", source) for source in spec.provenance)


@each
def test_check_finds_the_bug_in_the_loop_and_nothing_in_gold(spec: ScenarioSpec) -> None:
    assert set(spec.broken.static) <= codes_found(spec.loop_files())
    assert not codes_found(spec.gold_files())


@each
def test_loops_do_not_give_themselves_away(spec: ScenarioSpec) -> None:
    """What a grader hands out names no scenario, rule or bug, and is not marked up by comments."""
    loop = (spec.root / spec.entry).read_text(encoding="utf-8")
    others = [other.id for other in SPECS]
    assert not [name for name in [*others, "ampfix check", "AMP1", "AMP2", "AMP3"] if name in loop]
    given_away = re.compile(r"\b(bug|broken|fix|fixme|todo|nan|overflow|underflow|unscale|skip)", re.IGNORECASE)
    assert not [comment for comment in comments(loop) if given_away.search(comment)]


@each
def test_the_task_is_pure(spec: ScenarioSpec) -> None:
    """task.py draws the data from a generator of its own, and asks for no device; it may offer a size for one."""
    text = spec.task_file.read_text(encoding="utf-8").replace('"cuda": (', "")
    assert "torch.Generator().manual_seed(seed)" in text
    assert "cuda" not in text
    assert not re.search(r"randn?\((?![^\n]*generator)[^\n]*\)", text.split("def data")[1].split("def evaluate")[0])


@each
def test_calibration_was_measured_on_these_files(spec: ScenarioSpec) -> None:
    measured = calibration(spec)
    assert measured.scenario_id == spec.id
    assert measured.content_sha256 == spec.content_hash, f"run `ampfix suite {spec.id} --calibrate`"
    assert measured.seeds == 64
    assert not measured.problems


def test_the_page_is_current() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run `python -m tests.scenarios.page`"


def test_loops_vary_in_style_and_dialect() -> None:
    loops = [(spec.root / spec.entry).read_text(encoding="utf-8") for spec in SPECS]
    for spelling in (".cuda(", ".to(", "torch.cuda.amp", "torch.amp", "torch.autocast", "class ", "from ampfix_task"):
        assert [loop for loop in loops if spelling in loop], f"no loop says {spelling}"
    assert {spec.style for spec in SPECS} >= {"function", "script"}
    assert all(Path(spec.root / spec.entry).stat().st_size < 4000 for spec in SPECS)
