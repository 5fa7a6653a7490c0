"""Formats, op policies, memory and advice: figures agree with torch, and advice with what a device can do."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from ampfix.cli.main import main
from ampfix.emulate.profiles import PROFILES
from ampfix.hardware.advice import Traits, advise
from ampfix.hardware.formats import FORMATS, Format
from ampfix.hardware.memory import STATES, needs, saved_bytes
from ampfix.hardware.models import ModelError, build


@pytest.mark.parametrize("form", [form for form in FORMATS if form.name != "tfloat32"], ids=lambda form: form.name)
def test_figures_are_torchs(form: Format) -> None:
    info = torch.finfo(getattr(torch, form.name))
    assert (form.largest, form.smallest_normal, form.epsilon) == (info.max, info.smallest_normal, info.eps)
    assert form.bits == info.bits
    below = torch.tensor(form.smallest_subnormal * 0.49).to(getattr(torch, form.name))
    assert float(below) == 0.0
    assert float(torch.tensor(form.smallest_subnormal).to(getattr(torch, form.name))) == form.smallest_subnormal


def test_integers_are_exact_up_to_the_figure() -> None:
    for form in FORMATS:
        if form.name in ("float16", "bfloat16", "float32"):
            dtype, limit = getattr(torch, form.name), form.integers_up_to
            assert float(torch.tensor(limit, dtype=torch.float64).to(dtype)) == limit
            assert float(torch.tensor(limit + 1, dtype=torch.float64).to(dtype)) != limit + 1


def model() -> nn.Module:
    return nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 8))


@pytest.mark.parametrize("name", ["adamw", "sgd", "momentum"])
def test_states_are_those_of_torchs_optimizers(name: str) -> None:
    net = model()
    make = {
        "adamw": lambda: torch.optim.AdamW(net.parameters()),
        "sgd": lambda: torch.optim.SGD(net.parameters(), lr=0.1),
        "momentum": lambda: torch.optim.SGD(net.parameters(), lr=0.1, momentum=0.9),
    }
    optimizer = make[name]()
    net(torch.randn(2, 64)).sum().backward()
    optimizer.step()
    kept = sum(
        item.numel()
        for state in optimizer.state.values()
        for item in state.values()
        if isinstance(item, torch.Tensor) and item.numel() > 1
    )
    weights = sum(item.numel() for item in net.parameters())
    assert kept == STATES[name] * weights - STATES[name] * sum(item.numel() == 1 for item in net.parameters())


def test_saved_activations_are_those_of_a_real_forward() -> None:
    shapes = torch.zeros(32, 64, device="meta")
    assert saved_bytes(model().to("meta"), (shapes,)) == saved_bytes(model(), (torch.zeros(32, 64),))
    # The input, the hidden layer and ReLU's result (ReLU is not in place): float32.
    assert saved_bytes(model(), (torch.zeros(32, 64),)) == 4 * 32 * (64 + 128)


def test_needs_add_up_and_autocast_saves_activations_only() -> None:
    net = model().to("meta")
    count = sum(item.numel() for item in net.parameters())
    full, mixed, half = needs(net, (torch.zeros(32, 64, device="meta"),), "adamw")
    assert (full.weights, full.gradients, full.optimizer) == (4 * count, 4 * count, 8 * count)
    assert (mixed.weights, mixed.optimizer) == (full.weights, full.optimizer)
    assert mixed.cast_cache == 2 * (64 * 128 + 128 * 8)
    assert half.total < full.total
    assert mixed.activations is not None and full.activations is not None and half.activations is not None
    assert mixed.activations == (half.activations[0], full.activations[1])


def test_a_large_model_is_built_without_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "large.py").write_text(
        "import torch\ndef build():\n"
        "    return torch.nn.Sequential(*[torch.nn.Linear(16384, 16384, bias=False) for _ in range(26)])\n"
    )
    monkeypatch.chdir(tmp_path)
    net, inputs = build("large:build")
    assert sum(item.numel() for item in net.parameters()) == 26 * 16384**2
    assert inputs == ()
    with pytest.raises(ModelError, match="large:absent"):
        build("large:absent")
    with pytest.raises(ModelError, match="module:function"):
        build("large")


def test_a_model_of_seven_billion_is_built_and_counted_without_filling_a_weight(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "seven.py").write_text(
        "import torch\nfrom torch import nn\n"
        "def build():\n"
        "    block = lambda: nn.TransformerEncoderLayer(4096, 32, 16384, batch_first=True, bias=False)\n"
        "    model = nn.Sequential(nn.Embedding(32000, 4096), *(block() for _ in range(32)), nn.Linear(4096, 32000))\n"
        "    return model, torch.zeros(1, 512, dtype=torch.long)\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    page = tmp_path / "memory.html"
    told = json.loads(output(capsys, "memory", "--output-format", "json", "--html", str(page), "seven:build"))
    assert told["parameters"] > 6e9
    assert [row["weights"] for row in told["needs"]] == [4 * told["parameters"]] * 2 + [2 * told["parameters"]]
    assert told["needs"][0]["activations"][0] > told["needs"][2]["activations"][0] > 0
    assert "GiB" in page.read_text(encoding="utf-8")


def test_weights_outside_the_build_are_filled_as_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mixed.py").write_text(
        "import torch\nfrom torch import nn\n"
        "def build():\n"
        "    real = nn.init.constant_(torch.empty(3, device='cpu'), 2.0)\n"
        "    return nn.Linear(int(real.sum()), 2)\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    assert build("mixed:build")[0].weight.shape == (2, 6)
    assert float(nn.init.ones_(torch.empty(2)).sum()) == 2.0


def test_what_memory_cannot_measure_here_it_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "small.py").write_text("import torch\ndef build(): return torch.nn.Linear(4, 4), torch.ones(2, 4)\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    told = output(capsys, "memory", "--measure", "small:build")
    if not torch.cuda.is_available():
        assert told.count("not measured: needs a CUDA device") == 3


@pytest.mark.parametrize(
    ("device", "traits", "dtype", "scaler"),
    [
        ("A100", Traits(10**9), "bfloat16", False),
        ("H100", Traits(10**9), "bfloat16", False),
        ("V100", Traits(10**9), "float16", True),
        ("T4", Traits(), "float16", True),
        ("A100", Traits(1000), "float32", False),
        ("A100", Traits(10**9, has_complex=True), "float32", False),
        ("A100", Traits(10**9, is_scientific=True), "float32", False),
    ],
)
def test_advice_follows_the_device_and_the_model(device: str, traits: Traits, dtype: str, scaler: bool) -> None:
    advice = advise(device, PROFILES[device].accelerated, traits)
    assert (advice.dtype, advice.scaler) == (dtype, scaler)
    assert advice.reasons
    assert any("bfloat16" in item for item in advice.exclusions) is (device in ("V100", "T4"))
    assert not (traits.is_scientific and advice.tf32)


def test_a_device_without_half_arithmetic_gets_float32() -> None:
    assert advise("P100", frozenset(), Traits(10**9)).dtype == "float32"


def output(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> str:
    assert main(arguments) == code
    return capsys.readouterr().out


def test_commands_print_text_and_json(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert "65504" in next(line for line in output(capsys, "formats").splitlines() if line.startswith("float16"))
    told = json.loads(output(capsys, "formats", "--output-format", "json"))
    assert math.isclose(told["formats"][2]["largest"], 65504)
    assert "run in float32" in output(capsys, "ops", "exp")
    ops = json.loads(output(capsys, "ops", "--output-format", "json"))["ops"]
    assert (ops["mm"], ops["binary_cross_entropy"], ops["softmax.int"]) == ("lower", "banned", "set_dtype")
    assert "unknown" not in ops.values()
    page = tmp_path / "advice.html"
    advised = output(capsys, "advise", "--device", "T4", "--html", str(page))
    assert "autocast in float16, with a GradScaler" in advised and "torch.amp.GradScaler(" in advised
    assert "emulates it" in page.read_text(encoding="utf-8")
    assert "evaluate again" in output(capsys, "advise", "--device", "A100", "--float16-checkpoint")
    output(capsys, "ops", "no_such_op", code=2)
    output(capsys, "memory", "absent_module:build", code=2)


USERS = """
import torch

