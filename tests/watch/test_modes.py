"""Modes that start and stop in any order leave nothing on the stack and see nothing once stopped."""

from __future__ import annotations

from typing import Any

import hypothesis
import hypothesis.strategies as st
import pytest
import torch
from torch.utils._python_dispatch import _get_current_dispatch_mode, _get_current_dispatch_mode_stack
from torch.utils.flop_counter import FlopCounterMode

from ampfix.watch import Watch, flops
from ampfix.watch.modes import GuestMode
from tests.watch.toy import model, train


class Counter(GuestMode):
    seen = 0

    def observe(self, func: Any, args: Any, kwargs: dict[str, Any]) -> Any:
        self.seen += 1
        return func(*args, **kwargs)


@hypothesis.given(st.lists(st.tuples(st.integers(0, 2), st.booleans()), max_size=20))
def test_whatever_the_order_only_running_guests_see_ops(moves: list[tuple[int, bool]]) -> None:
    guests, expected = [Counter(), Counter(), Counter()], [0, 0, 0]
    for which, start in moves:
        (guests[which].start if start else guests[which].stop)()
        torch.ones(1).neg_()
        for index, guest in enumerate(guests):
            expected[index] += 2 * guest.running
        assert [guest.seen for guest in guests] == expected
    for guest in guests:
        guest.stop()
    assert _get_current_dispatch_mode() is None


def test_a_guest_stopped_below_the_loops_own_mode_leaves_later() -> None:
    guest, own = Counter(), FlopCounterMode(display=False)
    guest.start()
    with own:
        guest.stop()
        torch.ones(1)
        assert guest in _get_current_dispatch_mode_stack()
    assert guest.seen == 0
    Counter().stop()
    assert _get_current_dispatch_mode() is None


@pytest.mark.parametrize("drawn", [2, 3])
def test_a_trace_that_ends_under_a_counted_round_leaves_nothing(monkeypatch: pytest.MonkeyPatch, drawn: int) -> None:
    """Attempt 1 is traced; counting may begin just before its trace ends, on top of it."""

    class Fixed:
        def randrange(self, start: int, end: int) -> int:
            return drawn if start <= drawn < end else start

    monkeypatch.setattr(flops, "_RANDOM", Fixed())
    with Watch(tell=lambda _: None):
        train(model(), 2)
    assert _get_current_dispatch_mode() is None
