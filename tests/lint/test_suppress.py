"""Comments silence findings on their line, in their statement, or in their file, and only those they name."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ampfix.lint import check_source
from ampfix.lint.suppress import unsuppressed

HEAD = """\
import torch

def train(model, loader, optimizer):
    scaler = torch.amp.GradScaler("cuda")
    for x, y in loader:
        with torch.autocast("cuda", dtype=torch.float16):
            loss = model(x, y)
        scaler.scale(loss).backward()
"""
CLIP = """\
        torch.nn.utils.clip_grad_norm_(
            model.parameters(),
            1.0,
        )
"""
TAIL = """\
        scaler.step(optimizer)
        scaler.update()
        optimizer.zero_grad()
"""


def codes(text: str) -> list[str]:
    return [finding.code for finding in check_source(text)]


def with_comment(line: int, comment: str) -> str:
    lines = CLIP.splitlines()
    lines[line] += f"  # {comment}"
    return HEAD + "\n".join(lines) + "\n" + TAIL


def test_the_loop_has_one_finding() -> None:
    assert codes(HEAD + CLIP + TAIL) == ["AMP101"]


@pytest.mark.parametrize("line", [0, 3])
def test_the_first_and_the_last_line_of_a_statement_silence_it(line: int) -> None:
    assert codes(with_comment(line, "noqa: AMP101")) == []
    assert codes(with_comment(line, "noqa: AMP114")) == ["AMP101"]


def test_a_line_inside_a_statement_silences_only_what_begins_or_ends_there() -> None:
    assert codes(with_comment(1, "noqa")) == ["AMP101"]


def test_a_part_of_a_longer_statement_is_silenced_from_its_last_line() -> None:
    text = HEAD + "        norms = dict(\n            a=torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0),\n"
    assert codes(text + "            b=1,\n        )\n" + TAIL) == ["AMP101"]
    assert codes(text + "            b=1,\n        )  # noqa: AMP1\n" + TAIL) == []


def test_a_comment_on_the_head_of_a_block_does_not_reach_into_it() -> None:
    assert codes((HEAD + CLIP + TAIL).replace("in loader:", "in loader:  # noqa")) == ["AMP101"]


@pytest.mark.parametrize(
    ("comment", "silenced"),
    [
        ("# ampfix: noqa", True),
        ("# ampfix: noqa: AMP101", True),
        ("#ampfix:noqa:AMP114, AMP1", True),
        ("# AMPFIX: NOQA", True),
        ("# ampfix: noqa: AMP114", False),
        ("# ampfix: noqa because the loop is old", False),
        ("# other: noqa: E501", False),
        ("x = 1  # ampfix: noqa", False),
        ("'# ampfix: noqa'", False),
    ],
)
@pytest.mark.parametrize("at_end", [False, True])
def test_a_file_is_silenced_by_a_line_of_its_own(comment: str, silenced: bool, at_end: bool) -> None:
    text = HEAD + CLIP + TAIL
    assert (codes(text + comment + "\n" if at_end else comment + "\n" + text) == []) is silenced


@given(st.text(alphabet="# noqa:AMP10,\n\\'\"()", max_size=60))
def test_no_comment_is_a_crash_and_what_is_left_was_there(text: str) -> None:
    findings = check_source(HEAD + CLIP + TAIL)
    assert all(left in findings for left in unsuppressed(findings, text))
