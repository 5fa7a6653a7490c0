"""What the dtype rules find goes wrong under CUDA's numerics, and what their repairs leave behind does not."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch

from ampfix.codemods import CannotRepair, carry_out
from ampfix.codemods.fixpoint import fix_text
from ampfix.emulate import cuda
from ampfix.findings import Applicability, Finding, Severity
from ampfix.lint import Settings, check_paths, check_source
from ampfix.rules import all_rules

OWN = {"AMP301", "AMP302", "AMP303", "AMP304", "AMP305", "AMP306", "AMP307", "AMP309", "AMP501", "AMP502", "AMP503"}
ALL = (Applicability.SAFE, Applicability.UNSAFE)
REPAIRED = [
    pytest.param(rule.code, example.code, example.fixed, id=f"{rule.code}-{index}")
    for rule in all_rules()
    if rule.code in OWN
    for index, example in enumerate(rule.INVALID)
    if example.fixed is not None
]


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def findings(text: str, code: str) -> list[Finding]:
    return check_source(text, "loop.py", Settings(select=(code,)))


def repaired(text: str, code: str) -> str:
    outcome = fix_text(text, lambda source: findings(source, code), ALL)
    assert [one.reason for one in outcome.unfixed] == []
    assert outcome.fixed
    return outcome.text


def run(text: str, profile: str = "A100", **given: Any) -> dict[str, Any]:
    """The namespace of a program run under emulated CUDA."""
    torch.manual_seed(0)
    namespace: dict[str, Any] = dict(given)
    with cuda(profile=profile):
        exec(compile(text, "loop.py", "exec"), namespace)
    return namespace


@pytest.mark.parametrize(("code", "before", "after"), REPAIRED)
def test_a_repair_keeps_windows_line_ends_and_comes_to_rest(code: str, before: str, after: str) -> None:
    windows = repaired(before.replace("\n", "\r\n"), code)
    assert windows == after.replace("\n", "\r\n")
    assert fix_text(after, lambda source: findings(source, code), ALL).text == after


HALF_MODEL = """\
import torch
model = torch.nn.Sequential(torch.nn.Linear(8, 16), torch.nn.Tanh(), torch.nn.Linear(16, 1)).cuda().half()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
for step in range(30):
    x = torch.randn(32, 8, device="cuda").half()
    loss = torch.nn.functional.mse_loss(model(x).float(), x[:, :1].float())
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
"""


def test_half_weights_become_nan_and_float32_ones_under_autocast_train() -> None:
    broken = run(HALF_MODEL)
    assert not math.isfinite(broken["loss"].item())
    text = repaired(HALF_MODEL, "AMP301")
    fixed = run(text)
    assert math.isfinite(fixed["loss"].item())
    assert {p.dtype for p in fixed["model"].parameters()} == {torch.float32}
    assert fixed["scaler"].get_scale() == 65536.0
    assert check_source(text) == [] or {f.severity for f in check_source(text)} == {Severity.NOTE}


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (("    loss.backward()", "    (lambda loss: loss.backward())(loss)"), "another function"),
        (("\nfor step", "\nevaluate(torch.zeros(8).half())\nfor step"), "makes half tensors too"),
        (("mse_loss(model(x)", "mse_loss(forward(x)"), "is not called in front"),
        (("    optimizer.step()", "    optimizer.step(lambda: None)"), "closure"),
        (('device="cuda"', "device=place"), "on which device"),
    ],
)
def test_a_half_loop_of_another_shape_is_left_with_the_reason(change: tuple[str, str], reason: str) -> None:
    text = HALF_MODEL.replace(*change).replace(".cuda()" if change[1] == "device=place" else "\0", "")
    found = findings(text, "AMP301")
    assert found
    for finding in found:
        if finding.repair is None:
            assert reason in finding.no_fix_reason
        else:
            with pytest.raises(CannotRepair, match=reason):
                carry_out(text, finding.repair)


def test_an_old_gpu_claims_bfloat16_by_emulation_and_the_repaired_check_does_not_believe_it() -> None:
    text = "import torch\ndtype = torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16\n"
    after = repaired(text, "AMP302")
    assert [run(text, profile)["dtype"] for profile in ("T4", "V100", "A100")] == [torch.bfloat16] * 3
    assert [run(after, profile)["dtype"] for profile in ("T4", "V100", "A100")] == [
        torch.float16,
        torch.float16,
        torch.bfloat16,
    ]


def test_a_project_on_an_old_torch_gets_the_compute_capability() -> None:
    text = "import torch\nfp16 = not torch.cuda.is_bf16_supported()\n"
    (finding,) = check_source(text, "loop.py", Settings(select=("AMP302",), torch_floor="2.1"))
    assert finding.repair is not None
    after = carry_out(text, finding.repair)
    assert after == "import torch\nfp16 = not (torch.cuda.get_device_capability() >= (8, 0))\n"
    assert [run(after, profile)["fp16"] for profile in ("T4", "A100")] == [True, False]
    assert findings(after, "AMP302") == []


def test_fixed_bfloat16_is_a_warning_where_the_file_names_older_gpus() -> None:
    rule = next(rule for rule in all_rules() if rule.code == "AMP302")
    text = rule.INVALID[2].code
    assert [finding.severity for finding in findings(text, "AMP302")] == [Severity.NOTE]
    on_old = text.replace("import torch\n", "import torch  # runs on a T4\n", 1)
    assert [finding.severity for finding in findings(on_old, "AMP302")] == [Severity.WARNING]


@pytest.mark.parametrize(("profile", "dtype"), [("T4", torch.float16), ("A100", torch.bfloat16)])
def test_a_repaired_bfloat16_loop_takes_what_the_hardware_has(profile: str, dtype: torch.dtype) -> None:
    text = """\
