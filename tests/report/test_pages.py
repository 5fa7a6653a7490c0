"""Pages of watch, diagnose, profile, memory and advise: whole in themselves, small, safe against what they show."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from ampfix.emulate.profiles import PROFILES
from ampfix.hardware.advice import Traits, advise
from ampfix.hardware.diagnosis import Diagnosis, Run
from ampfix.hardware.memory import Measured, Need
from ampfix.report import diagnose_html, hardware_html, pages, profile_html, profile_text, watch_html, watch_record
from ampfix.watch.alarms import Alarm

from . import browser, runs
from .outline import Outline

CLIP = "import torch\n\n\ndef train(model, loader, optimizer):\n" + (
    '    scaler = torch.amp.GradScaler("cuda")\n    for x in loader:\n        optimizer.zero_grad()\n'
    "        scaler.scale(model(x)).backward()\n"
    "        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)\n"
    "        scaler.step(optimizer)\n        scaler.update()\n"
)


def clip_alarm(folder: Path) -> dict:
    (folder / "loop.py").write_text(CLIP)
    return {"kind": "alarm", "code": "AMP101", "name": "clip", "message": "clipped", "path": str(folder / "loop.py"),
            "line": 9, "step": 0}  # fmt: skip


def watched(folder: Path) -> str:
    lines = ({"kind": "alarm", **runs.BAD_OP}, clip_alarm(folder), runs.RANGES)
    return watch_html.render(runs.record(folder / "out", *lines))


def diagnosed(folder: Path) -> str:
    alarm = clip_alarm(folder)
    out = folder / "diagnosis"
    runs.record(out / "as-written", alarm)
    runs.record(out / "fp32", count=90)
    del alarm["kind"]
    ran = Run("as-written", 0, 100, 4, 2.0, 1.9, (Alarm(**alarm),))
    good = Run("fp32", 0, 90, 0, 2.0, 0.5, ())
    found = Diagnosis("AMP101", Alarm(**alarm), ("as written: <2> -> 1.9",), ran, good, good)
    return diagnose_html.render(found, out, "train.py")


def profiled(_folder: Path) -> str:
    return profile_html.render(runs.profile())


def remembered(_folder: Path) -> str:
    needs = [
        Need("float32", 400, 400, 800, 0, (300, 300)),
        Need("autocast", 400, 400, 800, 200, (150, 300)),
        Need("bfloat16 weights", 200, 200, 400, 0, None),
    ]
    return hardware_html.render_memory("m:<b>", 100, "adamw", needs, [Measured("fp32", None, "needs CUDA", "")])


def advised(_folder: Path) -> str:
    return hardware_html.render_advice("V100", "m:build", advise("V100", PROFILES["V100"].accelerated, Traits(10**9)))


PAGES = {"watch": watched, "diagnose": diagnosed, "profile": profiled, "memory": remembered, "advise": advised}


@pytest.fixture(params=PAGES)
def page(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    render: Callable[[Path], str] = PAGES[request.param]
    return render(tmp_path)


def test_tags_are_balanced_nothing_is_loaded_and_the_page_is_small(page: str) -> None:
    outline = Outline(page)
    assert outline.open == [] and outline.loads == []
    assert not {"img", "link", "iframe"} & set(outline.tags)
    assert "@import" not in page and not re.search(r"url\((?!#)", page)
    assert len(page.encode()) < pages.MOST_BYTES


def test_what_is_shown_is_text(page: str) -> None:
    body = page.partition("<body>")[2]
    assert not re.search(r"<(b|x|2|head|TypeError)>", body)


def test_charts_say_what_they_are_to_those_who_cannot_see_them(page: str) -> None:
    assert re.findall("<svg", page) == re.findall(r"<svg(?= [^>]*role=\"img\" aria-label=\"[^\"]+\")", page)


def test_what_scrolls_can_be_reached_by_keyboard(page: str) -> None:
    assert page.count('class="scroll"') == page.count('class="scroll" tabindex="0" role="region"')


def test_a_watched_run_shows_skips_the_bad_op_ranges_and_repairs(tmp_path: Path) -> None:
    page = watched(tmp_path)
    assert page.count('class="skip"') == 4
    assert "First bad op" in page and "&lt;b&gt;norm&lt;/b&gt;" in page
    assert '<span class="add">+        scaler.unscale_(optimizer)</span>' in page
    assert "2^28" in page and "wants float32" in page
    assert 'type="range"' in page and 'class="lost-mark' in page
    assert "settles within about 300 attempts" in page


def test_a_page_names_the_script_and_not_the_command_that_watched_it() -> None:
    for before in (["ampfix", "watch", "--out", "x"], ["ampfix/__main__.py", "watch", "--emulate", "cuda"]):
        assert watch_html._script([*before, "--", "train.py", "-m", "1"]) == ["train.py", "-m", "1"]
        assert watch_html._script([*before, "-m", "pkg.train", "--", "x"]) == ["-m", "pkg.train", "--", "x"]
    assert watch_html._script(["train.py", "--", "x"]) == ["train.py", "--", "x"]


def test_a_run_that_was_killed_or_crashed_is_drawn_as_far_as_it_went(tmp_path: Path) -> None:
    killed = watch_html.render(runs.record(tmp_path / "killed", end=False))
    assert "did not end by itself" in killed
    crash = {"kind": "error", "type": "ValueError", "message": "no"}
    assert "ended by ValueError: no" in watch_html.render(runs.record(tmp_path / "crashed", crash))
    torn = runs.record(tmp_path / "torn", end=False)
    with (torn / "watch-0.jsonl").open("a") as lines:
        lines.write('{"kind": "st')
    assert "did not end by itself" in watch_html.render(torn)


def test_a_run_without_anything_is_a_page_too(tmp_path: Path) -> None:
    page = watch_html.render(runs.record(tmp_path / "out", count=0, end=False))
    assert "None." in page and "<svg" not in page


def test_other_ranks_are_listed_and_rank_0_is_drawn(tmp_path: Path) -> None:
    folder = runs.record(tmp_path / "out")
    for rank in (10, 2):
        runs.record(folder, name=f"watch-{rank}")
    found = watch_record.records(folder)
    assert [one.path.stem for one in found] == ["watch-0", "watch-2", "watch-10"]
    assert "watch-10.jsonl" in watch_html.render(folder)


def test_a_folder_without_a_record_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"watch-\*"):
        watch_html.render(tmp_path)
    (tmp_path / "watch-0.jsonl").write_text('{"kind": "step"}\n')
    with pytest.raises(ValueError, match="no record"):
        watch_html.render(tmp_path)


def test_a_long_run_stays_a_small_page(tmp_path: Path) -> None:
    many = {**runs.RANGES, "layers": [runs.layer(f"layers.{index}.attention.projection", side, -30 + index % 20)
                                      for index in range(300) for side in ("activation", "gradient")]}  # fmt: skip
    alarms = [{"kind": "alarm", **runs.BAD_OP, "line": line} for line in range(500)]
    page = watch_html.render(runs.record(tmp_path / "out", many, *alarms, count=20_000))
    assert len(page.encode()) < pages.MOST_BYTES
    assert "440 more are in the record" in page


def test_a_diagnosis_lays_its_runs_losses_over_each_other(tmp_path: Path) -> None:
    page = diagnosed(tmp_path)
    assert "as written</text>" in page and "fp32</text>" in page
    assert "AMP101" in page and "scaler.unscale_(optimizer)" in page


def test_a_profile_tells_what_was_not_measured_and_what_counts_as_a_gain(tmp_path: Path) -> None:
    page = profiled(tmp_path)
    assert "not measured: does not run: &lt;TypeError&gt;" in page
    assert "the GPU was held back: software power cap" in page
    assert page.count('class="status-pass"') >= 3


def test_a_profiles_text_tells_the_same() -> None:
    stream = io.StringIO()
    profile_text.write(runs.profile(), stream)
    told = stream.getvalue()
    for part in ("held back", "bf16 over fp32", "excellent", "63% of kernel time", "8x768x50257", "70 casts", "250"):
        assert part in told, part


SLIDE = """
const box = document.querySelector("[data-histogram]"), slider = box.querySelector("input");
slider.value = 30; slider.dispatchEvent(new Event("input"));
const high = box.querySelector('[data-share="3"]').textContent;
slider.value = 0; slider.dispatchEvent(new Event("input"));
const low = box.querySelector('[data-share="0"]').textContent;
const choice = box.querySelector("select"); choice.selectedIndex = 2; choice.dispatchEvent(new Event("change"));
document.body.dataset.seen = [low, high, box.querySelector('[data-share="0"]').textContent,
  box.querySelectorAll(".bar").length, box.querySelector("output").textContent].join("|");
