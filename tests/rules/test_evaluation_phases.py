"""AMP304 where one loop trains and evaluates: regions that the phase, a flag or a managed context switches."""

from __future__ import annotations

import pytest

from ampfix.lint import Settings, check_source

LOOP = """\
import torch
from contextlib import contextmanager, nullcontext

def run(model, loaders, optimizer, scaler{more}):
    for phase in ("train", "val"):
        model.train(phase == "train")
        for x, y in loaders[phase]:
            {setup}
            with torch.set_grad_enabled(phase == "train"):
                with {region}:
                    loss = model(x, y)
            if phase == "train":
                scaler.scale(loss).backward()
                scaler.step(optimizer)
                scaler.update()
                optimizer.zero_grad()

def main(model, loaders, optimizer, scaler):
    run(model, loaders, optimizer, scaler{first})
    run(model, loaders, optimizer, scaler{second})
"""
PLAIN = {"more": "", "setup": "pass", "region": 'torch.autocast("cuda")', "first": "", "second": ""}


def found(text: str) -> list[str]:
    lines = text.splitlines()
    findings = check_source(text, "loop.py", Settings(select=("AMP304",)))
    return [lines[one.span.start.line - 1].strip() for one in findings]


@pytest.mark.parametrize(
    "changes",
    [
        {"region": 'torch.autocast("cuda", enabled=phase == "train")'},
        {"region": 'torch.autocast("cuda", enabled=phase == "train" and amp)'},
        {"region": 'torch.autocast("cuda", enabled=model.training)'},
        {"setup": 'ctx = torch.autocast("cuda") if phase == "train" else nullcontext()', "region": "ctx"},
        {"setup": 'training = phase == "train"', "region": 'torch.autocast("cuda", enabled=training)'},
    ],
    ids=["compared", "and a flag", "the model's mode", "a null context", "a variable"],
)
def test_a_region_that_only_the_training_phase_enters_is_told(changes: dict[str, str]) -> None:
    assert found(LOOP.format(**PLAIN | changes)) == ["loss = model(x, y)"]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"region": 'torch.autocast("cuda", enabled=amp)', "more": ", amp=True", "second": ", amp=False"}, True),
        ({"region": 'torch.autocast("cuda", enabled=amp)', "more": ", *, amp=False", "first": ", amp=on"}, True),
        ({"setup": 'ctx = torch.autocast("cuda") if amp else nullcontext()', "region": "ctx", "more": ", amp=True",
          "second": ", amp=False"}, True),
        ({"region": 'torch.autocast("cuda", enabled=amp)', "more": ", amp=True", "second": ", amp=on"}, False),
        ({}, False),
        ({"region": 'torch.autocast("cuda", enabled=phase != "debug")'}, False),
    ],
)  # fmt: skip
def test_a_region_that_a_caller_switches_off_is_told_where_it_does(changes: dict[str, str], told: bool) -> None:
    chosen = PLAIN | changes
    assert found(LOOP.format(**chosen)) == [f"run(model, loaders, optimizer, scaler{chosen['second']})"] * told


MANAGED = """\
import torch
from contextlib import contextmanager

class Trainer:
    @contextmanager
    def forward_scope(self):
        {body}

    def train_epoch(self, loader):
        for x in loader:
            with self.forward_scope():
                loss = self.model(x)
            loss.backward()
            self.optimizer.step()

    @torch.no_grad()
    def validate(self, loader):
        for x in loader:
            {evaluated}
"""
BOTH = 'if self.amp:\n            with torch.autocast("cuda"):\n                yield\n        else:\n            yield'


def test_a_managed_region_is_one() -> None:
    assert found(MANAGED.format(body=BOTH, evaluated="y = self.model(x)")) == ["y = self.model(x)"]
    assert found(MANAGED.format(body="yield torch.autocast", evaluated="y = self.model(x)")) == []
    covered = "with self.forward_scope(): y = self.model(x)"
    assert found(MANAGED.format(body=BOTH, evaluated=covered)) == []


UNWRAPPED = """\
import torch
from contextlib import nullcontext

def main(net, ema, loader, scaler, optimizer):
    bare = net.module if hasattr(net, "module") else net
    for x in loader:
        with torch.autocast("cuda"):
            loss = net(x)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()

    @torch.no_grad()
    def sample(loader):
        for x in loader:
            with {around}:
                print(bare(x))
"""


def test_weights_that_are_swapped_around_an_evaluation_are_no_region() -> None:
    swapped = "ema.scope(net) if ema is not None else nullcontext()"
    assert found(UNWRAPPED.format(around=swapped)) == ["print(bare(x))"]
    assert found(UNWRAPPED.format(around="amp_context() if ema is not None else nullcontext()")) == []


PREPARED = """\
import torch

class Trainer:
    @torch.no_grad()
    def state_of(self, x):
        return self.model(x)

    def train_epoch(self, loader):
        for x in loader:
            state = self.state_of(x)
            with torch.autocast("cuda"):
                loss = self.model(state)
            self.scaler.scale(loss).backward()
            self.scaler.step(self.optimizer)
            self.scaler.update()
            {occasion}
"""


def test_a_helper_that_makes_what_each_turn_trains_on_is_no_evaluation() -> None:
    assert found(PREPARED.format(occasion="pass")) == []
    occasion = "if x.step % 100 == 0: print(self.state_of(x))"
    assert found(PREPARED.format(occasion=occasion)) == ["return self.model(x)"]


