"""AMP304 keeps silent where the training region is off by a constant, and where the model is evaluated on the CPU."""

from __future__ import annotations

import pytest

from ampfix.lint import Settings, check_source

LOOP = """\
import torch

use_amp = {use_amp}

def train(model, loader, scaler, optimizer):
    for x, y in loader:
        optimizer.zero_grad()
        with torch.autocast("cuda", enabled=use_amp):
            loss = model(x, y)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()

@torch.no_grad()
def validate(model, loader, device={device}):
    model.eval()
    return [{read} for x in loader]

def main(model, loader, scaler, optimizer):
    train(model, loader, scaler, optimizer)
    validate(model, loader{handed})
"""


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({}, 1),
        ({"use_amp": "False"}, 0),
        ({"use_amp": "bool(torch.cuda.device_count())"}, 1),
        ({"read": "model(x).detach().numpy()"}, 0),
        ({"read": "model(x).detach().cpu().numpy()"}, 1),
        ({"device": '"cpu"'}, 0),
        ({"device": '"cpu"', "handed": ', device="cuda"'}, 1),
        ({"device": '"cpu"', "handed": ', "cuda"'}, 1),
        ({"device": '"cuda"'}, 1),
    ],
)
def test_an_evaluation_differs_only_where_training_casts_on_the_same_device(
    changed: dict[str, str], expected: int
) -> None:
    text = LOOP.format(**{"use_amp": "True", "device": "None", "read": "model(x.to(device))", "handed": "", **changed})
    assert len(check_source(text, "loop.py", Settings(select=("AMP304",)))) == expected


BY_DEFAULT = """\
import torch

def train(model, loader, optimizer, scaler, use_amp=True):
    for x, y in loader:
        with torch.autocast("cuda", enabled=use_amp):
            loss = model(x, y)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()

@torch.no_grad()
def validate(model, loader, use_amp={default}):
    model.eval()
    for x, y in loader:
        {region}:
            print(model(x, y))

def main(model, loader, held_out, optimizer, scaler, amp):
    train(model, loader, optimizer, scaler, amp)
    validate(model, held_out{given})
"""
OF_A_FLAG = 'with torch.autocast("cuda", enabled=use_amp)'


@pytest.mark.parametrize(
    ("default", "given"), [("False", ""), ("True", ", False"), ("None", ", use_amp=None")], ids=["left", "off", "none"]
)
def test_an_evaluation_whose_switch_is_left_off_is_told_at_its_call(default: str, given: str) -> None:
    findings = check_source(
        BY_DEFAULT.format(region=OF_A_FLAG, default=default, given=given), "loop.py", Settings(select=("AMP304",))
    )
    assert [one.span.start.line for one in findings] == [20]


@pytest.mark.parametrize(
    ("region", "default", "given"),
    [(OF_A_FLAG, "False", ", amp"), (OF_A_FLAG, "True", ""), ('with torch.autocast("cuda")', "False", "")],
    ids=["handed on", "on by default", "another region"],
)
def test_one_whose_switch_may_be_on_is_not(region: str, default: str, given: str) -> None:
    text = BY_DEFAULT.format(region=region, default=default, given=given)
    assert not check_source(text, "loop.py", Settings(select=("AMP304",)))
