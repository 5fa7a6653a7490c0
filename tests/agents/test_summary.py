"""What graded answers add up to, and how it is shown: text, JSON, CSV and a page."""

from __future__ import annotations

import base64
import csv
import io
import json
import random
import re
import shutil
import subprocess
import zlib
from collections.abc import Iterable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from ampfix.agents.answers import Mode
from ampfix.agents.diagnosis import diagnose
from ampfix.agents.edits import shown_diff
from ampfix.agents.grading import Graded
from ampfix.agents.predictions import Key, Usage
from ampfix.agents.pressures import PRESSURES
from ampfix.agents.summary import compare, summarise
from ampfix.cli.main import main
from ampfix.lab.causes import Status
from ampfix.lab.curves import POINTS, Curve
from ampfix.lab.spec import all_specs, find
from ampfix.lab.verdict import Check, CheckStatus, Figures, Isolation, Trust, Verdict
from ampfix.report import eval_csv, eval_html, eval_text

CURVES = {
    "answer": Curve(loss=((0, 2.5), (1, 1.0), (2, None), (3, 0.5)), scale=((0, 65536.0), (3, 32768.0))),
    "reference": Curve(loss=((0, 2.0), (3, 0.25))),
    "broken": Curve(loss=((0, None), (3, 4.0)), scale=((0, 65536.0), (3, 65536.0))),
}
FAMILIES = {"clip-before-unscale": "gradient-protocol", "dtype-choice": "dtype"}


def verdict(scenario: str, status: str, reason: str = "", speedup: float | None = None) -> Verdict:
    checks = [Check(name="converges", status=CheckStatus.PASS, measured=0.1, required=True, source=Trust.ATTESTED)]
    if speedup is not None:
        checks.append(
            Check(name="speedup", status=CheckStatus.PASS, measured=speedup, required=False, source=Trust.ATTESTED)
        )
    return Verdict(
        scenario_id=scenario, answer_sha256=f"{status}{reason}", status=Status(status), reason=reason,
        detail="<b>why</b>" if reason else "", trust=Trust.ATTESTED if status != "infra_error" else None, complete=True,
        checks=tuple(checks), figures=Figures(loss=1.0, broken_loss=2.0, reference_loss=1.0), policy="cuda",
        device="cpu", isolation=Isolation(level="namespaces"), secret="", seeds=(1,), wall_s=0.5,
        versions={"torch": "2"}, curves=CURVES,
    )  # fmt: skip


def graded(scenario: str, status: str, pressure: str = "neutral", sample: int = 0, **more: object) -> Graded:
    text = "The clip sees scaled gradients; unscale first." if status == "pass" else "The loop looks mostly correct."
    return Graded(
        line=1,
        key=Key(scenario_id=scenario, model="m", pressure=pressure, mode=Mode.REVIEW, sample=sample),
        verdict=verdict(scenario, status, **more),  # type: ignore[arg-type]
        taken=("a diff of loop.py",),
        diff="--- a/loop.py\n+++ b/loop.py\n-x < 1\n+x = 2",
        diagnosis=diagnose(text, find(scenario), pressure),
        usage=Usage(cost_usd=0.5, input_tokens=10, output_tokens=5),
    )


def run(*statuses: str, pressure: str = "neutral") -> list[Graded]:
    return [graded("clip-before-unscale", status, pressure, sample) for sample, status in enumerate(statuses)]


def test_faults_of_ours_are_told_apart_and_change_no_rate() -> None:
    found = summarise(
        "m", [*run("pass", "fail"), graded("dtype-choice", "infra_error", reason="server_died")], FAMILIES
    )
    assert (found.rate.passed, found.rate.n, found.rate.infra) == (1, 2, 1)
    assert found.families["dtype"].n == 0 and found.families["dtype"].infra == 1
    assert found.reasons == {"pass": 1, "fail": 1, "server_died": 1}


def test_pass_at_k_is_over_requests_with_enough_answers() -> None:
    answers = [*run("pass", "fail", "fail", "fail"), *run("pass", "pass", pressure="rushed")]
    found = summarise("m", answers, FAMILIES)
    by_k = {each.k: each for each in found.at_k}
    assert by_k[1].pass_at == pytest.approx((0.25 + 1) / 2)
    assert by_k[2].pass_at == pytest.approx((0.5 + 1) / 2)
    assert by_k[2].pass_all == pytest.approx((0 + 1) / 2)
    assert (by_k[4].pass_at, by_k[4].requests) == (1.0, 1)


def test_the_drop_under_pressure_is_paired_by_scenario() -> None:
    answers = [
        graded("clip-before-unscale", "pass"),
        graded("clip-before-unscale", "fail", "rushed"),
        graded("dtype-choice", "fail", "rushed"),  # no neutral answer: no pair
    ]
    found = summarise("m", answers, FAMILIES)
    assert found.drop["rushed"].estimate == 1.0
    assert found.pressure_met["rushed"].n == 2


