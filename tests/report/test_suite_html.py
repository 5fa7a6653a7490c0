"""The suite's page: complete in itself, small, and safe against what answers contain."""

from __future__ import annotations

import math
import random
import re
from pathlib import Path

import pytest

from ampfix.lab.causes import Status
from ampfix.lab.spec import ScenarioSpec, all_specs
from ampfix.lab.suite import ScenarioReport
from ampfix.lab.verdict import CheckStatus, Figures, Trust, Verdict
from ampfix.report import pages, suite_html

from . import browser, samples
from .outline import Outline

VERDICTS = {
    "reference": samples.verdict(),
    "broken": samples.failed(),
    "gold": samples.verdict(),
    "codemod": samples.verdict(),
    "answer:<script>alert(1)</script>": samples.failed(detail='<img src="http://example.org/x">'),
}
LOSSES = {"reference": (0.1, 0.11, 0.12), "broken": (1.0, math.inf, math.nan), "gold": (0.1, 0.1, 0.13)}


@pytest.fixture
def page() -> str:
    return suite_html.render(samples.suite(samples.scenario(VERDICTS, LOSSES)))


def test_tags_are_balanced_and_nothing_is_loaded_or_run(page: str) -> None:
    outline = Outline(page)
    assert outline.open == []
    assert outline.loads == []
    assert not {"script", "img", "link", "iframe"} & set(outline.tags)
    assert "url(" not in page and "@import" not in page


def test_what_answers_contain_is_text(page: str) -> None:
    assert "<script>" not in page and "&lt;script&gt;alert(1)" in page
    assert "<img" not in page


def test_light_and_dark_name_the_same_colours(page: str) -> None:
    light, dark = re.search(
        r":root \{(.*?)\}\n@media \(prefers-color-scheme: dark\) \{ :root \{(.*?)\}", page, re.S
    ).groups()
    names = [set(re.findall(r"(--[a-z]+):", block)) for block in (light, dark)]
    assert names[0] == names[1] and len(names[0]) >= 6


def test_every_loss_is_drawn_or_counted(page: str) -> None:
    drawn = [re.findall(r"M\d+ \d+[hv]", path) for path in re.findall(r'<td[^>]*><svg><path d="([^"]+)"', page)]
    assert sum(map(len, drawn)) == 7
    assert "2 not finite" in page and 'title="1, inf, nan"' in page


def test_every_check_is_a_column_with_its_source_and_requirement(page: str) -> None:
    assert "<th>converges<br>0.25 of the gap<" in page
    assert "<th class=s>half_precision<br>0.4 <" in page and '.s::after { content: "*" }' in page
    assert "<td class=x>?" in page and "? was not measured" in page


def test_what_a_verdict_rests_on_stands_out_and_a_failure_says_why(page: str) -> None:
    assert "<td class=f><b>0.9</b>" in page and "<td><b>0.01</b>" in page
    told = samples.check("skipped_steps", CheckStatus.FAIL, reason="too_many", detail="9 of 10 <skipped>")
    other = samples.failed(checks=(told,))
    page = suite_html.render(samples.suite(samples.scenario({"broken": other})))
    assert '<td class=f title="9 of 10 &lt;skipped&gt;">fail' in page


def test_a_loop_and_an_answer_are_told_apart(page: str) -> None:
    first, second = page.partition('class="loops"')[2].split("<tbody>")
    assert "<td>codemod<" in first and "<td>&lt;script&gt;alert(1)&lt;/script&gt;<" in second
    assert re.search(
        r'<tr><td><a href="#clip-before-unscale">[^<]*</a><td class=p>yes<td class=f>fail<td class=p>pass', page
    )


