"""The rules of the step protocol: a violation has one rule, a bug one report, and repaired loops run like fp32."""

from __future__ import annotations

import contextlib
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

from ampfix.emulate import cuda, force_fp32
from ampfix.lint import check_source
from ampfix.lint.module import SourceModule
from ampfix.protocol import Violation
from ampfix.rules import ProtocolRule, all_rules

RULES = [rule for rule in all_rules() if isinstance(rule, ProtocolRule)]
STEP = re.compile(r"AMP1(0[1-9]|1[0-3]|2\d)")
MINE = [rule for rule in RULES if STEP.match(rule.code)]
LINT = Path(__file__).parents[1] / "data" / "lint"


def texts() -> Iterator[str]:
    for rule in RULES:
        yield from rule.VALID
        yield from (example.code for example in rule.INVALID)
    for path in sorted(LINT.glob("*/*.py")):
        yield path.read_text(encoding="utf-8")


def test_every_violation_has_a_rule() -> None:
    assert {violation for rule in all_rules() for violation in rule.violations} == set(Violation)


def test_no_occurrence_belongs_to_two_rules() -> None:
    seen = 0
    for text in texts():
        occurrences = SourceModule(text, "loop.py").occurrences
        claimed = [id(found) for rule in RULES for found in rule.among(occurrences)]
        assert len(claimed) == len(set(claimed)), text
        seen += len(claimed)
    assert seen > 40


EXAMPLES = [
    pytest.param(rule, example.code, id=f"{rule.code}-{index}")
    for rule in MINE
    for index, example in enumerate(rule.INVALID)
]


@pytest.mark.parametrize(("rule", "text"), EXAMPLES)
def test_one_bug_is_reported_once(rule: ProtocolRule, text: str) -> None:
    found = [finding.code for finding in check_source(text) if STEP.match(finding.code)]
    assert found == [rule.code]


# Running the examples: what `train` takes is made by its name.


class Net(torch.nn.Module):
    """Returns a loss where it gets a target. pair: two of them."""

    def __init__(self, pair: bool = False) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(0.5 * torch.randn(8, 8))
        self.inner = torch.nn.Linear(8, 8)
        self.out = torch.nn.Linear(8, 8)
        self.pair = pair

    def forward(self, x: torch.Tensor, y: torch.Tensor | None = None) -> Any:
        result = self.out(torch.tanh(self.inner(torch.nn.functional.linear(x, self.weight))))
        if y is None:
            return result
        loss = torch.nn.functional.mse_loss(result.float(), y)
        return (loss, 0.5 * (loss + result.float().square().mean())) if self.pair else loss


class Writer:
    def add_histogram(self, name: str, values: torch.Tensor) -> None:
        assert name
        assert values.numel()


def run(text: str, fp32: bool = False) -> torch.Tensor:
    """The movement of all weights. A low scale that grows every third step: no overflow, and no stale scale passes."""
    text = text.replace('GradScaler("cuda")', 'GradScaler("cuda", init_scale=256.0, growth_interval=3)')
    text = text.replace("GradScaler()", "GradScaler(init_scale=256.0, growth_interval=3)")
    torch.manual_seed(0)
    torch.set_num_threads(1)
    with cuda(profile="A100"), force_fp32() if fp32 else contextlib.nullcontext():
        nets = [Net("first, second" in text).cuda(), Net().cuda()]
        start = [parameter.detach().clone() for net in nets for parameter in net.parameters()]
        batches = [(torch.randn(4, 8).cuda(), 3 * torch.randn(4, 8).cuda()) for _ in range(6)]
        if "isfinite" in text:  # there is something to give up
            batches[2][0][0, 0] = float("inf")
        bias = nets[0].out.bias
        own = [parameter for parameter in nets[0].parameters() if parameter is not bias or "other" not in text]
        options = {
            "model": nets[0],
            "head": nets[1],
            "loader": batches,
            "optimizer": torch.optim.SGD(own, lr=0.1, momentum=0.5),
            "head_optimizer": torch.optim.SGD(nets[1].parameters(), lr=0.1),
            "other": torch.optim.SGD([bias], lr=0.05),
            "writer": Writer(),
            "log": lambda _: None,
        }
        numbers = {"accum": 2, "every": 2, "max_norm": 0.5, "weight": 0.5, "sigma": 0.1, "last": 3}
        namespace: dict[str, Any] = {"print": lambda *_: None}
        exec(compile(text, "loop.py", "exec"), namespace)
        wanted = inspect.signature(namespace["train"]).parameters
        namespace["train"](**{name: options.get(name, numbers.get(name, True)) for name in wanted})
        ends = [parameter.detach() for net in nets for parameter in net.parameters()]
        return torch.cat([(end - begin).flatten() for end, begin in zip(ends, start, strict=True)]).cpu()


RUNNABLE = [
    pytest.param(rule, example.code, example.fixed, id=f"{rule.code}-{index}")
    for rule in MINE
    for index, example in enumerate(rule.INVALID)
    if example.fixed is not None and "netD" not in example.code
]
SAME_WEIGHTS = {"AMP102", "AMP121", "AMP123"}  # a log, a region that ends too late, gradients that the scaler buries


CLOSE = 0.02  # rounding of float16 moves the repaired loops by 0.0005 to 0.004, the least harm done is 0.033


def distance(update: torch.Tensor, reference: torch.Tensor) -> float:
    return float((update - reference).norm() / reference.norm())


@pytest.mark.parametrize(("rule", "broken", "fixed"), RUNNABLE)
def test_a_repaired_example_moves_the_weights_as_fp32_does(rule: ProtocolRule, broken: str, fixed: str) -> None:
    reference = run(fixed, fp32=True)
    assert float(reference.norm()) > 0
    assert distance(run(fixed), reference) < CLOSE
    try:
        harm = distance(run(broken), reference)
    except (RuntimeError, AssertionError):
        return  # torch refuses it
    assert harm > CLOSE or rule.code in SAME_WEIGHTS
