"""Work is counted by the dtype it ran in, beside torch's own counter."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from ampfix.watch.flops import SAMPLED
from tests.watch.toy import attention, batch, half_loss, model, record, train


@pytest.mark.parametrize("build", [model, attention])
def test_work_is_counted_by_the_dtype_it_ran_in(build: Any) -> None:
    recorded = record(train, build(), 3)
    counter = FlopCounterMode(display=False)
    net = build()
    with counter:
        half_loss(net).backward()
    counted = recorded.summary["flops"]
    assert recorded.summary["flop_steps"] == len(SAMPLED & {1, 2})
    attention = 0 if build is model else _attention_work()
    assert counted["float16"] == recorded.summary["flop_steps"] * (counter.get_total_flops() + attention)
    assert set(counted) == {"float16"}


def _attention_work() -> int:
    """Two products forward; torch's counter knows no CPU kernel of attention. Backward: five, the scores once more."""
    tokens, width = 6, 16
    return 7 * 2 * tokens * tokens * width


def test_a_loop_without_autocast_works_in_float32() -> None:
    def loop() -> None:
        net = model()
        optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
        for step in range(3):
            nn.functional.cross_entropy(net(batch(step)[0]), batch(step)[1]).backward()
            optimizer.step()

    assert set(record(loop).summary["flops"]) == {"float32"}


def test_an_accumulation_window_is_counted_whole() -> None:
    one, four = record(train, model(), 3, 1), record(train, model(), 3, 4)
    assert four.summary["flops"]["float16"] == 4 * one.summary["flops"]["float16"]


def test_a_few_early_steps_in_half_precision_do_not_outweigh_the_rest() -> None:
    def loop() -> None:
        net = model()
        optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
        for step in range(40):
            with torch.autocast("cpu", enabled=step < 10):
                loss = nn.functional.cross_entropy(net(batch(step)[0]).float(), batch(step)[1])
            loss.backward()
            optimizer.step()

    flops = record(loop).summary["flops"]
    assert flops["bfloat16"] / sum(flops.values()) == pytest.approx(8 / 32, rel=0.1)


def test_counting_leaves_the_loops_own_dispatch_modes_alone() -> None:
    own = FlopCounterMode(display=False)

    def loop() -> None:
        with ExitStack() as stack:
            net = model()
            optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
            for step in range(6):
                nn.functional.cross_entropy(net(batch(step)[0]), batch(step)[1]).backward()
                if step == 2:  # inside a counted step
                    stack.enter_context(own)
                optimizer.step()

    recorded = record(loop)
    assert own.get_total_flops() > 0
    assert recorded.summary["flops"]["float32"] > 0
    assert torch.utils._python_dispatch._get_current_dispatch_mode() is None