import torch
model = torch.nn.Linear(4, 1).cuda()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for x in torch.randn(4, 8, 4).cuda():
    optimizer.zero_grad()
    with torch.autocast("cuda", dtype=torch.bfloat16):
        out = model(x)
        loss = out.float().pow(2).mean()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
"""
    after = run(repaired(text, "AMP302"), profile)
    assert after["out"].dtype is dtype
    assert after["scaler"].is_enabled() == (dtype is torch.float16)
    moved = after["model"].weight.detach()
    assert torch.isfinite(moved).all()
    if dtype is torch.bfloat16:  # as if nothing had been changed
        assert torch.equal(moved, run(text)["model"].weight.detach())


def test_a_repaired_step_runs_in_one_dtype() -> None:
    text = """\
import torch
a, b = torch.nn.Linear(4, 4).cuda(), torch.nn.Linear(4, 4).cuda()
dtypes = []
def step(x):
    with torch.autocast("cuda", dtype=torch.float16):
        hidden = a(x)
    with torch.autocast("cuda", dtype=torch.bfloat16):
        out = b(hidden)
    dtypes.extend([hidden.dtype, out.dtype])
    out.float().sum().backward()
step(torch.ones(2, 4, device="cuda"))
"""
    assert run(text)["dtypes"] == [torch.float16, torch.bfloat16]
    assert run(repaired(text, "AMP303"))["dtypes"] == [torch.float16, torch.float16]


def test_evaluation_runs_under_the_region_of_training() -> None:
    text = """\
import torch
model = torch.nn.Linear(4, 4).cuda()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
loader = [torch.ones(2, 4, device="cuda")]
scaler = torch.amp.GradScaler("cuda")
for x in loader:
    with torch.autocast("cuda", dtype=torch.float16):
        loss = model(x).float().mean()
    scaler.scale(loss).backward()
    scaler.step(optimizer)
    scaler.update()
with torch.no_grad():
    for x in loader:
        out = model(x)
        worst = out.max()
"""
    assert run(text)["out"].dtype is torch.float32
    assert run(repaired(text, "AMP304"))["out"].dtype is torch.float16


def test_inputs_beyond_float16_survive_without_the_cast() -> None:
    text = """\
import torch
model = torch.nn.Sequential(torch.nn.LayerNorm(4), torch.nn.Linear(4, 2)).cuda()
for x in [torch.tensor([[1e5, 2e5, 3e5, 4e5]], device="cuda")]:
    with torch.autocast("cuda", dtype=torch.float16):
        out = model(x.half())