def refuses():
    raise RuntimeError("no data\\nhere")

def misfits():
    return torch.nn.Linear(4, 4), torch.randn(2, 5)
"""


@pytest.mark.parametrize(
    ("command", "target", "told"),
    [
        (("memory",), "users:refuses", "users:refuses: raises RuntimeError: no data"),
        (("memory",), "users:misfits", "users:misfits: raises RuntimeError:"),
        (("memory",), "broken:build", "broken:build: its module raises SyntaxError: "),
        (("advise", "--device", "T4", "--model"), "users:refuses", "users:refuses: raises RuntimeError: no data"),
        (("profile",), "users:refuses", "users:refuses: raises RuntimeError: no data"),
        (("profile",), "users:misfits", "users:misfits: raises RuntimeError:"),
    ],
)
def test_what_a_users_function_raises_is_told_in_one_line_that_names_it(
    command: tuple[str, ...], target: str, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    (tmp_path / "users.py").write_text(USERS)
    (tmp_path / "broken.py").write_text("def build(:\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    for name in ("users", "broken"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    assert main((*command, target)) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(f"ampfix: error: {told}")


def test_options_may_stand_behind_a_function_and_a_script_keeps_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit):
        main(("profile", "--rounds", "3", "absent_module:build", "--rounds", "0"))
    assert "--rounds: at least 2 are needed" in capsys.readouterr().err
    assert main(("profile", "--rounds", "3", "absent_module:build", "--predict", "T4")) == 2
    assert "absent_module:build: cannot be imported" in capsys.readouterr().err
    assert main(("profile", "absent.py", "--rounds", "0")) == 2
    assert "absent.py: no such file" in capsys.readouterr().err
