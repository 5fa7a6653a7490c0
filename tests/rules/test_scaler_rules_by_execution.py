"""Broken loops of the scaler and accumulation rules, and what `fix` makes of them, are run under CUDA's numerics."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from ampfix.codemods.fixpoint import fix_text
from ampfix.emulate import cuda
from ampfix.findings import Applicability, Finding
from ampfix.lint import Settings, check_source

ALL = (Applicability.SAFE, Applicability.UNSAFE)
HEAD = """\
import torch

def train(model, data, **options):
    model = model.cuda()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
"""


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def network() -> torch.nn.Module:
    torch.manual_seed(0)
    return torch.nn.Sequential(torch.nn.Linear(8, 16), torch.nn.Tanh(), torch.nn.Linear(16, 4))


def batches(count: int = 8, spread: float = 1.0) -> list[tuple[torch.Tensor, torch.Tensor]]:
    generator = torch.Generator().manual_seed(1)
    return [
        (torch.randn(16, 8, generator=generator), spread * torch.randn(16, 4, generator=generator))
        for _ in range(count)
    ]


def run(text: str, data: Any = None, function: str = "train", **options: Any) -> tuple[torch.Tensor, Any]:
    """How far the weights moved, and what the function returned."""
    model, namespace = network(), dict[str, Any]()
    start = torch.nn.utils.parameters_to_vector(model.parameters()).detach().clone()
    with cuda(profile="A100"):
        exec(compile(text, "loop.py", "exec"), namespace)
        result = namespace[function](model, batches() if data is None else data, **options)
        end = torch.nn.utils.parameters_to_vector(model.parameters()).detach()
        return (end - start).clone(), result


def repaired(text: str, code: str) -> str:
    """The text after all repairs; the rule found it, its repair held, and a second round changes nothing.

    The protocol's and the scaler's rules alone: networks as small as these are other rules' business.
    """

    def check(source: str) -> list[Finding]:
        return check_source(source, "loop.py", Settings(select=("AMP1", "AMP2")))

    outcome = fix_text(text, check, ALL)
    assert code in {finding.code for finding in outcome.fixed}
    assert outcome.unfixed == ()
    assert fix_text(outcome.text, check, ALL).text == outcome.text
    return outcome.text


def distance(update: torch.Tensor, reference: torch.Tensor) -> float:
    return float((update - reference).norm() / reference.norm())


# the scaler's life

PER_STEP = f"""{HEAD}\
    applied = []
    optimizer.register_step_post_hook(lambda *_: applied.append(1))
    for x, y in data:
        scaler = torch.amp.GradScaler("cuda", init_scale=2.0**22)
        optimizer.zero_grad()
        with torch.autocast("cuda"):
            loss = torch.nn.functional.mse_loss(model(x.cuda()), y.cuda())
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
    return len(applied)
"""


def test_a_scaler_built_anew_skips_every_step_and_one_that_stays_settles() -> None:
    data = batches(12)
    assert run(PER_STEP, data)[1] == 0
    assert run(repaired(PER_STEP, "AMP202"), data)[1] >= 6  # 2^22 falls to about 2^17, where steps are applied


RESUME = """\
import torch

def save(model, optimizer, path):
    torch.save({"model": model.state_dict(), "optimizer": optimizer.state_dict()}, path)

def train(model, data, path, start=65536.0):
    model = model.cuda()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    scaler = torch.amp.GradScaler("cuda", init_scale=start)
    if path.exists():
        checkpoint = torch.load(path)
        model.load_state_dict(checkpoint["model"])
        optimizer.load_state_dict(checkpoint["optimizer"])
    first = scaler.get_scale()
    for x, y in data:
        optimizer.zero_grad()
        with torch.autocast("cuda"):
            loss = torch.nn.functional.mse_loss(model(x.cuda()), y.cuda())
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
    save(model, optimizer, path)
    return first, scaler.get_scale()
"""


def test_a_resumed_run_goes_on_with_the_scale_it_had(tmp_path: Path) -> None:
    after = repaired(RESUME, "AMP203")
    _, (_, left) = run(RESUME, path=tmp_path / "old.pt", start=2.0**22)
    _, (resumed, _) = run(RESUME, path=tmp_path / "old.pt")
    assert resumed == 65536.0 != left
    _, (_, left) = run(after, path=tmp_path / "new.pt", start=2.0**22)
    assert run(after, path=tmp_path / "new.pt")[1][0] == left


@pytest.mark.parametrize("state", ["missing", "empty", "none"])
def test_the_repaired_resume_reads_older_checkpoints(tmp_path: Path, state: str) -> None:
    """Of runs without the repair, with a disabled scaler, and of callers that pass no scaler."""
    after, path = repaired(RESUME, "AMP203"), tmp_path / "old.pt"
    run(after, path=path)
    checkpoint = torch.load(path)
    del checkpoint["scaler"]
    torch.save({**checkpoint, **{"empty": {"scaler": {}}, "none": {"scaler": None}}.get(state, {})}, path)
    assert run(after, path=path)[1][0] == 65536.0


BF16 = f"""{HEAD}\
    dtype = torch.bfloat16 if options["bf16"] else torch.float16
    scaler = torch.amp.GradScaler("cuda")
    for x, y in data:
        optimizer.zero_grad()
        with torch.autocast("cuda", dtype=dtype):
            loss = torch.nn.functional.mse_loss(model(x.cuda()), y.cuda())
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
    return scaler
