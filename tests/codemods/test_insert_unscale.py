"""unscale_ goes right before the clip, and nothing else changes."""

from __future__ import annotations

import pytest

from ampfix.codemods import CannotRepair
from tests.codemods.repairs import place, repair, repaired, span_of

CLIP = "clip_grad_norm_(p, 1.0)"
SHAPES = {
    "statement": (f"{CLIP}\n", f"s.unscale_(o)\n{CLIP}\n"),
    "assignment": (f"norm = {CLIP}  # log\n", f"s.unscale_(o)\nnorm = {CLIP}  # log\n"),
    "comment and blank line above": (f"a()\n\n# clip\n{CLIP}\n", f"a()\n\n# clip\ns.unscale_(o)\n{CLIP}\n"),
    "tabs": (f"for b in d:\n\t{CLIP}\n", f"for b in d:\n\ts.unscale_(o)\n\t{CLIP}\n"),
    "inside with and if": (
        f"with c:\n  if max_norm:\n    {CLIP}\n",
        f"with c:\n  if max_norm:\n    s.unscale_(o)\n    {CLIP}\n",
    ),
    "if on one line": (f"if c: {CLIP}  # x\ng()\n", f"if c:\n    s.unscale_(o)\n    {CLIP}  # x\ng()\n"),
    "else on one line": (f"if c: pass\nelse: {CLIP}", f"if c: pass\nelse:\n    s.unscale_(o)\n    {CLIP}"),
    "first of semicolons": (f"{CLIP}; b()\n", f"s.unscale_(o)\n{CLIP}; b()\n"),
    "last of semicolons": (f"a(); {CLIP}; \n", f"a()\ns.unscale_(o)\n{CLIP}; \n"),
    "head of an if": (f"if {CLIP} > 9:\n    a()\n", f"s.unscale_(o)\nif {CLIP} > 9:\n    a()\n"),
    "head of a with, comment above": (
        f"# c\nwith f({CLIP}):\n    a()\n",
        f"# c\ns.unscale_(o)\nwith f({CLIP}):\n    a()\n",
    ),
    "return": (f"def f():\n    return {CLIP}\n", f"def f():\n    s.unscale_(o)\n    return {CLIP}\n"),
    "match": (
        f"match m:\n    case 1:\n        {CLIP}\n",
        f"match m:\n    case 1:\n        s.unscale_(o)\n        {CLIP}\n",
    ),
    "CRLF": (f"a()\r\n{CLIP}\r\nb()\r\n", f"a()\r\ns.unscale_(o)\r\n{CLIP}\r\nb()\r\n"),
    "mixed line ends": (f"a()\n{CLIP}\r\nb()\n", f"a()\ns.unscale_(o)\r\n{CLIP}\r\nb()\n"),
    "no final newline": (f"a()\n{CLIP}", f"a()\ns.unscale_(o)\n{CLIP}"),
    "after a docstring": (
        f'def f():\n    """D."""\n    {CLIP}\n',
        f'def f():\n    """D."""\n    s.unscale_(o)\n    {CLIP}\n',
    ),
    "non-ASCII before it": (f"é = 'ß'; {CLIP}\n", f"é = 'ß'\ns.unscale_(o)\n{CLIP}\n"),
    "continued line": (f"n = \\\n    {CLIP}\n", f"s.unscale_(o)\nn = \\\n    {CLIP}\n"),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_unscale_is_inserted_right_before_the_clip(shape: str) -> None:
    before, after = SHAPES[shape]
    assert repaired(before, repair("insert_unscale", before, CLIP, scaler="s", optimizer="o")) == after


def test_a_condition_is_kept() -> None:
    before = f"for b in d:\n   {CLIP}\n"
    request = repair("insert_unscale", before, CLIP, scaler="self.s", optimizer="self.o", condition="self.amp")
    assert repaired(before, request) == f"for b in d:\n   if self.amp:\n      self.s.unscale_(self.o)\n   {CLIP}\n"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (f"{CLIP}\n# now\ns.unscale_(o)  # late\ns.step(o)\n", f"# now\ns.unscale_(o)  # late\n{CLIP}\ns.step(o)\n"),
        (f"{CLIP}; s.unscale_(o); s.step(o)\n", f"s.unscale_(o)\n{CLIP}; s.step(o)\n"),
        (f"{CLIP}\nif amp:\n    s.unscale_(o)\ns.step(o)\n", f"if amp:\n    s.unscale_(o)\n{CLIP}\ns.step(o)\n"),
    ],
)
def test_an_unscale_that_comes_too_late_moves_instead_of_being_doubled(before: str, after: str) -> None:
    existing = place(span_of(before, "s.unscale_(o)"))
    assert (
        repaired(before, repair("insert_unscale", before, CLIP, scaler="s", optimizer="o", existing=existing)) == after
    )


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (f"f = lambda: {CLIP}\n", "lambda"),
        (f"x = [{CLIP} for o in os]\n", "comprehension"),
        (f"while {CLIP} > 1:\n    pass\n", "while"),
        (f"if a:\n    pass\nelif {CLIP}:\n    pass\n", "elif"),
    ],
)
def test_places_without_room_for_a_statement_are_refused_with_the_reason(text: str, reason: str) -> None:
    with pytest.raises(CannotRepair, match=reason):
        repaired(text, repair("insert_unscale", text, CLIP, scaler="s", optimizer="o"))


def test_a_late_unscale_of_another_block_is_left_to_the_user() -> None:
    text = f"{CLIP}\nif last:\n    s.unscale_(o)\n    s.step(o)\n"
    existing = place(span_of(text, "s.unscale_(o)"))
    with pytest.raises(CannotRepair, match="another block"):
        repaired(text, repair("insert_unscale", text, CLIP, scaler="s", optimizer="o", existing=existing))
