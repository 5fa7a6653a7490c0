"""AMP304 finds evaluations of models that functions which are handed in run, and of models under other names."""

from __future__ import annotations

import pytest

from ampfix.lint import Settings, check_source

SCRIPT = """\
import torch
from torch.utils.checkpoint import checkpoint

def train(model, loader, scaler, optimizer, loss_fn, run, jvp):
    for x, y in loader:
        with torch.autocast("cuda"):
            {forward}
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()

def evaluate(model, loader, sampler, run):
    model.eval()
    with torch.no_grad():
        for x, y in loader:
            {evaluated}
"""
HANDED = """\
import torch

def train_fn(gen, loader, opt, l1, scaler):
    for x, y in loader:
        with torch.autocast("cuda"):
            loss = l1(gen(x), y)
        opt.zero_grad()
        scaler.scale(loss).backward()
        scaler.step(opt)
        scaler.update()

def save_examples(gen, loader):
    {switch}
    with torch.no_grad():
        for x, y in loader:
            save_image({forward})

def main(loader, val):
    generator, l1, scaler = Generator(), torch.nn.L1Loss(), torch.amp.GradScaler("cuda")
    opt = torch.optim.Adam({trained}.parameters())
    for epoch in range(9):
        train_fn(generator, loader, opt, l1, scaler)
        save_examples(generator, val)
"""
WRAPPED = """\
import torch

def train(model, loader, scaler, optimizer, loss_fn):
    wrapped = {wrapper}(model, sigma=0.5)
    for x, y in loader:
        with torch.autocast("cuda"):
            loss = loss_fn(wrapped, x, y)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        draw(model, x)

def steps(wrapped, x):
    for _ in range(20):
        x = wrapped(x)
    return x

@torch.no_grad()
def draw(model, x):
    model.eval()
    wrapped = {wrapper}(model, sigma=0.5)
    {drawn}
"""


def script(evaluated: str, forward: str) -> str:
    return SCRIPT.format(evaluated=evaluated, forward=forward)


def found(text: str) -> list[str]:
    lines = text.splitlines()
    findings = check_source(text, "loop.py", Settings(select=("AMP304",)))
    return [lines[one.span.start.line - 1].strip() for one in findings]


@pytest.mark.parametrize(
    ("evaluated", "forward"),
    [
        ("print(run(model, x))", "loss = loss_fn(run(model, x), y)"),
        ("print(model(x))", "loss = loss_fn(run(model, x), y)"),
        ("print(model(x))", "loss = loss_fn(jvp(lambda z: model(z, y), x), y)"),
        ("print(model(x))", "loss = loss_fn(checkpoint(model, x), y)"),
        ("print(sampler.sample(lambda z: model(z, y), x))", "loss = loss_fn(model(x), y)"),
    ],
)
def test_functions_that_are_handed_a_model_run_it(evaluated: str, forward: str) -> None:
    assert found(script(evaluated, forward)) == [evaluated]


@pytest.mark.parametrize(
    ("evaluated", "forward"),
    [
        ("print(len(list(model.parameters())))", "loss = loss_fn(run(model, x), y)"),
        ("print(run(x, y))", "loss = loss_fn(run(x), y)"),
        ("print(sorted(x, key=lambda z: z.sum()))", "loss = loss_fn(model(x), y)"),
        ("print(sampler.sample(lambda model: model(x), y))", "loss = loss_fn(model(x), y)"),
        ("print(model(x))", "loss = loss_fn(run(lambda z: z * y, x), y)"),
    ],
)
def test_functions_that_run_no_model_are_left_alone(evaluated: str, forward: str) -> None:
    assert not found(script(evaluated, forward))


def test_nested_functions_that_are_handed_on() -> None:
    nested = "def guided(z):\n                return model(z, y)\n            print(sampler.sample(guided, x))"
    assert found(script(nested, "loss = loss_fn(model(x), y)")) == ["print(sampler.sample(guided, x))"]


def test_a_parameter_is_the_model_that_is_handed_in() -> None:
    case = HANDED.format(switch="gen.eval()", forward="gen(x)", trained="generator")
    assert found(case) == ["save_image(gen(x))"]


@pytest.mark.parametrize(("switch", "forward", "trained"), [("pass", "l1(x, y)", "generator"), ("pass", "x", "l1")])
def test_a_parameter_that_is_handed_no_model(switch: str, forward: str, trained: str) -> None:
    assert not found(HANDED.format(switch=switch, forward=forward, trained=trained))


def test_a_wrapper_is_the_model_that_it_holds() -> None:
    drawn = "return steps(wrapped, x)"
    assert found(WRAPPED.format(wrapper="EDMPrecond", drawn=drawn)) == [drawn]


@pytest.mark.parametrize(
    ("wrapper", "drawn"),
    [
        ("ModelWrapper", "return wrapped.state_dict()"),
        ("Catalogue", "return steps(wrapped, x)"),
    ],
)
def test_what_runs_no_wrapped_model(wrapper: str, drawn: str) -> None:
    assert not found(WRAPPED.format(wrapper=wrapper, drawn=drawn))
