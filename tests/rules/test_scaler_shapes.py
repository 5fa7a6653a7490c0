"""Shapes of loops in which rules about scalers, dtypes and resuming speak or keep silent, also across files."""

from __future__ import annotations

from pathlib import Path

import pytest

from ampfix.findings import Severity
from ampfix.lint import Settings
from ampfix.lint.engine import check_text
from ampfix.lint.project import Project


def lines(code: str, folder: Path, **files: str) -> list[int]:
    """Where a rule speaks in main.py, which stands beside the other files."""
    for name, text in files.items():
        (folder / f"{name}.py").write_text(text, encoding="utf-8")
    found = check_text(files["main"], str(folder / "main.py"), Settings(select=(code,)), Project()).findings
    return [finding.span.start.line for finding in found]


PICKS = """\
import torch

def pick():
    scaled = True
    dtype = torch.float16
    if torch.cuda.get_device_capability()[0] >= 8:
        dtype = torch.bfloat16{also}
    return dtype, scaled
"""
STEPS_WITH_PICKED = """\
import torch
from picks import pick

def train(model, loader, optimizer):
    dtype, scaled = pick()
    scaler = torch.amp.GradScaler("cuda", enabled=scaled)
    for x, y in loader:
        optimizer.zero_grad()
        with torch.autocast("cuda", dtype=dtype):
            loss = model(x, y)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
"""


def test_a_switch_that_a_helper_hands_back_on_in_any_case_is_one_for_bfloat16_too(tmp_path: Path) -> None:
    assert lines("AMP204", tmp_path, main=STEPS_WITH_PICKED, picks=PICKS.format(also="")) == [6]


def test_a_switch_that_a_helper_chooses_with_the_dtype_is_left_alone(tmp_path: Path) -> None:
    chosen = PICKS.format(also="\n        scaled = False")
    assert lines("AMP204", tmp_path, main=STEPS_WITH_PICKED, picks=chosen) == []


@pytest.mark.parametrize("also", ["", "\n        scaled = False"])
def test_a_switch_that_comes_with_the_dtype_does_not_differ_from_the_region(also: str, tmp_path: Path) -> None:
    assert lines("AMP208", tmp_path, main=STEPS_WITH_PICKED, picks=PICKS.format(also=also)) == []


def test_a_switch_that_comes_with_something_else_differs_from_the_region(tmp_path: Path) -> None:
    apart = STEPS_WITH_PICKED.replace("dtype, scaled", "rate, scaled").replace("dtype=dtype", "dtype=torch.float16")
    assert lines("AMP208", tmp_path, main=apart, picks=PICKS.format(also="\n        scaled = False")) == [9]


HANDED_BACK = """\
import torch

def parts(cfg):
    dtype = torch.float16 if cfg["dtype"] == "fp16" else torch.bfloat16
    region = torch.autocast("cuda", dtype=dtype){early}
    scaler = torch.amp.GradScaler("cuda")
    return region, scaler
"""


def test_a_scaler_handed_back_beside_a_region_that_may_be_bfloat16(tmp_path: Path) -> None:
    assert lines("AMP204", tmp_path, main=HANDED_BACK.format(early="")) == [6]


def test_a_helper_that_leaves_before_it_builds_a_scaler_for_bfloat16(tmp_path: Path) -> None:
    early = "\n    if dtype is torch.bfloat16:\n        return region, None"
    assert lines("AMP204", tmp_path, main=HANDED_BACK.format(early=early)) == []


REMEMBERED = """\
import torch

_dtype = None

def dtype():
    global _dtype
    if _dtype is None:
        _dtype = torch.bfloat16 if torch.cuda.is_bf16_supported() else torch.float16
    return _dtype

def train(model, loader, optimizer):
    scaler = torch.amp.GradScaler("cuda", enabled=torch.cuda.is_available())
    for x, y in loader:
        optimizer.zero_grad()
        with torch.autocast("cuda", dtype=dtype()):
            loss = model(x, y)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
"""


def test_a_dtype_that_a_helper_remembers_in_a_global(tmp_path: Path) -> None:
    assert lines("AMP204", tmp_path, main=REMEMBERED) == [12]


