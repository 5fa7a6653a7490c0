"""Edits say exactly what changed, in original coordinates, whatever the text."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ampfix.codemods import CannotRepair, apply_edits, compute_fix, edits_between
from ampfix.codemods.edits import Locator, split_lines
from ampfix.findings import Edit, Position, Span
from tests.codemods.repairs import repair

TEXTS = st.text(alphabet="ab_ .(\n\r\t\f\u2028é'\"#", max_size=60)


@given(TEXTS, TEXTS)
def test_applying_the_edits_gives_the_other_text(before: str, after: str) -> None:
    edits = edits_between(before, after)
    assert apply_edits(before, edits) == after
    assert all(first.span.end <= second.span.start for first, second in pairwise(edits))
    assert (edits == ()) == (before == after)


@given(TEXTS)
def test_lines_end_where_python_ends_them(text: str) -> None:
    lines = split_lines(text)
    assert "".join(lines) == text
    assert all(not set(line.rstrip("\r\n")) & {"\r", "\n"} and line for line in lines)


@given(TEXTS, st.data())
def test_positions_and_offsets_are_inverse(text: str, data: st.DataObject) -> None:
    offset = data.draw(st.integers(0, len(text)))
    locate = Locator(text)
    assert locate.offset(locate.position(offset)) == offset


def test_edits_touch_only_the_tokens_that_change() -> None:
    edits = edits_between("with autocast(x):\n", 'with autocast("cuda", x):\n')
    assert edits == (Edit(Span(Position(1, 15), Position(1, 15)), '"cuda", '),)


def test_overlapping_edits_are_refused() -> None:
    first, second = Span(Position(1, 1), Position(1, 4)), Span(Position(1, 3), Position(1, 5))
    with pytest.raises(ValueError, match="overlapping"):
        apply_edits("abcdef", [Edit(first, ""), Edit(second, "")])


NEWLINES = st.sampled_from(["\n", "\r\n"])
FILLERS = st.sampled_from(
    [
        "",
        "# é comment",
        "x = 'single'",
        'y = "double"  # trailing',
        "z = (1,\n{i}     2)",
        '"""doc\n  string"""',
        "q = \\\n 1",
    ]
)
INDENTS = st.sampled_from(["  ", "    ", "\t", "   "])


@st.composite
def loops(draw: st.DrawFn) -> tuple[str, str]:
    """A loop with a clip in random surroundings, and the line that belongs in front of the clip."""
    indent = draw(INDENTS)
    newline = draw(NEWLINES)
    above = [indent + filler.replace("{i}", indent) for filler in draw(st.lists(FILLERS, max_size=3))]
    below = [indent + filler.replace("{i}", indent) for filler in draw(st.lists(FILLERS, max_size=3))]
    comment = draw(st.sampled_from(["", "  # noqa", " # ß"]))
    clip = f"{indent}norm = clip_grad_norm_(p, 1.0){comment}"
    lines = ["for x in data:", *above, clip, *below, f"{indent}pass"]
    text = "\n".join(lines).replace("\n", newline) + draw(st.sampled_from(["", newline]))
    return text, f"{indent}s.unscale_(o){newline}"


@given(loops())
@settings(max_examples=60, deadline=None)
def test_an_inserted_statement_changes_nothing_around_it(case: tuple[str, str]) -> None:
    text, line = case
    fix = compute_fix(text, repair("insert_unscale", text, "norm = clip_grad_norm_(p, 1.0)", scaler="s", optimizer="o"))
    after = apply_edits(text, fix.edits)
    assert after.replace(line, "", 1) == text
    assert after.index("unscale_") < after.index("clip_grad_norm_")
    compile(after, "loop.py", "exec")


def test_a_text_that_the_parser_does_not_give_back_is_refused() -> None:
    text = "for x in data:\n  clip()\n  \\\n  q = 1\n"  # libcst drops the line that holds only a backslash
    with pytest.raises(CannotRepair, match="unchanged"):
        compute_fix(text, repair("insert_unscale", text, "clip()", scaler="s", optimizer="o"))
