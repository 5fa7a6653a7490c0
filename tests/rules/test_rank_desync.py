"""AMP209 finds the test that skips in the function that does one turn, and whatever helper it asks."""

from __future__ import annotations

import pytest

from ampfix.lint import Settings, check_source

STEP = """\
import torch
import torch.distributed as dist

def is_bad(label="loss", value=None):
    return not torch.isfinite(value)

class Trainer:
    def __init__(self, model, rank):
        self.model = torch.nn.parallel.DistributedDataParallel(model.cuda(rank), device_ids=[rank])
        self.optimizer = torch.optim.AdamW(self.model.parameters())
        self.scaler = torch.amp.GradScaler("cuda")

    def is_bad(self, value):
        return not torch.isfinite(value)

    def agree(self, value):
        dist.all_reduce(value)
        return value

    def step(self, data):
        with torch.autocast("cuda"):
            loss = self.model(data)
        {before}
        if {test}:
            return torch.tensor(0.0)
        self.optimizer.zero_grad()
        self.scaler.scale(loss / 2).backward()
        self.scaler.step(self.optimizer)
        self.scaler.update()
        return self.agree(loss.detach())
"""


def found(test: str, before: str = "pass") -> list[str]:
    text = STEP.format(test=test, before=before)
    lines = text.splitlines()
    findings = check_source(text, "trainer.py", Settings(select=("AMP209",)))
    return [lines[one.span.start.line - 1].strip() for one in findings]


@pytest.mark.parametrize(
    "test", ["not torch.isfinite(loss)", "is_bad(value=loss)", "self.is_bad(loss)", "torch.isnan(loss).any()"]
)
def test_a_rank_that_returns_from_its_turn_is_told(test: str) -> None:
    assert found(test) == [f"if {test}:"]


@pytest.mark.parametrize(
    ("test", "before"),
    [
        ("bad.item()", "bad = ~torch.isfinite(loss); dist.all_reduce(bad)"),
        ("bad or not torch.isfinite(loss)", "bad = self.agree(~torch.isfinite(loss))"),
        ("not torch.isfinite(self.limit)", "pass"),
        ("is_bad(loss, value=data)", "pass"),
        ("torch.isinf(torch.tensor(self.scaler.get_scale()))", "pass"),
    ],
    ids=["the ranks agree", "a method agrees", "another value", "another argument", "the scale"],
)
def test_what_all_ranks_see_alike_is_not(test: str, before: str) -> None:
    assert found(test, before) == []


DIVIDED = """\
import torch
import torch.distributed as dist

def train(model, criterion, loader, optimizer, scaler, steps):
    world = dist.get_world_size()
    for x, y in loader:
        with torch.autocast("cuda"):
            losses = criterion(model(x), y)
        total = losses["total"]
        if not torch.isfinite({tested}):
            continue
        scaled = {scaled}
        scaler.scale(scaled).backward()
        scaler.step(optimizer)
        scaler.update()
        optimizer.zero_grad()
"""


@pytest.mark.parametrize(
    ("tested", "scaled", "told"),
    [("total", "total / steps", True), ("total", "total", True), ("x", "total / steps", False)],
)
def test_a_loss_that_is_divided_behind_the_test_is_the_same(tested: str, scaled: str, told: bool) -> None:
    text = DIVIDED.format(tested=tested, scaled=scaled)
    assert len(check_source(text, "trainer.py", Settings(select=("AMP209",)))) == told


@pytest.mark.parametrize("value", ["loss.item()", "loss.detach()", "float(loss)", "loss.detach().cpu().item()"])
def test_a_value_of_the_loss_is_the_loss(value: str) -> None:
    assert found("not math.isfinite(value)", f"value = {value}") == ["if not math.isfinite(value):"]


@pytest.mark.parametrize(
    "value", ["data.norm().item()", "self.agree(loss.detach()).item()", "reduce_mean(loss).item()"]
)
def test_a_value_of_something_else_is_not(value: str) -> None:
    assert not found("not math.isfinite(value)", f"value = {value}")


def test_a_value_of_the_loss_that_ends_the_run_is_not_told() -> None:
    case = STEP.format(test="not math.isfinite(value)", before="value = loss.item()")
    ended = case.replace("            return torch.tensor(0.0)", "            sys.exit(1)")
    assert ended != case and not check_source(ended, "trainer.py", Settings(select=("AMP209",)))
