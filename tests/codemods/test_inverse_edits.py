"""A correct loop, broken by the inverse of a repair and repaired again, trains to the very same weights."""

from __future__ import annotations

import io
import os
import tokenize
from typing import Any

import pytest
import torch
from hypothesis import HealthCheck, Phase, assume, given, settings
from hypothesis import strategies as st

from ampfix.codemods.fixpoint import Outcome, fix_text
from ampfix.emulate import cuda
from ampfix.findings import Applicability
from ampfix.lint import check_source
from tests.codemods.bugs import BUGS, Bug
from tests.codemods.loops import DRESSES, Dress, Shape, program, shapes, text

ALL = (Applicability.SAFE, Applicability.UNSAFE)
EXAMPLES = int(os.environ.get("AMPFIX_LOOPS", "3"))
"""Loops for each bug. Few keep the suite quick; AMPFIX_LOOPS=100 searches."""
# a failing loop is short enough as it is, and shrinking it takes minutes
QUICK = settings(
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
)


@pytest.fixture(autouse=True)
def one_thread() -> None:
    torch.set_num_threads(1)


def run(source: str) -> tuple[torch.Tensor, Any]:
    """The weights after training under CUDA's numerics, and the scale and schedule it ended with."""
    torch.manual_seed(0)
    model = torch.nn.Sequential(torch.nn.Linear(6, 8), torch.nn.Tanh(), torch.nn.Linear(8, 3))
    data = [(torch.randn(8, 6), torch.randn(8, 3)) for _ in range(6)]
    with cuda(profile="A100"):
        model = model.cuda()
        space: dict[str, Any] = {"model": model, "data": data}
        exec(compile(source, "loop.py", "exec"), space)
        ended = space["train"](model, data) if "train" in space else None
        return torch.nn.utils.parameters_to_vector(model.parameters()).detach().clone(), ended


def codes(source: str) -> set[str]:
    return {finding.code for finding in check_source(source, "loop.py")}


def fixed(source: str) -> Outcome:
    return fix_text(source, lambda given: check_source(given, "loop.py"), ALL)


@given(shapes(), DRESSES)
@settings(QUICK, max_examples=4 * EXAMPLES)
def test_correct_loops_are_silent_and_left_alone(shape: Shape, dress: Dress) -> None:
    right = text(program(shape), dress)
    assert codes(right) == set()
    assert fixed(right).text == right


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: f"{bug.codes[0]}-{bug.edit.__name__}")
@given(data=st.data())
@settings(QUICK, max_examples=EXAMPLES)
def test_a_broken_loop_is_repaired_to_the_same_weights(bug: Bug, data: st.DataObject) -> None:
    pair = bug.pair(data.draw(shapes()))
    assume(pair is not None)
    assert pair is not None
    dress = data.draw(DRESSES)
    right, broken = text(pair[0], dress), text(pair[1], dress)
    assert codes(broken) & set(bug.codes), broken
    outcome = fixed(broken)
    # a note on the hardware that the correct loop gets as well may stay
    assert [u.reason for u in outcome.unfixed if u.finding.code not in codes(right)] == [], outcome.text
    assert codes(outcome.text) <= codes(right), outcome.text
    assert fixed(outcome.text).text == outcome.text
    assert_only_the_bug_went(broken, outcome.text, dress)
    weights, ended = run(right)
    repaired_weights, repaired_end = run(outcome.text)
    assert torch.equal(weights, repaired_weights), outcome.text
    assert ended is None or ended[not bug.same_scale :] == repaired_end[not bug.same_scale :], outcome.text


def assert_only_the_bug_went(broken: str, repaired: str, dress: Dress) -> None:
    """Comments, quotes, line ends and indentation are the broken text's."""
    assert comments(repaired) == comments(broken)
    assert repaired.count("\r\n") == (repaired.count("\n") if dress.newline == "\r\n" else 0)
    if dress.quote in broken:
        assert not ({"'", '"'} - {dress.quote}) & set(repaired)
    indents = {line[: len(line) - len(line.lstrip())] for line in repaired.splitlines()}
    assert all(set(indent) <= set(dress.indent) and len(indent) % len(dress.indent) == 0 for indent in indents)


def comments(source: str) -> list[str]:
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    return [token.string for token in tokens if token.type == tokenize.COMMENT]
