"""Work is counted by the dtype it ran in, beside torch's own counter."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Any

import pytest
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from ampfix.watch.flops import FlopCensus
from tests.watch.toy import attention, batch, half_loss, model, record, train


@pytest.mark.parametrize("build", [model, attention])
def test_work_is_counted_by_the_dtype_it_ran_in(build: Any) -> None:
    recorded = record(train, build(), 4)
    counter = FlopCounterMode(display=False)
    net = build()
    with counter:
        half_loss(net).backward()
    counted = recorded.summary["flops"]
    assert recorded.summary["flop_rounds"] in (2, 3)  # the round after the last may be drawn too
    attention = 0 if build is model else _attention_work()
    assert counted["float16"] == 4 * (counter.get_total_flops() + attention)
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
    one, four = record(train, model(), 4, 1), record(train, model(), 4, 4)
    assert four.summary["flops"]["float16"] == 4 * one.summary["flops"]["float16"]


def test_a_few_early_steps_in_half_precision_do_not_outweigh_the_rest() -> None:
    def loop() -> None:
        net = model()
        optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
        for step in range(40):
            with torch.autocast("cpu", enabled=step < 8):
                loss = nn.functional.cross_entropy(net(batch(step)[0]).float(), batch(step)[1])
            loss.backward()
            optimizer.step()

    flops = record(loop).summary["flops"]
    assert flops["bfloat16"] / sum(flops.values()) == pytest.approx(8 / 40, rel=0.1)


def test_no_step_can_be_relied_on_to_be_left_out() -> None:
    def drawn() -> set[int]:
        census = FlopCensus()
        steps = set()
        for step in range(1, 64):
            census.after_attempt("optimizer")
            if census.running:
                steps.add(step)
        census.stop()
        return steps

    draws = [drawn() for _ in range(400)]
    assert set().union(*draws) == set(range(1, 64))
    assert set.intersection(*draws) == {1}


@pytest.mark.parametrize("steps", [20, 80, 333, 2000])
def test_counted_steps_stand_for_all(steps: int) -> None:
    census = FlopCensus()
    stood_for = 0
    for _ in range(steps):
        before = census.counted
        census.after_attempt("optimizer")
        stood_for += census._size if census.counted > before else 0
    census.stop()
    assert stood_for == pytest.approx(steps, rel=1 / 4)


def _for_two(steps: int, order: str) -> float:
    """Estimated work of a loop that does the same work before each letter of `order`, which names who steps then."""

    def loop() -> None:
        net = model()
        parameters = list(net.parameters())
        optimizers = {
            name: torch.optim.SGD(part, lr=0.01) for name, part in (("a", parameters[:2]), ("b", parameters[2:]))
        }
        for step in range(steps):
            for name in order:
                nn.functional.cross_entropy(net(batch(step)[0]), batch(step)[1]).backward()
                optimizers[name].step()

    return float(record(loop).summary["flops"]["float32"])


@pytest.mark.parametrize("order", ["ab", "aab", "abb", "aaaab", "baaaa", "aaabbb"])
def test_the_work_of_two_optimizers_is_counted_together(order: str) -> None:
    one = _for_two(1, "a" * 96)
    estimates = [_for_two(96 // len(order), order) for _ in range(4)]
    assert sum(estimates) / len(estimates) == pytest.approx(one, rel=0.5)  # one scatters by 0.15 or so


def test_an_optimizer_that_takes_over_is_counted_on() -> None:
    alone, taken_over = (
        sum(_for_two(1, order) for _ in range(8)) / 8 for order in ("a" * 96, "a" * 64 + "b" * 32)
    )  # one scatters by 0.08
    assert taken_over == pytest.approx(alone, rel=0.25)


def test_counting_leaves_the_loops_own_dispatch_modes_alone() -> None:
    own = FlopCounterMode(display=False)

    def loop() -> None:
        with ExitStack() as stack:
            net = model()
            optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
            for step in range(6):
                nn.functional.cross_entropy(net(batch(step)[0]), batch(step)[1]).backward()
                if step == 1:  # always a counted step
                    stack.enter_context(own)
                optimizer.step()

    recorded = record(loop)
    assert own.get_total_flops() > 0
    assert recorded.summary["flops"]["float32"] > 0
    assert torch.utils._python_dispatch._get_current_dispatch_mode() is None
