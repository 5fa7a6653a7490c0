"""Compiled models under watch, and what compiles around them."""

from __future__ import annotations

import shutil
from typing import Any

import pytest
import torch
from torch import nn, optim
from torch.nn.utils import clip_grad_norm_

from tests.watch.kinds import Weights, first_named, unharmed, weights
from tests.watch.toy import batch, model, scaler

COMPILER = pytest.mark.skipif(shutil.which("g++") is None, reason="needs a C++ compiler")
BACKENDS = ["eager", "aot_eager", pytest.param("inductor", marks=COMPILER)]


def forget_compiled() -> None:
    torch._dynamo.reset()
    torch._dynamo.utils.counters.clear()


def train(backend: str, what: str, bug: str = "") -> Weights:
    """Train with the model compiled, or its forward and loss, or as well the optimizer's step."""
    forget_compiled()
    net = model()
    called: Any = torch.compile(net, backend=backend) if what == "model" else net

    def loss_of(inputs: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        with torch.autocast("cpu", dtype=torch.float16):
            return nn.functional.cross_entropy(called(inputs), labels)

    if what == "loss":
        loss_of = torch.compile(loss_of, backend=backend)
    optimizer, scaling = optim.AdamW(net.parameters(), 1e-2), scaler(init_scale=2.0**20)
    for step in range(12):
        if bug != "never zeroed":
            optimizer.zero_grad()
        scaling.scale(loss_of(*batch(step))).backward()  # never zeroed
        if bug != "clipped":
            scaling.unscale_(optimizer)
        clip_grad_norm_(net.parameters(), 0.1)  # clipped
        if bug == "bypassed":
            optimizer.step()  # bypassed
        else:
            scaling.step(optimizer)
        scaling.update()
    return weights(net)


@pytest.mark.parametrize("what", ["model", "loss"])
@pytest.mark.parametrize("backend", BACKENDS)
def test_a_right_loop_is_left_as_it_is(backend: str, what: str) -> None:
    assert unharmed(train, backend, what).summary()["skipped"] == 4


@pytest.mark.parametrize("backend", ["aot_eager", pytest.param("inductor", marks=COMPILER)])
def test_a_clip_of_scaled_gradients_is_named(backend: str) -> None:
    assert first_named(train, backend, "model", "clipped") == ("AMP101", "clipped")


@pytest.mark.parametrize(("bug", "code"), [("never zeroed", "AMP123"), ("bypassed", "AMP106")])
def test_a_bug_around_compiled_code_is_named(bug: str, code: str) -> None:
    assert first_named(train, "eager", "loss", bug) == (code, bug)


def compiled_step() -> Weights:
    forget_compiled()
    net = model()
    optimizer = optim.AdamW(net.parameters(), 1e-2)
    step_once = torch.compile(optimizer.step, backend="eager")
    for step in range(8):
        optimizer.zero_grad()
        inputs, labels = batch(step)
        with torch.autocast("cpu", dtype=torch.bfloat16):
            loss = nn.functional.cross_entropy(net(inputs), labels)
        loss.backward()
        step_once()
    return weights(net)


@pytest.mark.filterwarnings("ignore")
def test_a_compiled_step_of_the_optimizer_is_left_as_it_is() -> None:
    assert unharmed(compiled_step).summary()["attempts"] == 8