RETURNS_FIRST = """\
import torch

class Precision:
    def __init__(self, use_bf16):
        self.scaler = None
        self.dtype = torch.float16
        if use_bf16:
            self.dtype = torch.bfloat16{leaves}
        self.scaler = torch.amp.GradScaler("cuda")

    def step(self, model, x, optimizer):
        with torch.autocast("cuda", dtype=self.dtype):
            loss = model(x)
        self.scaler.scale(loss).backward()
        self.scaler.step(optimizer)
        self.scaler.update()
"""


@pytest.mark.parametrize(("leaves", "expected"), [("", [9]), ("\n            return", [])])
def test_a_scaler_that_is_only_built_where_no_return_left_with_bfloat16(
    leaves: str, expected: list[int], tmp_path: Path
) -> None:
    assert lines("AMP204", tmp_path, main=RETURNS_FIRST.format(leaves=leaves)) == expected


CONFIGURED = """\
import torch
from dataclasses import dataclass

@dataclass
class Config:
    use_amp: bool = True
    dtype: torch.dtype = torch.{dtype}

class Trainer:
    def __init__(self, config: Config):
        self.config = config
        self.scaler = torch.amp.GradScaler("cuda", enabled=config.use_amp)

    def step(self, model, x, optimizer):
        with torch.autocast("cuda", dtype=self.config.dtype, enabled=self.config.use_amp):
            loss = model(x)
        self.scaler.scale(loss).backward()
        self.scaler.step(optimizer)
        self.scaler.update()
"""


@pytest.mark.parametrize(("dtype", "expected"), [("bfloat16", [12]), ("float16", [])])
def test_a_dtype_that_a_configuration_sets_by_default(dtype: str, expected: list[int], tmp_path: Path) -> None:
    assert lines("AMP204", tmp_path, main=CONFIGURED.format(dtype=dtype)) == expected


SEVERAL = """\
import torch

def train(parts, loader, path):
    optimizers = [torch.optim.Adam(part.parameters()) for part in parts]
    scaler = torch.amp.GradScaler("cuda")
    checkpoint = torch.load(path)
    for optimizer, state in zip(optimizers, checkpoint["optimizers"]):
        optimizer.load_state_dict(state){restored}
    for x, y in loader:
        with torch.autocast("cuda"):
            loss = parts[0](x, y)
        scaler.scale(loss).backward()
        for optimizer in optimizers:
            scaler.step(optimizer)
        scaler.update()
        for optimizer in optimizers:
            optimizer.zero_grad()
    torch.save({{"optimizers": [one.state_dict() for one in optimizers]{saved}}}, path)
"""


def test_states_of_several_optimizers_kept_without_their_scaler(tmp_path: Path) -> None:
    assert lines("AMP203", tmp_path, main=SEVERAL.format(restored="", saved="")) == [8, 18]
    restored, saved = '\n    scaler.load_state_dict(checkpoint["scaler"])', ', "scaler": scaler.state_dict()'
    assert lines("AMP203", tmp_path, main=SEVERAL.format(restored=restored, saved=saved)) == []


GATHERED = """\
import torch

def train(models, loader, path):
    parts = {{}}
    for name, model in models.items():
        parts[name] = [model, torch.optim.Adam(model.parameters())]
    scaler = torch.amp.GradScaler("cuda")
    for x, y in loader:
        with torch.autocast("cuda"):
            loss = models["first"](x, y)
        scaler.scale(loss).backward()
        for name in parts:
            scaler.step(parts[name][-1])
        scaler.update()
    states = {{}}
    for name in parts:
        states[name] = []
        states[name].append(parts[name][{saved}].state_dict())
    torch.save(states, path)
"""


@pytest.mark.parametrize(("saved", "expected"), [("1", [18]), ("-1", [18]), ("0", [])])
def test_an_element_counts_as_the_optimizer_by_its_place(saved: str, expected: list[int], tmp_path: Path) -> None:
    assert lines("AMP203", tmp_path, main=GATHERED.format(saved=saved)) == expected


