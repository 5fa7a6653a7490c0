"""The protocol against torch: it reports whatever torch raises on, and what it calls clean is what fp32 does."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.protocol.sequences import LONG, sequences, short_sequences
from tests.protocol.torch_replay import Op, run

_THOROUGH = settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def _check(ops: list[Op]) -> None:
    outcome = run(ops)
    told = ", ".join(map(str, ops))
    if outcome.raised is not None:
        assert outcome.reported_by(outcome.raised), f"torch raised at {ops[outcome.raised]}, unreported: {told}"
    if outcome.differed is not None:
        assert outcome.reported_by(outcome.differed), f"differs from fp32 after {ops[outcome.differed]}: {told}"


@_THOROUGH
@given(sequences())
def test_what_torch_refuses_or_spoils_is_reported(ops: list[Op]) -> None:
    _check(ops)


def test_every_sequence_of_four_operations() -> None:
    for ops in short_sequences(4):
        _check(list(ops))


def test_drawn_sequences_are_long_and_clean_often_enough_to_mean_something() -> None:
    lengths: list[int] = []

    @settings(max_examples=200, deadline=None, database=None, derandomize=True)
    @given(sequences(), st.none())
    def collect(ops: list[Op], _: None) -> None:
        outcome = run(ops)
        lengths.append(len(ops) if not outcome.reported else 0)

    collect()
    share = sum(length >= LONG for length in lengths) / len(lengths)
    # Of 1500 drawn sequences 0.51 were clean and had 8 operations or more, 0.26 had 16 or more.
    assert share > 0.35, f"only {share:.0%} of the sequences are clean and have {LONG} operations or more"