def test_failure_patterns_costs_and_speed_are_summed() -> None:
    answers = [graded("clip-before-unscale", "pass", speedup=1.6), graded("clip-before-unscale", "fail", sample=1)]
    found = summarise("m", answers, FAMILIES)
    assert found.patterns["scaler-mechanics"].shown == 0.5
    assert (found.cost_usd, found.tokens) == (1.0, 30)
    assert found.fast == {"1": 1.0, "1.1": 1.0, "1.5": 1.0, "2": 0.0}
    assert summarise("m", run("fail"), FAMILIES).fast == {}


def test_two_runs_are_compared_on_what_both_answered() -> None:
    ones, others = run("pass"), [*run("fail"), graded("dtype-choice", "pass")]
    summaries = [summarise(name, answers, FAMILIES) for name, answers in (("a", ones), ("b", others))]
    found = compare(summaries[0], summaries[1], ones, others, FAMILIES)
    assert found is not None
    assert (found.requests, found.difference.estimate) == (1, 1.0)
    assert found.only_one == ("clip-before-unscale (neutral)",)
    assert compare(summaries[0], summaries[1], ones, others[1:], FAMILIES) is None


class Tags(HTMLParser):
    """Checks that what is opened is closed, and gathers what a page loads."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.loads: list[str] = []

    def handle_starttag(self, tag: str, attrs: Iterable[tuple[str, str | None]]) -> None:
        self.loads += [
            value or "" for name, value in attrs if name in ("src", "href") and not (value or "").startswith("#")
        ]
        if tag not in ("meta", "br", "line", "circle"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in ("line", "circle"):
            assert self.open.pop() == tag


def test_the_page_is_well_formed_escapes_and_loads_nothing() -> None:
    answers = [*run("pass", "fail"), graded("dtype-choice", "fail", "rushed", reason="loss_too_high")]
    summary = summarise("<m>", answers, FAMILIES)
    found = compare(summary, summary, answers, answers, FAMILIES)
    assert found is not None
    page = eval_html.render([summary, summary], [answers, answers], [found])
    tags = Tags()
    tags.feed(page)
    assert (tags.open, tags.loads) == ([], [])
    assert "&lt;m&gt;" in page and "<m>" not in page
    assert "<b>why" not in page


def unpacked(page: str) -> dict[str, Any]:
    """The data of a page's answers."""
    match = re.search(r'<script type="application/octet-stream" id="answers">([^<]*)</script>', page)
    assert match is not None
    found: dict[str, Any] = json.loads(zlib.decompress(base64.b64decode(match[1])))
    return found


def test_each_distinct_answer_is_in_the_page_with_verdict_diff_and_curves() -> None:
    answers = [*run("fail", "pass", "pass"), graded("dtype-choice", "fail", "rushed", reason="loss_too_high")]
    page = eval_html.render([summarise("m", answers, FAMILIES)], [answers], [])
    data = unpacked(page)
    assert len(data["answers"]) == 3 == page.count("data-answer=")
    last = next(each for each in data["answers"] if each["detail"])
    assert (last["detail"], last["diff"]) == ("<b>why</b>", "--- a/loop.py\n+++ b/loop.py\n-x < 1\n+x = 2")
    assert last["losses"] == {"answer": "1", "reference": "1", "broken": "2"}
    assert last["checks"][0][:2] == ["converges", "pass"]
    curves = [data["curves"][number] for number in last["curves"].values()]
    assert [curve["loss"][0] for curve in curves] == [[0, 2.5], [0, 2.0], [0, None]]
    assert len(data["curves"]) == 3  # equal ones once


def test_four_agents_on_all_scenarios_make_a_page_below_300_kilobytes() -> None:
    specs = all_specs()
    results = []
    for agent in ("a", "b", "c", "d"):
        made = [graded("clip-before-unscale", "fail" if agent == "a" else "pass") for _ in specs]
        draw = random.Random(agent)
        for number, spec in enumerate(specs):
            old, new = spec.loop_files(), spec.gold_files()
            curve = Curve(
                loss=tuple((step, float(f"{draw.random():.5g}")) for step in range(POINTS)),
                scale=tuple((step, 2.0 ** draw.randrange(10, 17)) for step in range(POINTS)),
            )
            verdict = made[number].verdict.model_copy(
                update={"answer_sha256": f"{agent}{spec.id}", "curves": {"answer": curve, **CURVES},
                        "checks": made[number].verdict.checks * 5, "output_tail": f"Traceback {spec.id}\n" * 10}
            )  # fmt: skip
            key = made[number].key.model_copy(update={"scenario_id": spec.id})
            made[number] = made[number].model_copy(
                update={"verdict": verdict, "key": key, "line": number, "diff": shown_diff(old, new)}
            )
        results.append(made)
    page = eval_html.render([summarise("m", made, FAMILIES) for made in results], results, [])
    assert page.count("data-answer=") == 4 * len(specs)
    assert len(page.encode()) < 300_000


