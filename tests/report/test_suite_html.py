"""The suite's page: complete in itself, small, and safe against what answers contain."""

from __future__ import annotations

import math
import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import pytest

from ampfix.report import suite_html

from . import samples

MOST_BYTES = 300_000

VERDICTS = {
    "reference": samples.verdict(),
    "broken": samples.failed(),
    "gold": samples.verdict(),
    "codemod": samples.verdict(),
    "answer:<script>alert(1)</script>": samples.failed(detail='<img src="http://example.org/x">'),
}
LOSSES = {"reference": (0.1, 0.11, 0.12), "broken": (1.0, math.inf, math.nan), "gold": (0.1, 0.1, 0.13)}


class Outline(HTMLParser):
    """Collects opened and closed tags, and everything a page would load."""

    VOID = {"meta", "link", "img", "br", "hr", "input"}

    def __init__(self, page: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[str] = []
        self.loads: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs) -> None:
        self.tags.append(tag)
        self.loads += [value for name, value in attrs if name in {"src", "href", "data"} and not value.startswith("#")]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


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
def test_a_browser_shows_the_page(page: str, tmp_path: Path) -> None:
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("no headless browser here: apt-get install chromium")
    path = tmp_path / "suite.html"
    path.write_text(page, encoding="utf-8")
    picture = tmp_path / "page.png"
    options = [
        "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
        "--disable-component-update", "--disable-sync", f"--user-data-dir={tmp_path / 'profile'}",
        "--window-size=1000,1600", f"--screenshot={picture}", "--dump-dom",
    ]  # fmt: skip
    done = subprocess.run([browser, *options, path.as_uri()], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert 'id="clip-before-unscale"' in done.stdout and "alert(1)" in done.stdout
    assert picture.stat().st_size > 5_000