"""
    assert not torch.isfinite(run(text)["out"]).all()
    assert torch.isfinite(run(repaired(text, "AMP305"))["out"]).all()


def test_saving_half_weights_turns_the_live_model_half(tmp_path: Path) -> None:
    text = """\
import torch
model = torch.nn.Linear(4, 2).cuda()
optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
for epoch in range(1):
    model(torch.ones(2, 4, device="cuda")).sum().backward()
    optimizer.step()
    torch.save({"model": model.half().state_dict(), "optimizer": optimizer.state_dict()}, path)
"""
    (finding,) = findings(text, "AMP306")
    assert finding.severity is Severity.ERROR
    assert run(text, path=tmp_path / "a.pt")["model"].weight.dtype is torch.float16
    after = run(repaired(text, "AMP306"), path=tmp_path / "b.pt")
    assert after["model"].weight.dtype is torch.float32
    assert torch.load(tmp_path / "b.pt")["model"]["weight"].dtype is torch.float32


def test_a_region_for_the_cpu_leaves_cuda_ops_in_float32_until_it_is_repaired() -> None:
    text = """\
import torch
model = torch.nn.Linear(4, 2).cuda()
with torch.autocast("cpu"):
    out = model(torch.ones(2, 4, device="cuda"))
"""
    assert run(text)["out"].dtype is torch.float32
    assert run(repaired(text, "AMP307"))["out"].dtype is torch.bfloat16


def test_a_half_counter_stops_and_a_repaired_one_counts() -> None:
    text = """\
import torch
seen = torch.zeros((), dtype=torch.float16)
def add():
    for _ in range(3000):
        seen.add_(1)
for _ in range(3000):
    seen += 1
"""
    assert run(text)["seen"].item() == 2048.0
    assert run(repaired(text, "AMP309"))["seen"].item() == 3000.0


def test_an_average_kept_by_its_cast_does_not_become_the_model_itself() -> None:
    text = """\
import torch
model = torch.nn.Linear(4, 2)
average = {name: p.detach().half() for name, p in model.named_parameters()}
def update(decay=0.5):
    for name, p in model.named_parameters():
        average[name].mul_(decay).add_(p.detach(), alpha=1 - decay)
before = model.weight.detach().clone()
with torch.no_grad():
    model.weight.add_(1.0)
update()
"""
    after = run(repaired(text, "AMP309"))
    assert torch.allclose(after["average"]["weight"], after["before"] + 0.5)
    assert torch.allclose(after["model"].weight, after["before"] + 1.0)


METHODS_AND_PARAMETERS = """\
import torch

class Engine:
    def __init__(self, model, scaler, optimizer):
        self.model, self.scaler, self.optimizer = model, scaler, optimizer

    def loss(self, x, y):
        with torch.autocast("cuda"):
            return self.model(x, y)

    def fit(self, loader):
        for x, y in loader:
            self.optimizer.zero_grad()
            self.scaler.scale(self.loss(x, y)).backward()
            self.scaler.step(self.optimizer)
            self.scaler.update()
        with torch.no_grad():
            self.validate(loader)

    @torch.no_grad()
    def validate(self, loader):
        for x, y in loader:
            value = self.model(x, y)

def check(net, loader):
    net.eval()
    for x, y in loader:
        value = net(x, y)

def main(student, loader, scaler, optimizer):
    student.train()
    for x, y in loader:
        optimizer.zero_grad()
        with torch.autocast("cuda"):
            loss = student(x, y)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
    check(student.module, loader)
"""


def test_evaluation_in_methods_and_helpers_is_paired_with_its_training() -> None:
    lines = METHODS_AND_PARAMETERS.splitlines()
    found = [lines[finding.span.start.line - 1].strip() for finding in findings(METHODS_AND_PARAMETERS, "AMP304")]
    assert found == ["value = self.model(x, y)", "value = net(x, y)"]
    after = repaired(METHODS_AND_PARAMETERS, "AMP304")
    assert after.count('with torch.autocast("cuda"):') == 4


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("check(student.module, loader)", "check(teacher, loader)"),
        ("net.eval()", "net.eval()\n    net.train()"),
        ("    for x, y in loader:\n        value = net(x, y)", "    for _ in range(5):\n        _ = net(x, y)"),
    ],
)
def test_another_model_or_no_evaluation_is_not_paired(old: str, new: str) -> None:
    text = METHODS_AND_PARAMETERS.replace(old, new)
    assert text != METHODS_AND_PARAMETERS
    assert len(findings(text, "AMP304")) == 1


def test_parameters_kept_in_float32_beside_half_ones_are_silent() -> None:
    text = """\