SPELLED_OTHERWISE = """\
import torch

class Trainer:
    def __init__(self, model, parts):
        self.model, self.optimizer = model, torch.optim.Adam(model.parameters())
        self.grad_scalar = parts["grad_scalar"]

    def step(self, x, y):
        with torch.autocast("cuda"):
            loss = self.model(x, y)
        self.grad_scalar.scale(loss).backward()
        self.grad_scalar.step(self.optimizer)
        self.grad_scalar.update()

    def save(self, path):
        grad_scalar = self.grad_scalar
        state = {"optimizer": self.optimizer.state_dict(), "grad_scalar": grad_scalar.state_dict()}
        torch.save(state, path)
"""


def test_a_scaler_of_another_spelling_is_saved_by_its_own_name(tmp_path: Path) -> None:
    assert lines("AMP203", tmp_path, main=SPELLED_OTHERWISE) == []


WRAPPER = """\
import torch

class Amp:
    def __init__(self):
        self._scaler = torch.amp.GradScaler("cuda")

    def __call__(self, loss, optimizer):
        self._scaler.scale(loss).backward()
        self._scaler.step(optimizer)
        self._scaler.update()

    def state_dict(self):
        return self._scaler.state_dict()
"""
USES_WRAPPER = """\
import torch
from wrapper import Amp as NativeScaler

class Trainer:
    def __init__(self, model, optimizer):
        self.loss_scaler = NativeScaler()
        self.model, self.optimizer = model, optimizer

    def resume(self, checkpoint):
        self.optimizer.load_state_dict(checkpoint["optimizer"])

    def step(self, x):
        with torch.autocast("cuda", enabled={enabled}):
            loss = self.model(x)
        self.loss_scaler(loss, self.optimizer)
        self.optimizer.zero_grad()
"""


def test_a_wrapper_in_an_attribute_steps_the_optimizer_that_is_restored(tmp_path: Path) -> None:
    assert lines("AMP203", tmp_path, main=USES_WRAPPER.format(enabled=True), wrapper=WRAPPER) == [10]


def test_a_function_that_speaks_of_the_wrapper_may_keep_its_state(tmp_path: Path) -> None:
    restored = 'self.optimizer.load_state_dict(checkpoint["optimizer"])'
    text = USES_WRAPPER.format(enabled=True).replace(restored, f"{restored}; restore(self.loss_scaler, checkpoint)")
    assert lines("AMP203", tmp_path, main=text, wrapper=WRAPPER) == []


@pytest.mark.parametrize(("enabled", "expected"), [(True, []), (False, [13])])
def test_a_region_that_is_off_while_a_wrapper_scales(enabled: bool, expected: list[int], tmp_path: Path) -> None:
    assert lines("AMP602", tmp_path, main=USES_WRAPPER.format(enabled=enabled), wrapper=WRAPPER) == expected


NET = """\
import torch
from torch.cuda.amp import autocast

class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.body, self.head = torch.nn.Linear(8, 8), torch.nn.Linear(8, 2)

    def forward(self, x):
        x = self.body(x)
        with autocast({enabled}):
            return self.head(x)
"""
USES_NET = """\
import torch
from torch.cuda.amp import GradScaler, autocast
from {module} import Net

model, scaler = Net(), GradScaler()

def train(loader, optimizer):
    for x, y in loader:
        with autocast(enabled=False):
            loss = model(x).sum()
        optimizer.zero_grad()
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
"""


def test_a_region_that_is_off_around_a_model_that_opens_its_own_is_left_alone(tmp_path: Path) -> None:
    assert lines("AMP602", tmp_path, main=USES_NET.format(module="net"), net=NET.format(enabled="")) == []
    plain = NET.format(enabled="").replace("with autocast()", "if True").replace("import autocast", "import GradScaler")
    assert lines("AMP602", tmp_path, main=USES_NET.format(module="net"), net=plain) == [9]


