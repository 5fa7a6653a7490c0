"""The repairs of the performance rules compute what the loop computed before."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from ampfix.codemods import CannotRepair, carry_out
from ampfix.codemods.fixpoint import fix_text
from ampfix.emulate import cuda
from ampfix.findings import Applicability, Finding, Severity
from ampfix.lint import Settings, check_source
from ampfix.rules.amp_on_tiny_model import FLOAT32_FLOPS, LAUNCH_SECONDS, ROWS, TINY

ALL = (Applicability.SAFE, Applicability.UNSAFE)


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def findings(text: str, code: str) -> list[Finding]:
    return check_source(text, "loop.py", Settings(select=(code,)))


def repaired(text: str, code: str) -> str:
    outcome = fix_text(text, lambda source: findings(source, code), ALL)
    assert [one.reason for one in outcome.unfixed] == []
    return outcome.text


def run(text: str) -> dict[str, Any]:
    torch.manual_seed(0)
    namespace: dict[str, Any] = {}
    with cuda(profile="A100"):
        exec(compile(text, "loop.py", "exec"), namespace)
    return namespace


PADDED = """\
import torch
from torch import nn
VOCAB = 1021
words, head = nn.Embedding(VOCAB, 16).cuda(), nn.Linear(16, VOCAB).cuda()
tokens = torch.arange(VOCAB, device="cuda")
with torch.autocast("cuda"):
    loss = nn.functional.cross_entropy(head(words(tokens % 7)), tokens % 7)
loss.backward()
"""


def test_a_padded_vocabulary_trains_on_the_same_targets() -> None:
    text = PADDED.replace("1021", "1027")
    after = repaired(text, "AMP501")
    assert "VOCAB = 1088" in after
    assert run(after)["head"].weight.shape == (1088, 16)
    assert torch.isfinite(run(after)["loss"])


def test_a_vocabulary_below_the_threshold_is_silent_and_one_above_is_a_warning() -> None:
    assert findings(PADDED.replace("1021", "1024"), "AMP501") == []
    assert [f.severity for f in findings(PADDED.replace("1021", "1027"), "AMP501")] == [Severity.WARNING]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("net = nn.Sequential(nn.Linear(8, 250), nn.Linear(250, 8)); y = x.view(-1, 250)", "outside a layer"),
        ("size = config.size\nsize = 1027\nnet = nn.Linear(8, size)", "not simply set"),
        ("net = nn.Linear(8, 2 * 513 + 1)", "computed"),
    ],
)
def test_a_size_that_means_something_else_as_well_is_left(text: str, reason: str) -> None:
    text = f"import torch\nfrom torch import nn\n{text}\nwith torch.autocast('cuda'):\n    net(x)\n"
    for finding in findings(text, "AMP501"):
        assert finding.repair is not None
        with pytest.raises(CannotRepair, match=reason):
            carry_out(text, finding.repair)


SUMMED = """\
import torch
model = torch.nn.Linear(4, 1).cuda()
optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
total, steps = 0.0, 0
for x in torch.randn(20, 8, 4).cuda():
    optimizer.zero_grad()
    with torch.autocast("cuda", dtype=torch.bfloat16):
        loss = model(x).float().pow(2).mean()
    loss.backward()
    optimizer.step()
    total += loss.item()
    steps += 1
mean = total / steps
"""


def test_a_deferred_sum_is_the_same_number_and_a_python_float_again() -> None:
    after = repaired(SUMMED, "AMP502")
    assert "item()" not in after
    before, now = run(SUMMED)["mean"], run(after)["mean"]
    assert isinstance(now, float)
    assert now == pytest.approx(before, rel=1e-6)


def test_a_half_loss_is_summed_in_float32() -> None:
    text = SUMMED.replace(".float().pow(2).mean()", ".mean() + 300.0")
    assert run(repaired(text, "AMP502"))["total"] == pytest.approx(run(text)["total"], rel=1e-6)


@pytest.mark.parametrize("use", ["print(total)", "history.append(total)", "total *= 0.5"])
def test_a_sum_that_the_loop_reads_is_left(use: str) -> None:
    text = SUMMED.replace("    steps += 1\n", f"    steps += 1\n    {use}\n")
    (finding,) = findings(text, "AMP502")
    assert finding.repair is not None
    if "*=" not in use:
        with pytest.raises(CannotRepair, match="read inside the loop"):
            carry_out(text, finding.repair)


READ_TWICE = """\
import torch

def train(model, loader, scaler, optimizer):
    total = 0.0
    for step, x in enumerate(loader):
        with torch.autocast("cuda"):
            loss = model(x.cuda())
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
{reads}    return total
"""


@pytest.mark.parametrize(
    "test",
    [
        "if loss.isnan().any():\n            break",
        "if not torch.isfinite(loss):\n            raise FloatingPointError",
        "assert not torch.isnan(loss)",
        "if loss.item() > 1e4:\n            break",
    ],
)
def test_reads_beside_a_test_that_waits_are_left(test: str) -> None:
    beside = f"        total += loss.item()\n        worst = loss.item()\n        {test}\n"
    assert not findings(READ_TWICE.format(reads=beside), "AMP502")


@pytest.mark.parametrize(
    "test",
    [
        "if step > 100:\n            break",
        "if x.item() > 1:\n            break",
        "loss.mul(2).backward()\n        if loss.isnan().any():\n            break",
        "with region:\n            model(x)\n        if loss.isnan().any():\n            break",
        "if loss.item() < best:\n            best = 1",
    ],
)
def test_reads_apart_from_what_waits_are_told(test: str) -> None:
    apart = f"        total += loss.item()\n        worst = loss.item()\n        {test}\n"
    assert findings(READ_TWICE.format(reads=apart), "AMP502")


TIMED = """\
import time
import torch
model = torch.nn.Linear(4, 1).cuda()
def measure():
    start = time.perf_counter()
    for _ in range(3):
        with torch.autocast("cuda"):
            model(torch.ones(2, 4, device="cuda"))
    return time.perf_counter() - start
"""


def test_repaired_timing_runs_and_waits() -> None:
    after = repaired(TIMED, "AMP503")
    assert after.count("torch.cuda.synchronize()") == 2
    assert run(after + "seconds = measure()\n")["seconds"] > 0


def test_repaired_timing_runs_without_a_gpu_where_the_file_does() -> None:
    text = TIMED.replace("Linear(4, 1).cuda()", "Linear(4, 1)").replace('"cuda")', "kind)")
    text = text.replace("def measure", 'kind = "cuda" if torch.cuda.is_available() else "cpu"\ndef measure')
    after = repaired(text, "AMP503")
    namespace: dict[str, Any] = {}
    exec(compile(after + "seconds = measure()\n", "loop.py", "exec"), namespace)
    assert namespace["seconds"] > 0


def test_two_measurements_are_synchronized_once_each() -> None:
    text = TIMED.replace("    return time.perf_counter() - start\n", "    first = time.perf_counter() - start\n")
    text += "    model(x)\n    return first, time.perf_counter() - start\n"
    after = repaired(text, "AMP503")
    assert after.count("torch.cuda.synchronize()") == 3
    assert repaired(after, "AMP503") == after


def test_the_bound_of_a_tiny_layer_is_what_its_constants_say() -> None:
    assert 2 * ROWS * TINY / FLOAT32_FLOPS <= LAUNCH_SECONDS < 2 * ROWS * (TINY + 1) / FLOAT32_FLOPS