def test_a_helper_that_each_turn_calls_behind_its_step_is_one() -> None:
    text = PREPARED.format(occasion="score = self.state_of(x)").replace("state = self.state_of(x)", "state = x")
    assert found(text) == ["return self.model(x)"]


BRANCHES = """\
import torch

def train(model, loader, scaler, optimizer):
    for x in loader:
        with torch.autocast("cuda"):
            loss = model(x)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()

@torch.no_grad()
def validate(model, loader):
    {branches}

def main(model, loader, scaler, optimizer):
    train(model, loader, scaler, optimizer)
    validate(model, loader)
"""
GPU = """if torch.cuda.is_available():
        with torch.autocast("cuda"):
            found = [model(x) for x in loader]
    else:
        found = [model(x) for x in loader]"""
EARLY = """for x in loader:
        if x.is_cuda:
            with torch.autocast("cuda"):
                y = model(x)
            continue
        y = model(x)"""
BESIDE = """for x in loader:
        with torch.autocast("cuda"):
            loss = model(x)
        shown = model(x)"""


INLINE = """\
import torch

def run(model, loader, held_out, scaler, optimizer):
    for epoch in range(9):
        for x in loader:
            with torch.autocast("cuda"):
                loss = model(x)
            scaler.scale(loss).backward()
            scaler.step(optimizer)
            scaler.update()
        model.eval()
        with torch.no_grad():
            for x in held_out:
                if scaler is not None:
                    with torch.autocast("cuda"):
                        y = model(x)
                else:
                    y = model(x)
"""


def test_an_evaluation_covered_on_one_branch_is_left_alone_behind_training_too() -> None:
    assert found(INLINE) == []


def test_only_a_second_forward_beside_a_covered_one_is_told() -> None:
    assert found(BRANCHES.format(branches=GPU)) == found(BRANCHES.format(branches=EARLY)) == []
    assert found(BRANCHES.format(branches=BESIDE)) == ["shown = model(x)"]


NAMED = """\
import torch

def train(model, loader, scaler, optimizer):
    for x in loader:
        with torch.autocast("cuda"):
            loss = model(x)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()

@torch.no_grad()
def {name}(model, loader):
    return [model(x) for x in loader]

def main(model, loader, scaler, optimizer):
    train(model, loader, scaler, optimizer)
    {name}(model, loader)
"""


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("collect_predictions", True),
        ("activations", True),
        ("display", True),
        ("collect_rollouts", False),
        ("play", False),
    ],
)
def test_only_code_that_acts_in_an_environment_is_left_alone(name: str, told: bool) -> None:
    assert found(NAMED.format(name=name)) == ["return [model(x) for x in loader]"] * told


TURN = """\
import torch

def fit(model, loader, held_out, optimizer, scaler, use_amp):
    for x, y in loader:
        if use_amp:
            with torch.autocast("cuda"):
                loss = model(x, y)
            scaler.scale(loss).backward()
            scaler.step(optimizer)
            scaler.update()
        else:
            model(x, y).backward()
            optimizer.step()
        model.eval()
        {validate}
"""


@pytest.mark.parametrize(
    ("validate", "count"),
    [
        (
            'with torch.no_grad():\n            if use_amp:\n                with torch.autocast("cuda"):\n'
            "                    print(model(*held_out))\n            else:\n                print(model(*held_out))",
            0,
        ),
        (
            "with torch.no_grad():\n            if len(held_out) > 1:\n                print(model(*held_out))\n"
            "            else:\n                print(model(held_out))",
            1,
        ),
    ],
    ids=["a region in one", "no region"],
)
def test_beside_training_a_branch_with_a_region_covers_the_other(validate: str, count: int) -> None:
    text = TURN.format(validate=validate)
    assert len(check_source(text, "loop.py", Settings(select=("AMP304",)))) == count


STEP = """\
import torch

def train_step(model, loader, optimizer, scaler, step):
    x = next(loader)
    {first}
    with torch.autocast("cuda"):
        loss = model(x)
    scaler.scale(loss).backward()
    scaler.step(optimizer)
    scaler.update()
    if {test}:
        model.eval()
        with torch.no_grad():
            {sample}
        model.train()

def train(model, loader, optimizer, scaler):
    {loop}
        train_step(model, loader, optimizer, scaler, 1)
"""
TEACH = "with torch.no_grad():\n        target = model(x) if step % 9 else x"
PLAIN_STEP = {"first": "", "test": "step % 1000 == 0", "sample": "print(model(x))", "loop": "for _ in range(99):"}


@pytest.mark.parametrize(
    ("changes", "count"),
    [
        ({}, 1),
        ({"test": "loss.isnan()"}, 0),
        ({"sample": "with torch.autocast('cuda'): print(model(x))"}, 0),
        ({"loop": "if loader:"}, 0),
        ({"first": TEACH, "sample": "print(x)"}, 0),
    ],
    ids=["samples", "no occasion", "region", "no loop", "in front of the backward"],
)
def test_a_step_that_a_loop_calls_may_evaluate_now_and_then(changes: dict[str, str], count: int) -> None:
    text = STEP.format(**PLAIN_STEP | changes)
    assert len(check_source(text, "loop.py", Settings(select=("AMP304",)))) == count