"""


@pytest.mark.browser
@pytest.mark.parametrize("dark", [False, True])
def test_a_browser_shows_the_page_without_a_word_in_its_console(page: str, tmp_path: Path, dark: bool) -> None:
    shown = browser.show(page, tmp_path, dark=dark)
    assert not shown.messages
    assert shown.picture_bytes > 5_000


@pytest.mark.browser
def test_the_slider_moves_the_bars_through_the_zones(tmp_path: Path) -> None:
    shown = browser.show(watched(tmp_path), tmp_path, script=SLIDE)
    assert not shown.messages
    seen = re.search(r'data-seen="([^"]+)"', shown.dom)
    assert seen is not None
    # Layer 0's gradients lie from 2^-27 on (5 of 19 below 2^-25), layer 2's from 2^-20.
    low, high, second, bars, scale = seen[1].split("|")
    assert (low, high, second, bars, scale) == ("13.16 %", "0.00 %", "0.00 %", "5", "2^0")


def two_optimizers(folder: Path, high: float) -> Path:
    lines = [
        {"kind": "step", "attempt": at, "optimizer": f"Adam-{at % 2}", "applied": True, "scale": 256.0 * 4 ** (at % 2),
         "loss": high if at % 2 else 0.25, "grad_norm": 1.0, "norm_before_clip": 2.0 + at % 2, "lr": 0.1}
        for at in range(12)
    ]  # fmt: skip
    return runs.record(folder, *lines, count=0, end=False)


def test_each_optimizers_loss_is_a_line_of_its_own_in_every_run(tmp_path: Path) -> None:
    folder = two_optimizers(tmp_path / "as-written", 2.0)
    fp32 = watch_record.records(two_optimizers(tmp_path / "fp32", 4.0))[0]
    drawn = watch_html.charts(watch_record.records(folder)[0], {"fp32": fp32})
    for name, labels in {
        "loss": ["Adam-0, as written", "Adam-1, as written", "Adam-0, fp32", "Adam-1, fp32"],
        "norm": ["Adam-0", "Adam-1", "Adam-0, before the clip", "Adam-1, before the clip"],
    }.items():
        assert sorted(re.findall(r'class="legend[^>]*>([^<]+)<', drawn[name])) == sorted(labels)
        paths = re.findall(r'class="curve[^>]* d="([^"]+)"', drawn[name])
        assert len(paths) == 4
        assert all(len(set(re.findall(r" ([\d.]+)", path))) == 1 for path in paths), "a level curve is drawn level"
