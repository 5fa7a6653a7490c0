"""What may hold an accumulator in half is told by the text, before it is parsed: rather too much than too little."""

from __future__ import annotations

import pytest

from ampfix.lint import check_source
from ampfix.rules._accumulators import may_accumulate
from ampfix.rules.low_precision_accumulator import LowPrecisionAccumulator

MAKING = (
    "torch.zeros(8, dtype=torch.float16)",
    "torch.zeros(8, dtype = torch.half)",
    "torch.full((8, f(2)), 0.0).to(torch.float16)",
    "(torch.tensor(0.0).half())",
    "torch.ones_like(x).bfloat16()",
    "empty(8, dtype=torch.bfloat16)",
)
ADDING = (
    "total += x",
    "total -= x",
    "total = x + total",
    "total.add_(x)",
    "total.mul_(2).add_(x)",
    "total.lerp_(x, 2)",
)


@pytest.mark.parametrize("making", MAKING)
@pytest.mark.parametrize("adding", ADDING)
def test_what_is_found_was_told_by_the_text(making: str, adding: str) -> None:
    text = (
        "import torch\nfrom torch import empty\n\n"
        f"def f(xs, x):\n    total = {making}\n    for x in xs:\n        loss.backward()\n        {adding}\n"
    )
    assert "AMP309" in {finding.code for finding in check_source(text)}
    assert may_accumulate(text)


@pytest.mark.parametrize("example", [*LowPrecisionAccumulator.INVALID], ids=lambda example: example.code[:40])
def test_the_examples_are_told_by_the_text(example: object) -> None:
    assert may_accumulate(example.code)  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "text",
    [
        "total = torch.zeros(8, dtype=torch.float32)\ntotal += x",
        "total = torch.zeros(8)\nx = y.to(dtype=torch.float16)\ntotal += x",
        "cache = torch.zeros(8, dtype=torch.float16)\ntotal += 1",
        "model = copy.deepcopy(model)\nx.add_(y)\nmodel.half()",
        "averages = [p.half() for p in ps]\ntotal += 1",
    ],
)
def test_other_texts_need_no_parse(text: str) -> None:
    assert not may_accumulate(text)
