"""The suite's page: complete in itself, small, and safe against what answers contain."""

from __future__ import annotations

import math
import re
from pathlib import Path

import pytest

from ampfix.report import suite_html

from . import browser, samples
from .outline import Outline

MOST_BYTES = 300_000

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
    assert page.count('<circle class="dot') == 7
    assert "2 not finite" in page


def test_every_check_is_a_column_with_its_source_and_requirement(page: str) -> None:
    assert re.search(r'title="attested">converges<br>0.25 of the gap<', page)
    assert re.search(r'title="self-reported">half_precision<br>0.4 <', page)
    assert '<td class="n status-not_measured">not measured</td>' in page


def test_what_a_verdict_rests_on_stands_out_and_a_failure_says_why(page: str) -> None:
    why = "held-out loss is nearer to the broken loop&#39;s"
    assert f'<td class="n status-fail decisive" title="{why}">0.9</td>' in page
    assert '<td class="n status-pass decisive">0.01</td>' in page


def test_a_large_suite_stays_small() -> None:
    scenarios = [samples.scenario(VERDICTS, LOSSES, id=f"scenario-{index}") for index in range(20)]
    assert len(suite_html.render(samples.suite(*scenarios)).encode()) < MOST_BYTES


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