def test_a_region_that_is_off_around_a_model_that_is_not_seen_is_a_guess(tmp_path: Path) -> None:
    text = USES_NET.format(module="elsewhere")
    (found,) = check_text(text, str(tmp_path / "main.py"), Settings(select=("AMP602",)), Project()).findings
    assert found.severity is Severity.NOTE


def test_a_wrapper_whose_scaler_a_flag_may_switch_off_is_left_alone(tmp_path: Path) -> None:
    switched = WRAPPER.replace("(self)", "(self, amp)", 1).replace('"cuda")', '"cuda", enabled=amp)')
    text = USES_WRAPPER.format(enabled=False).replace("NativeScaler()", "NativeScaler(False)")
    assert lines("AMP602", tmp_path, main=text, wrapper=switched) == []


SOME_WEIGHTS = """\
import torch

def train(model, loader):
    {before}
    adapters = [p for p in model.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(adapters, lr=1e-4)
    {after}
    for x, y in loader:
        optimizer.zero_grad()
        model(x, y).backward()
        optimizer.step()

def export(model):
    model = model.float()
    return model
"""


def test_a_model_cast_to_half_after_some_of_its_weights_went_to_an_optimizer(tmp_path: Path) -> None:
    cast = "model = model.half()"
    assert lines("AMP301", tmp_path, main=SOME_WEIGHTS.format(before="pass", after=cast)) == [7]
    assert lines("AMP301", tmp_path, main=SOME_WEIGHTS.format(before=cast, after="add_adapters(model)")) == []


CHOSEN_AMONG_THREE = """\
import torch

class Trainer:
    def __init__(self, model, config):
        self.model, self.optimizer = model, torch.optim.AdamW(model.parameters())
        self.dtype = {{"fp32": torch.float32, {fp16}"bf16": torch.bfloat16}}.get(config.dtype, torch.bfloat16)

    def step(self, x, y):
        with torch.autocast("cuda", dtype=self.dtype):
            loss = self.model(x, y)
        loss.backward()
        self.optimizer.step()
        self.optimizer.zero_grad()
"""


@pytest.mark.parametrize(("fp16", "expected"), [('"fp16": torch.float16, ', [11]), ("", [])])
def test_float16_among_the_dtypes_of_a_table_needs_a_scaler(fp16: str, expected: list[int], tmp_path: Path) -> None:
    assert lines("AMP201", tmp_path, main=CHOSEN_AMONG_THREE.format(fp16=fp16)) == expected


AVERAGED = """\
import torch
import torch.distributed as dist

def train(model, loader, optimizer, scaler):
    model = torch.nn.parallel.DistributedDataParallel(model)
    for x, y in loader:
        optimizer.zero_grad()
        with torch.autocast("cuda"):
            loss = model(x, y)
        bad = (~torch.isfinite(loss)).float()
        {before}
        if not torch.isfinite(loss) or bad > 0:
            continue
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        shown = loss.detach()
        dist.all_reduce(shown, op=dist.ReduceOp.AVG)
"""


def test_a_loss_averaged_behind_the_skip_decides_nothing(tmp_path: Path) -> None:
    assert lines("AMP209", tmp_path, main=AVERAGED.format(before="pass")) == [12]
    assert lines("AMP209", tmp_path, main=AVERAGED.format(before="dist.all_reduce(bad)")) == []


NORMS = """\
import torch

class Trainer:
    def norms(self):
        found = {"total": 0.0, "encoder": 0.0}
        for name, param in self.model.named_parameters():
            if param.grad is not None:
                found["total"] += param.grad.norm().item() ** 2
        return found

    def train(self, loader):
        self.scaler = torch.amp.GradScaler("cuda")
        for x, y in loader:
            with torch.autocast("cuda"):
                loss = self.model(x, y)
            self.scaler.scale(loss).backward()
            FIRST
            SECOND
            self.scaler.step(self.optimizer)
            self.scaler.update()
            self.optimizer.zero_grad()
            self._log_training_step(norms)
"""