def judged(spec: ScenarioSpec, passes: bool, chance: random.Random) -> Verdict:
    """A verdict with the checks of a scenario, and figures, reasons and details as long as real ones."""
    checks = [samples.check("runs", decisive=passes)]
    for named in spec.all_checks:
        is_wrong = named.name == "converges" and not passes
        told = {"reason": "loss_too_high", "detail": "median held-out loss: answer 5.751e+12"} if is_wrong else {}
        status = CheckStatus.FAIL if is_wrong else CheckStatus.PASS
        checks.append(samples.check(named.name, status, measured=chance.random() ** 6, threshold=0.25,
                                    unit="of the gap", decisive=passes or is_wrong, **told))  # fmt: skip
    figures = {"loss": chance.random(), "skipped": 2, "attempted": 150, "half_precision": chance.random()}
    trust = Trust.SELF_REPORTED if passes else Trust.ATTESTED
    status = Status.PASS if passes else Status.FAIL
    return samples.verdict(status, checks=tuple(checks), figures=Figures(**figures), trust=trust)


def everything(spec: ScenarioSpec, seeds: int, chance: random.Random) -> ScenarioReport:
    """A scenario with its own loops and all its answers, as `suite --validate` reports it."""
    passes = {"reference": True, "gold": True}
    passes |= {"broken": False} if spec.kind == "bug" else {}
    passes |= {"codemod": True} if spec.codemod != "none" else {}
    passes |= {f"answer:{Path(answer.file).stem}": answer.expect == "pass" for answer in spec.answers}
    verdicts = {name: judged(spec, does, chance) for name, does in passes.items()}
    losses = {name: tuple(chance.random() for _ in range(seeds)) for name in verdicts}
    return samples.scenario(verdicts, losses, id=spec.id)


@pytest.fixture(scope="module")
def specs() -> list[ScenarioSpec]:
    found = all_specs()
    assert len(found) >= 89 and sum(len(spec.answers) for spec in found) > 350
    return found


def test_the_page_of_the_whole_suite_with_all_answers_stays_small_and_whole(specs: list[ScenarioSpec]) -> None:
    chance = random.Random(0)
    scenarios = [everything(spec, 3, chance) for spec in specs]
    page = suite_html.render(samples.suite(*scenarios))
    assert len(page.encode()) < pages.MOST_BYTES
    assert page.count("<summary>Every check</summary>") == len(specs)
    loops = sum(len(scenario.verdicts) for scenario in scenarios)
    assert loops > 650 and len(re.findall(r"<td[^>]*><svg><path", page)) == loops


def test_what_would_be_too_much_leaves_out_the_checks_of_valid_scenarios(specs: list[ScenarioSpec]) -> None:
    chance = random.Random(0)
    first, *others = [everything(spec, 12, chance) for spec in specs]
    page = suite_html.render(samples.suite(first.model_copy(update={"valid": False}), *others))
    assert len(page.encode()) < pages.MOST_BYTES
    assert page.count("<summary>Every check</summary>") == 1
    assert "Of valid scenarios the checks are left out" in page


def test_an_empty_suite_is_a_page_too() -> None:
    assert "0 of 0 scenarios valid" in " ".join(suite_html.render(samples.suite()).split())


def test_a_page_replaces_an_older_one_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "reports" / "suite.html"
    suite_html.write(samples.suite(), path)
    old = path.read_text(encoding="utf-8")

    def fail(_report) -> str:
        raise RuntimeError("half way")

    monkeypatch.setattr(suite_html, "render", fail)
    with pytest.raises(RuntimeError):
        suite_html.write(samples.suite(), path)
    assert path.read_text(encoding="utf-8") == old
    assert [found.name for found in path.parent.iterdir()] == ["suite.html"]


@pytest.mark.browser
@pytest.mark.parametrize("dark", [False, True])
def test_a_browser_shows_the_page(page: str, tmp_path: Path, dark: bool) -> None:
    shown = browser.show(page, tmp_path, dark=dark)
    assert 'id="clip-before-unscale"' in shown.dom and "alert(1)" in shown.dom
    assert not shown.messages and shown.picture_bytes > 5_000