"""


def test_the_scaler_follows_the_dtype_and_the_bfloat16_run_stays_as_it_was() -> None:
    after = repaired(BF16, "AMP204")
    assert run(after, bf16=False)[1].is_enabled()
    update, scaler = run(after, bf16=True)
    assert not scaler.is_enabled()
    assert torch.equal(update, run(BF16, bf16=True)[0])  # a power of two is exact in bfloat16


MANUAL = f"""{HEAD}\
    for x, y in data:
        optimizer.zero_grad()
        with torch.autocast("cuda", dtype=torch.float16):
            loss = torch.nn.functional.mse_loss(model(x.cuda()), y.cuda())
        (loss * 65536).backward()
        for p in model.parameters():
            p.grad.div_(65536)
        optimizer.step()
    return model
"""


def test_a_constant_scale_writes_nan_where_a_scaler_skips() -> None:
    data = [*batches(4), *batches(1, spread=1e5), *batches(4)]  # the outliers overflow the scaled gradients
    assert not torch.isfinite(run(MANUAL, data)[0]).all()
    assert torch.isfinite(run(repaired(MANUAL, "AMP205"), data)[0]).all()


def test_a_scale_that_never_overflowed_gives_the_same_weights_as_the_scaler() -> None:
    assert distance(run(repaired(MANUAL, "AMP205"))[0], run(MANUAL)[0]) < 1e-3


THRASHING = PER_STEP.replace('        scaler = torch.amp.GradScaler("cuda", init_scale=2.0**22)\n', "").replace(
    "    applied = []\n", '    scaler = torch.amp.GradScaler("cuda", growth_interval=1)\n    applied = []\n'
)


def test_settings_that_thrash_skip_a_large_part_of_the_steps() -> None:
    data = batches(24)
    assert run(THRASHING, data)[1] <= 15
    assert run(repaired(THRASHING, "AMP207"), data)[1] == 24


FLAGS = f"""{HEAD}\
    use_amp = options["use_amp"]
    scaler = torch.amp.GradScaler("cuda", enabled=use_amp)
    for x, y in data:
        optimizer.zero_grad()
        with torch.autocast("cuda"):
            out = model(x.cuda())
            loss = torch.nn.functional.mse_loss(out, y.cuda())
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
    return out.dtype
"""


def test_one_flag_switches_region_and_scaler() -> None:
    after = repaired(FLAGS, "AMP208")
    assert run(FLAGS, use_amp=False)[1] is torch.float16  # and nothing scaled the loss
    assert run(after, use_amp=False)[1] is torch.float32
    assert run(after, use_amp=True)[1] is torch.float16


NO_REGION = """\
import torch

class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = torch.nn.Sequential(torch.nn.Linear(8, 16), torch.nn.Tanh(), torch.nn.Linear(16, 4))

    def forward(self, x):
        return self.layers(x)

def train(_, data):
    model = Net().cuda()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    scaler = torch.amp.GradScaler("cuda")
    for x, y in data:
        optimizer.zero_grad()
        out = model(x.cuda())
        loss = torch.nn.functional.mse_loss(out, y.cuda())
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
    return out.dtype
"""


def test_the_forward_of_a_scaled_loop_enters_a_region() -> None:
    assert run(NO_REGION)[1] is torch.float32
    assert run(repaired(NO_REGION, "AMP210"))[1] is torch.float16


PRIVATE = """\
import torch

def train(model, data):
    scaler = torch.amp.GradScaler("cuda")
    scaler.scale(model.cuda()(data[0][0].cuda()).sum())
    scaler._growth_interval = 7
    return scaler._scale.item(), float(scaler._scale), scaler._enabled, scaler._growth_interval
"""


def test_public_methods_give_what_the_private_attributes_did() -> None:
    assert run(repaired(PRIVATE, "AMP206"))[1] == run(PRIVATE)[1] == (65536.0, 65536.0, True, 7)


# accumulation

WINDOW = f"""{HEAD}\
    accum = 4
    scaler = torch.amp.GradScaler("cuda")
    for i, (x, y) in enumerate(data):
        with torch.autocast("cuda"):
            loss = torch.nn.functional.mse_loss(model(x.cuda()), y.cuda())
        scaler.scale(loss / accum).backward()
        if (i + 1) % accum == 0:
            scaler.step(optimizer)
            scaler.update()
            optimizer.zero_grad()
    return i
