"""AMP304 follows models through tuples and loops over several, and knows methods that record no gradients."""

from __future__ import annotations

import pytest

from ampfix.lint import Settings, check_source

TRAIN = """\
import torch
import torch.nn.functional as F

{before}
def train(model, teacher, ema, loader, held_out, optimizer, scaler):
    {made}
    for x, y in loader:
        optimizer.zero_grad()
        with torch.autocast("cuda"):
            loss = F.cross_entropy(model(x), y)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
    {behind}
"""
EVALUATOR = """\
class Evaluator:
    def __init__(self, model, loader):
        self.model, self.loader = model, loader

    @torch.inference_mode()
    def run(self):
        return sum(self.model(x).argmax(1) == y for x, y in self.loader)
"""
RUN = """\
def run(net, loader):
    net.eval()
    with torch.no_grad():
        return sum(net(x).argmax(1) == y for x, y in loader)
"""
NET = """\
class Net(torch.nn.Module):
    {decorator}
    def predict(self, x):
        {body}

    def forward(self, x):
        return self.body(x)
"""
PREDICTED = "for x, y in held_out:\n        print(model.predict(x))"
OFF = "@torch.no_grad()"


def count(before: str, behind: str, made: str = "pass") -> int:
    text = TRAIN.format(before=before, behind=behind, made=made)
    return len(check_source(text, "loop.py", Settings(select=("AMP304",))))


@pytest.mark.parametrize(("handed", "told"), [("model", 1), ("teacher", 0)])
def test_attributes_are_set_together(handed: str, told: int) -> None:
    assert count(EVALUATOR, f"print(Evaluator({handed}, held_out).run())") == told


@pytest.mark.parametrize(
    ("behind", "told"),
    [
        ("for net in (model, ema.module):\n        print(run(net, held_out))", 1),
        ("print([run(net, held_out) for net in [model, ema.module]])", 1),
        ("for net in (teacher, other):\n        print(run(net, held_out))", 0),
        ('with torch.autocast("cuda"):\n        print([run(net, held_out) for net in (model, ema.module)])', 0),
    ],
)
def test_a_loop_goes_over_models(behind: str, told: int) -> None:
    assert count(RUN, behind) == told


@pytest.mark.parametrize(
    ("decorator", "body", "told"),
    [
        (OFF, "return self.body(x)", 1),
        ("@property", "return self.body(x)", 0),
        (OFF, 'with torch.autocast("cuda"):\n            return self.body(x)', 0),
    ],
)
def test_a_method_may_record_no_gradients(decorator: str, body: str, told: int) -> None:
    assert count(NET.format(decorator=decorator, body=body), PREDICTED, "model = Net()") == told