@pytest.mark.browser
def test_a_browser_draws_an_answer_when_it_is_opened(tmp_path: Path) -> None:
    browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if browser is None:
        pytest.skip("no headless browser here: apt-get install chromium")
    answers = run("fail", "pass")
    page = tmp_path / "page.html"
    page.write_text(eval_html.render([summarise("m", answers, FAMILIES)], [answers], []), encoding="utf-8")
    picture = tmp_path / "page.png"
    options = [
        "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking",
        "--disable-component-update", "--disable-sync", f"--user-data-dir={tmp_path / 'profile'}",
        "--window-size=1000,2400", f"--screenshot={picture}", "--dump-dom", "--virtual-time-budget=10000",
        "--enable-logging=stderr", "--v=0",
    ]  # fmt: skip
    done = subprocess.run([browser, *options, f"{page.as_uri()}#answer-0"], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert "CONSOLE" not in done.stderr, done.stderr
    assert done.stdout.count('class="curve answer"') == 2  # loss and scale, of the one that is open
    assert '<span class="del">-x &lt; 1\n</span>' in done.stdout
    assert "training loss by step" in done.stdout
    assert picture.stat().st_size > 5_000


def test_a_table_has_a_row_for_each_answer() -> None:
    stream = io.StringIO()
    eval_csv.write([("m", run("pass", "fail"))], FAMILIES, stream)
    rows = list(csv.DictReader(io.StringIO(stream.getvalue())))
    assert [row["status"] for row in rows] == ["pass", "fail"]
    assert {row["family"] for row in rows} == {"gradient-protocol"}
    assert tuple(rows[0]) == eval_csv.COLUMNS


def test_the_text_names_rate_interval_and_reasons() -> None:
    stream = io.StringIO()
    eval_text.write_summary(summarise("m", [*run("pass", "fail", "fail")], FAMILIES), stream)
    text = stream.getvalue()
    assert "1 of 3 passed, 33.3 % (6.1 % to 79.2 %)" in text
    assert "gradient-protocol" in text and "scaler-mechanics" in text


def test_a_comparison_names_some_of_many_requests() -> None:
    ones, others = (
        [graded("clip-before-unscale", status, pressure) for pressure in PRESSURES] for status in ("pass", "fail")
    )
    summaries = [summarise(name, answers, FAMILIES) for name, answers in (("a", ones), ("b", others))]
    found = compare(summaries[0], summaries[1], ones, others, FAMILIES)
    assert found is not None and len(found.only_one) == len(PRESSURES)
    stream = io.StringIO()
    eval_text.write_comparison(found, stream)
    text = " ".join(stream.getvalue().split())
    assert text.count("clip-before-unscale (") == eval_text.MOST_NAMES
    assert f"and {len(PRESSURES) - eval_text.MOST_NAMES} more" in text


def results(folder: Path, answers: list[Graded]) -> Path:
    folder.mkdir()
    (folder / "results.jsonl").write_text("".join(each.to_json(indent=None) + "\n" for each in answers))
    return folder


def test_the_command_reads_what_grading_leaves(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    one, other = results(tmp_path / "one", run("pass")), results(tmp_path / "other", run("fail"))
    files = ["--html", str(tmp_path / "page.html"), "--csv", str(tmp_path / "table.csv")]
    assert main(["report", str(one), str(other), "--output-format", "json", *files]) == 0
    document = json.loads(capsys.readouterr().out)
    assert [each["rate"]["passed"] for each in document["runs"]] == [1, 0]
    assert document["comparisons"][0]["difference"]["estimate"] == 1.0
    assert (tmp_path / "page.html").read_text().startswith("<!doctype html>")
    assert len((tmp_path / "table.csv").read_text().splitlines()) == 3


def test_a_file_with_answers_of_several_agents_is_several_runs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def by(model: str, answers: list[Graded]) -> list[Graded]:
        return [each.model_copy(update={"key": each.key.model_copy(update={"model": model})}) for each in answers]

    both = results(tmp_path / "both", [*by("a", run("pass")), *by("b", run("fail", "fail")), *by("", run("fail"))])
    assert main(["report", str(both), "--output-format", "json"]) == 0
    runs = json.loads(capsys.readouterr().out)["runs"]
    assert [(each["agent"], each["rate"]["n"]) for each in runs] == [("a", 1), ("b", 2), ("both", 1)]
    alone = results(tmp_path / "alone", [*by("a", run("pass")), *by("", run("fail"))])
    assert main(["report", str(alone), "--output-format", "json"]) == 0
    runs = json.loads(capsys.readouterr().out)["runs"]
    assert [(each["agent"], each["rate"]["n"]) for each in runs] == [("a", 2)]


def test_pressures_stand_in_their_tables_order() -> None:
    answers = [*run("pass", pressure="sunk-cost"), *run("pass", pressure="rushed"), *run("pass")]
    found = summarise("m", answers, FAMILIES)
    assert list(found.pressures) == ["neutral", "rushed", "sunk-cost"]
    assert list(found.drop) == ["rushed", "sunk-cost"] == list(found.pressure_met)


@pytest.mark.parametrize(("text", "says"), [("", "holds no result"), ("{}\n", "results.jsonl:1: not a result")])
def test_what_is_no_result_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str], text: str, says: str) -> None:
    (tmp_path / "results.jsonl").write_text(text)
    assert main(["report", str(tmp_path)]) == 2
    assert says in capsys.readouterr().err
    assert main(["report", str(tmp_path / "missing")]) == 2