def test_norms_that_one_method_gathers_and_another_logs(tmp_path: Path) -> None:
    read, unscaled = "norms = self.norms()", "self.scaler.unscale_(self.optimizer)"
    early = NORMS.replace("FIRST", read).replace("SECOND", unscaled)
    late = NORMS.replace("FIRST", unscaled).replace("SECOND", read)
    assert lines("AMP102", tmp_path, main=early) == [17]
    assert lines("AMP102", tmp_path, main=late) == []


WINDOW = """\
import torch

def train(model, critic, loader, optimizer, critic_optimizer, accumulation):
    scaler = torch.amp.GradScaler("cuda")
    for index, x in enumerate(loader):
        scaler.scale(critic(x)).backward()
        if accumulation == 1:
            scaler.unscale_(critic_optimizer)
            scaler.step(critic_optimizer)
        if (index + 1) % accumulation == 0:
            if accumulation > 1:
                scaler.unscale_(critic_optimizer)
                scaler.step(critic_optimizer)
            scaler.update()
            critic_optimizer.zero_grad()
"""


def test_a_window_of_one_is_none_of_several(tmp_path: Path) -> None:
    assert lines("AMP104", tmp_path, main=WINDOW) == []
    assert lines("AMP104", tmp_path, main=WINDOW.replace("if accumulation > 1:", "if True:")) == [12]


KEYED = """\
import torch

class Trainer:
    def __init__(self, networks, optimizers):
        self.scaler = torch.amp.GradScaler("cuda")
        self.networks, self.optimizers = networks, optimizers

    def step(self, loss):
        self.scaler.scale(loss).backward()
        UNSCALE
        for key in self.networks:
            torch.nn.utils.clip_grad_norm_(self.networks[key].parameters(), 1.0)
        for name in self.optimizers:
            self.scaler.step(self.optimizers[name])
            self.optimizers[name].zero_grad()
        self.scaler.update()
"""


def test_a_loop_over_the_keys_of_optimizers_unscales_all_of_them(tmp_path: Path) -> None:
    unscale = "for key in self.optimizers:\n            self.scaler.unscale_(self.optimizers[key])"
    assert lines("AMP101", tmp_path, main=KEYED.replace("UNSCALE", unscale)) == []
    assert lines("AMP101", tmp_path, main=KEYED.replace("UNSCALE", "pass")) == [12]


FISHER = """\
import torch

def fisher(model, loader):
    found = {name: torch.zeros_like(p) for name, p in model.named_parameters()}
    for x, y in loader:
        model.zero_grad()
        model(x, y).backward()
        for name, p in model.named_parameters():
            if p.grad is not None:
                found[name] += p.grad.detach() ** 2
    return found

def train(model, loader, optimizer):
    scaler = torch.amp.GradScaler("cuda")
    for x, y in loader:
        scaler.scale(model(x, y)).backward()
        scaler.step(optimizer)
        scaler.update()
        optimizer.zero_grad()

def main(model, loader, optimizer):
    train(model, loader, optimizer)
    found = fisher(model, loader)
    print(sum(one.norm().item() for one in found.values()))
    train(model, loader, optimizer)
"""


def test_a_helper_reads_the_gradients_of_its_own_backward(tmp_path: Path) -> None:
    assert lines("AMP102", tmp_path, main=FISHER) == []


TIMED = """\
import time
import torch

def train(model, loader, optimizer):
    start = time.time()
    for step, (x, y) in enumerate(loader):
        optimizer.zero_grad()
        with torch.autocast("cuda", dtype=torch.bfloat16):
            loss = model(x, y)
        loss.backward()
        optimizer.step()
        if step % 500 == 0:
            rate = step / (time.time() - start)
            {restart}
"""
EVERY_TURN = "print(rate)\n        start = time.time()"


@pytest.mark.parametrize(
    ("restart", "expected"), [("print(rate)", []), ("start = time.time()", []), (EVERY_TURN, [13])]
)
def test_an_average_of_many_turns_needs_no_wait(restart: str, expected: list[int], tmp_path: Path) -> None:
    assert lines("AMP503", tmp_path, main=TIMED.format(restart=restart)) == expected