import torch
def convert(layer):
    layer.weight.data = layer.weight.data.half()
def train(net, loader, {masters}):
    for x, y in loader:
        net(x, y).backward()
        torch.optim.SGD(net.parameters(), lr=0.1).step()
"""
    assert len(findings(text.replace("{masters}", "others"), "AMP301")) == 1
    assert findings(text.replace("{masters}", "master_params"), "AMP301") == []


ASKED = """\
import torch

def has_bfloat16():
    try:
        return {asked}
    except {error}:
        return torch.cuda.is_bf16_supported()
"""


@pytest.mark.parametrize(
    ("asked", "error", "codes"),
    [
        ("torch.cuda.is_bf16_supported(including_emulation=False)", "TypeError", []),
        ("torch.cuda.is_bf16_supported(False)", "TypeError", []),
        ("torch.ones(1).cuda().bfloat16() is not None", "RuntimeError", ["AMP302"]),
    ],
)
def test_what_stands_in_for_an_argument_that_old_torch_lacks_counts_no_emulation(
    asked: str, error: str, codes: list[str]
) -> None:
    text = ASKED.format(asked=asked, error=error)
    assert [finding.code for finding in check_source(text, "device.py", Settings(select=("AMP302",)))] == codes


@pytest.mark.parametrize(
    ("asked", "codes"),
    [
        ('getattr(torch.cuda, "is_bf16_supported", lambda: False)()', ["AMP302"]),
        ('getattr(torch.cuda, "is_bf16_supported", lambda **_: False)(including_emulation=False)', []),
        ('getattr(torch.cpu, "is_bf16_supported", lambda: False)()', []),
        ('getattr(torch.cuda, "is_available", lambda: False)() or "is_bf16_supported" in vars(torch.cuda)', []),
    ],
)
def test_the_question_may_be_looked_up_for_torch_that_lacks_it(asked: str, codes: list[str]) -> None:
    found = findings(f"import torch\nnative = {asked}\n", "AMP302")
    assert [finding.code for finding in found] == codes
    assert all(finding.repair is None for finding in found)


NONE = """\
import torch

def train(model, loader, optimizer, precision):
    dtype = torch.bfloat16 if precision == "bf16" else None
    for x, y in loader:
        optimizer.zero_grad()
        with torch.autocast("cuda", dtype=dtype{enabled}):
            loss = model(x, y)
        loss.backward()
        optimizer.step()
"""


@pytest.mark.parametrize(
    ("enabled", "codes"),
    [
        (", enabled=dtype is not None", []),
        (", enabled=dtype != None", []),
        (", enabled=bool(dtype)", []),
        (", enabled=True", ["AMP201"]),
        ("", ["AMP201"]),
    ],
)
def test_no_dtype_is_float16_unless_the_region_is_off_then(enabled: str, codes: list[str]) -> None:
    found = check_source(NONE.format(enabled=enabled), "loop.py", Settings(select=("AMP201",)))
    assert [finding.code for finding in found] == codes


def test_a_region_that_another_file_makes_is_told_where_it_is_opened(tmp_path: Path) -> None:
    making = """\
import torch

def autocast_of(dtype):
    return torch.autocast("cuda", dtype=dtype)

def step(loss, optimizer):
    loss.backward()
    optimizer.step()
"""
    training = """\
import torch
from regions import autocast_of

def main(model, loader, optimizer):
    model = model.cuda()
    for x, y in loader:
        with autocast_of(torch.bfloat16):
            loss = model(x, y)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
"""
    (tmp_path / ".git").mkdir()
    (tmp_path / "regions.py").write_text(making)
    (tmp_path / "train.py").write_text(training)
    found = [one for one in check_paths([str(tmp_path)]).findings if one.code == "AMP302"]
    assert [(Path(one.path).name, one.span.start.line) for one in found] == [("train.py", 7)]