"""
UNDIVIDED = WINDOW.replace("loss / accum", "loss")
ZEROED = WINDOW.replace("            optimizer.zero_grad()\n", "").replace(
    '        with torch.autocast("cuda"):', '        optimizer.zero_grad()\n        with torch.autocast("cuda"):'
)


@pytest.mark.parametrize(("broken", "code"), [(UNDIVIDED, "AMP115"), (ZEROED, "AMP116")])
def test_a_repaired_window_applies_the_mean_of_its_micro_batches(broken: str, code: str) -> None:
    reference = run(WINDOW)[0]
    assert torch.equal(run(repaired(broken, code))[0], reference)
    assert distance(run(broken)[0], reference) > 0.3


SCRUBBED = f"""{HEAD}\
    scaler = torch.amp.GradScaler("cuda", init_scale=2.0**30)
    for x, y in data:
        optimizer.zero_grad()
        with torch.autocast("cuda"):
            loss = torch.nn.functional.mse_loss(model(x.cuda()), y.cuda())
        scaler.scale(loss).backward()
        for p in model.parameters():
            p.grad = torch.nan_to_num(p.grad, nan=0.0, posinf=0.0, neginf=0.0)
        scaler.step(optimizer)
        scaler.update()
    return scaler.get_scale()
"""


def test_the_scale_backs_off_again_once_gradients_are_left_alone() -> None:
    assert run(SCRUBBED)[1] == 2.0**30
    assert run(repaired(SCRUBBED, "AMP117"))[1] == 2.0**22  # halved at each of 8 steps


PENALTY = f"""{HEAD}\
    scaler = torch.amp.GradScaler("cuda", init_scale=256.0)
    seen = []
    for x, y in data:
        x = x.cuda().requires_grad_()
        optimizer.zero_grad()
        with torch.autocast("cuda"):
            score = model(x).mean()
        grad = torch.autograd.grad(scaler.scale(score), x, create_graph=True)[0]
        penalty = grad.square().sum()
        seen.append(penalty.item())
        scaler.scale(score + penalty).backward()
        scaler.step(optimizer)
        scaler.update()
    return seen[0]
"""


def test_the_penalty_is_freed_of_the_scale() -> None:
    assert run(PENALTY)[1] == pytest.approx(256.0**2 * run(repaired(PENALTY, "AMP118"))[1], rel=1e-2)


CLOSURE = """\
import torch

def train(model, data):
    model = model.cuda()
    optimizer = torch.optim.LBFGS(model.parameters(), lr=0.1, max_iter=1)
    scaler = torch.amp.GradScaler("cuda")
    seen = []
    for x, y in data[:1]:
        def closure():
            optimizer.zero_grad()
            with torch.autocast("cuda"):
                loss = torch.nn.functional.mse_loss(model(x.cuda()), y.cuda())
            scaler.scale(loss).backward()
            seen.append(model[0].weight.grad.abs().max().item())
            return loss
        closure()
        scaler.step(optimizer, closure)
    return seen
"""


def test_a_positional_closure_feeds_scaled_gradients_to_the_optimizer() -> None:
    assert "AMP119" in {finding.code for finding in check_source(CLOSURE)}
    seen = run(CLOSURE)[1]
    assert min(seen) > 100  # the second time inside the step, where nothing unscales them
    assert len(seen) == 2


# schedulers and two methods

METHODS = """\
import torch

class Trainer:
    def __init__(self, model):
        self.model = model
        self.optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        self.scheduler = torch.optim.lr_scheduler.StepLR(self.optimizer, 1000)
        self.scaler = torch.amp.GradScaler("cuda", init_scale=2.0**20)

    def optimize(self, x, y):
        self.optimizer.zero_grad()
        with torch.autocast("cuda"):
            loss = torch.nn.functional.mse_loss(self.model(x), y)
        self.scaler.scale(loss).backward()
        self.scaler.step(self.optimizer)
        self.scaler.update()

    def advance(self):
        self.scheduler.step()

def train(model, data):
    trainer = Trainer(model.cuda())
    for x, y in data:
        trainer.optimize(x.cuda(), y.cuda())
        trainer.advance()
    return trainer.scheduler.last_epoch, trainer.scaler.get_scale()
"""


@pytest.mark.filterwarnings("ignore:Detected call of")
def test_a_scheduler_in_another_method_advances_on_applied_steps_alone() -> None:
    assert run(METHODS)[1][0] == 8
    epochs, scale = run(repaired(METHODS, "AMP114"))[1]
    skipped = round(torch.log2(torch.tensor(2.0**20 / scale)).item())
    assert 0 < skipped < 8
    assert epochs == 8 - skipped