BRANCHES = """\
import time
import torch

def measure(model, x, timer):
    if timer is not None:
        timer.start(){waits}
        with torch.autocast("cuda"):
            model(x)
        taken = timer.stop()
    else:
        start = time.time()
        with torch.autocast("cuda"):
            model(x)
        taken = time.time() - start
    return taken
"""


def test_a_branch_beside_one_that_waits_is_for_other_devices(tmp_path: Path) -> None:
    assert lines("AMP503", tmp_path, main=BRANCHES.format(waits="")) == [14]
    assert lines("AMP503", tmp_path, main=BRANCHES.format(waits="\n        torch.cuda.synchronize()")) == []


OWN_SWITCH = """\
import torch
from dataclasses import dataclass

@dataclass
class Config:
    dtype: torch.dtype = torch.bfloat16
    use_scaler: bool = False

def train(model, loader, optimizer, config: Config):
    {switch}
    scaler = torch.amp.GradScaler("cuda", enabled={enabled})
    for x, y in loader:
        with torch.autocast("cuda", dtype=config.dtype):
            loss = model(x, y)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        optimizer.zero_grad()
"""


@pytest.mark.parametrize(
    ("switch", "enabled", "expected"),
    [
        ("pass", "config.use_scaler", []),
        ("name, on = TABLE[config.name]", "on", []),
        ("on = True", "on", [11]),
    ],
)
def test_a_setting_or_a_table_may_switch_the_scaler_with_the_dtype(
    switch: str, enabled: str, expected: list[int], tmp_path: Path
) -> None:
    assert lines("AMP204", tmp_path, main=OWN_SWITCH.format(switch=switch, enabled=enabled)) == expected


@pytest.mark.parametrize(("name", "expected"), [("lr_scheduler", [10]), ("loss_scheduler", []), ("kl_sched", [])])
def test_a_schedule_of_something_else_is_no_learning_rate(name: str, expected: list[int], tmp_path: Path) -> None:
    text = f"""\
import torch

def train(model, loader, optimizer, {name}):
    scaler = torch.amp.GradScaler("cuda")
    for x, y in loader:
        with torch.autocast("cuda"):
            loss = model(x, y)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        {name}.step()
        scaler.update()
        optimizer.zero_grad()
"""
    assert lines("AMP114", tmp_path, main=text) == expected


HANDED = """\
import torch

def train(model, loader, optimizer, epochs, path):
    scaler = torch.amp.GradScaler("cuda")
    for epoch in range(epochs):
        for x, y in loader:
            optimizer.zero_grad()
            with torch.autocast("cuda"):
                loss = model(x, y)
            scaler.scale(loss).backward()
            scaler.step(optimizer)
            scaler.update()
        {handed}
"""


@pytest.mark.parametrize(
    ("handed", "expected"),
    [
        ("torch.save((epoch, model.state_dict(), optimizer.state_dict()), path)", [13]),
        ("torch.save([model.state_dict(), optimizer.state_dict()], path)", [13]),
        ("torch.save([model.state_dict(), optimizer.state_dict(), scaler.state_dict()], path)", []),
        ("state = optimizer.state_dict()\n        torch.save({'optimizer': state}, path)", [14]),
        ("state = optimizer.state_dict()\n        print(state)", []),
        ("_, state = torch.load(path)\n        optimizer.load_state_dict(state)", [14]),
        ("optimizer.load_state_dict(torch.load(path).pop('optimizer'))", [13]),
        ("optimizer.load_state_dict(state_dict=torch.load(path)['optimizer'])", [13]),
    ],
)
def test_states_in_lists_and_names_and_taken_out_of_tuples(handed: str, expected: list[int], tmp_path: Path) -> None:
    assert lines("AMP203", tmp_path, main=HANDED.format(handed=handed)) == expected


