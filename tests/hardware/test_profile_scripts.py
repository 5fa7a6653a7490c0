"""`ampfix profile` on scripts: they run as they are, in each precision, and only what they show is told."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path

import pytest
import torch
from torch import nn

from ampfix.cli.main import main
from ampfix.hardware.place import Place
from ampfix.hardware.profile import override, padding, scripted, worker
from ampfix.hardware.profile.arms import arms
from ampfix.hardware.profile.modelled import Effort
from ampfix.hardware.watching import Script

CPU = Place("cpu", "CPU", frozenset({"bfloat16"}))
ARM = {arm.name: arm for arm in arms()}

SCRIPT = """
import torch
from torch import nn
torch.manual_seed(0)
torch.set_num_threads(1)
model = nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 4))
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
for step in range(40):
    optimizer.zero_grad()
    out = model(torch.randn(8, 16))
    assert out.dtype is torch.float32
    loss = nn.functional.cross_entropy(out, torch.zeros(8, dtype=torch.long))
    loss.backward()
    optimizer.step()
"""


@pytest.fixture
def script(tmp_path: Path) -> Script:
    path = tmp_path / "train.py"
    path.write_text(SCRIPT)
    return Script(str(path))


@pytest.fixture
def in_process(monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs of the script in this process: the same worker, without a new interpreter for each."""

    def run(self: scripted._Runs, arm: str, *, census: bool) -> dict:
        steps = 1 if census else self._steps
        return json.loads(json.dumps(worker.run(self._script, arm, self._warm_up, steps, count_ops=census)))

    monkeypatch.setattr(scripted._Runs, "run", run)
    monkeypatch.setattr(padding, "_SECONDS", 0.01)


def test_a_script_is_profiled_as_it_is(
    script: Script, in_process: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page = tmp_path / "page.html"
    arguments = ["profile", "--rounds", "2", "--warm-up", "3", "--steps", "5", "--output-format", "json"]
    assert main([*arguments, "--html", str(page), "--", script.name]) == 0
    told = json.loads(capsys.readouterr().out)
    measured = {arm["arm"] for arm in told["arms"] if arm["step_ms"] is not None}
    assert measured == {"as-written", "fp32", "bf16"}
    assert all(len(arm["passes"]) == 4 for arm in told["arms"] if arm["step_ms"] is not None)
    census = {one["arm"]: one for one in told["census"]}
    assert census["fp32"]["casts"] == [] and census["bf16"]["casts"]
    assert page.read_text(encoding="utf-8").startswith("<!doctype html>")


def test_a_run_in_a_process_of_its_own_leaves_its_figures(script: Script, tmp_path: Path) -> None:
    found = scripted._Runs(script, tmp_path, 3, 5).run("bf16", census=True)
    assert found["problem"] == "" and found["step_ms"] > 0 and found["steps"] == 1
    assert any(cast["target"] == "bfloat16" for cast in found["census"]["casts"])


def test_a_script_that_fails_says_why(tmp_path: Path) -> None:
    path = tmp_path / "train.py"
    path.write_text("raise SystemExit('no data here')\n")
    found = scripted._Runs(Script(str(path)), tmp_path, 3, 5).run(worker.AS_WRITTEN, census=False)
    assert "no data here" in found["problem"] and found["step_ms"] is None


def test_steps_that_a_scaler_skips_are_timed_too() -> None:
    clock = worker.Clock(2, 3, None)
    weight = nn.Parameter(torch.ones(2))
    optimizer = torch.optim.SGD([weight], lr=0.1)
    scaler = torch.amp.GradScaler("cpu", init_scale=4.0)
    with pytest.raises(worker.TraceDone), clock:
        for step in range(100):
            scaler.scale((weight * (torch.inf if step % 2 else 1.0)).sum()).backward()
            scaler.step(optimizer)
            scaler.update()
            optimizer.zero_grad()
    assert max(clock.attempts.values()) == 5 and clock.timed == 3


@pytest.mark.parametrize(("own", "entered", "added"), [(True, 1, 0), (False, 0, 1)])
def test_regions_take_the_arms_dtype_and_are_added_where_there_are_none(own: bool, entered: int, added: int) -> None:
    model, x = nn.Linear(4, 4), torch.ones(2, 4)
    with override.precision(ARM["bf16"], "cpu") as regions:
        region = torch.autocast("cpu", dtype=torch.float16) if own else contextlib.nullcontext()
        with region:
            out = model(x)
        assert torch.amp.GradScaler("cpu").is_enabled() is False
    assert out.dtype is (torch.bfloat16 if own else torch.float32)
    assert (regions.entered, regions.added, regions.problem(ARM["bf16"])) == (entered, added, "")
    assert "__call__" in vars(nn.Module) and torch.amp.GradScaler("cpu").is_enabled()


def test_fp16_without_a_scaled_loss_is_no_arm() -> None:
    with override.precision(ARM["fp16"], "cpu") as regions:
        nn.Linear(4, 4)(torch.ones(2, 4))
    assert "GradScaler" in regions.problem(ARM["fp16"])
    with override.precision(ARM["bf16"], "cpu") as regions:
        pass
    assert "no model" in regions.problem(ARM["bf16"])


def test_a_script_that_ends_too_soon_is_an_error(in_process: None, tmp_path: Path) -> None:
    path = tmp_path / "train.py"
    path.write_text(SCRIPT.replace("range(40)", "range(2)"))
    with pytest.raises(scripted.ScriptError, match="after 2 steps"):
        scripted.profile_script(Script(str(path)), CPU, Effort(rounds=2), 3, 5)
