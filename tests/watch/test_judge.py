"""Remembering transitions changes no verdict."""

from __future__ import annotations

import dataclasses

import pytest
from hypothesis import given, settings

from ampfix.protocol import Broken, replay
from ampfix.watch import judge
from tests.protocol.sequences import sequences
from tests.protocol.torch_replay import Op


@pytest.mark.parametrize("most", [2, 1024])
@settings(max_examples=50, deadline=None)
@given(ops=sequences())
def test_the_judge_says_what_the_protocol_says(most: int, ops: list[Op]) -> None:
    events = [dataclasses.replace(event, line=line) for line, op in enumerate(ops * 3) for event in op.events()]
    judge._MOST_STATES, before = most, judge._MOST_STATES
    try:
        live = judge.Judge()
        told: list[Broken] = [item for event in events for item in live(event)]
    finally:
        judge._MOST_STATES = before
    assert told == list(replay(events))