BY_HAND = """\
import math

class Cosine:
    def __init__(self, optimizer, steps):
        self.optimizer, self.steps, self.now = optimizer, steps, 0

    def step(self):
        self.now += 1
        {does}

    def _set(self, rate):
        for group in self.optimizer.param_groups:
            group["lr"] = rate
"""
USES_BY_HAND = """\
import torch
from cosine import Cosine

class Trainer:
    def __init__(self, model, optimizer):
        self.model, self.optimizer = model, optimizer
        self.scaler = torch.amp.GradScaler("cuda")
        self.schedule = Cosine(optimizer, 100)

    def train(self, loader):
        for x, y in loader:
            with torch.autocast("cuda"):
                loss = self.model(x, y)
            self.scaler.scale(loss).backward()
            self.scaler.step(self.optimizer)
            self.scaler.update()
            self.optimizer.zero_grad()
            self.schedule.step()
"""


@pytest.mark.parametrize(
    ("does", "expected"),
    [
        ("self._set(math.cos(self.now))", [18]),
        ("self._set(1.0); self.optimizer.step()", []),
        ("self.weight = 1 / self.now", []),
    ],
)
def test_a_schedule_written_by_hand_steps_on_a_skip_too(does: str, expected: list[int], tmp_path: Path) -> None:
    assert lines("AMP114", tmp_path, main=USES_BY_HAND, cosine=BY_HAND.format(does=does)) == expected


HANDED_BY_HAND = """\
import torch
from cosine import Cosine

def train(model, loader, optimizer, scaler, scheduler=None):
    for x, y in loader:
        with torch.autocast("cuda"):
            loss = model(x, y)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        optimizer.zero_grad()
        if scheduler is not None:
            scheduler.step()

def main(model, loader, optimizer):
    scaler, scheduler = torch.amp.GradScaler("cuda"), None
    scheduler = Cosine(optimizer, 100)
    for epoch in range(10):
        train(model, loader, optimizer, scaler, scheduler)
"""


@pytest.mark.parametrize(
    ("does", "expected"),
    [
        ("self._set(math.cos(self.now))", [13]),
        ("self._set(1.0); self.optimizer.step()", []),
        ("self.weight = 1 / self.now", []),
    ],
)
def test_a_schedule_written_by_hand_may_be_handed_in(does: str, expected: list[int], tmp_path: Path) -> None:
    assert lines("AMP114", tmp_path, main=HANDED_BY_HAND, cosine=BY_HAND.format(does=does)) == expected


TWO_KEEPERS = """\
import torch

class Stepper:
    def __init__(self, optimizer):
        self.optimizer, self.scaler = optimizer, torch.amp.GradScaler("cuda")

    def step(self, loss):
        self.scaler.scale(loss).backward()
        self.scaler.step(self.optimizer)
        self.scaler.update()

    def state_dict(self):
        return {"optimizer": self.optimizer.state_dict(), "scaler": self.scaler.state_dict()}

class Trainer:
    def load_state_dict(self, state):
        optimizer = self.find_optimizer()
        kept = state.get("optimizer")
        optimizer.load_state_dict(kept)
"""


def test_an_optimizer_that_another_class_finds_by_itself_is_not_the_one_that_is_stepped(tmp_path: Path) -> None:
    assert lines("AMP203", tmp_path, main=TWO_KEEPERS) == []


ALL_UNSCALED = """\
import torch

def train(model, loader, optimizers, schedulers):
    scaler = torch.amp.GradScaler("cuda")
    for x, y in loader:
        with torch.autocast("cuda"):
            loss = model(x, y)
        scaler.scale(loss).backward()
        for optimizer in optimizers:
            scaler.unscale_(optimizer)
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for optimizer in optimizers:
            scaler.step(optimizer)
            optimizer.zero_grad()
        before = scaler.get_scale()
        scaler.update()
{does}
"""
ADVANCE = "for scheduler in schedulers: scheduler.step()"


@pytest.mark.parametrize(
    ("does", "expected"),
    [
        (f"        {ADVANCE}", [17]),
        (f"        if scaler.get_scale() >= before:\n            {ADVANCE}", []),
        (f"    {ADVANCE}", []),
    ],
)
def test_schedules_of_several_optimizers_step_on_a_skip_wherever_those_are_unscaled(
    does: str, expected: list[int], tmp_path: Path
) -> None:
    assert lines("AMP114", tmp_path, main=ALL_UNSCALED.format(does=does)) == expected
