"""A dry run ends, whatever the program, and tells the same twice."""

from __future__ import annotations

import textwrap

from hypothesis import given
from hypothesis import strategies as st

from tests.dryrun.programs import run

_VALUES = st.sampled_from(
    [
        "scaler",
        "optimizer",
        "model",
        "a",
        "None",
        "True",
        "3",
        "'x'",
        "[a, scaler]",
        "{'s': scaler, **a}",
        "f'{a}'",
        "(lambda x: x.step)(a)",
        "a.b",
        "a['s']",
        "a[0]",
        "go(a)",
        "go",
        "[x for x in a if x]",
        "a if b else scaler",
        "a and b",
        "not a",
        "a == b",
        "a in (b, 'x')",
        "a + b",
        "*a, b",
        "(yield)",
        "model(a)",
        "a(*b, **a)",
        "-a",
    ]
)
_SIMPLE = st.builds(
    str.format,
    st.sampled_from(
        [
            "a = {0}",
            "b, *a = {0}",
            "a.b = {0}",
            "a['s'] = {0}",
            "a += {0}",
            "return {0}",
            "raise {0}",
            "assert {0}",
            "{0}",
            "del a",
            "global a",
            "a.update({0})",
            "scaler.step({0})",
            "break",
            "import a.b",
            "from a import *",
            "a.append({0})",
            "scaler.scale({0}).backward()",
            "setattr(a, 'b', {0})",
            "torch.save({0}, 'x')",
        ]
    ),
    _VALUES,
)
_HEADS = st.sampled_from(
    [
        "if {0}:",
        "while {0}:",
        "for a in {0}:",
        "with {0} as b:",
        "def go(x=a, *b, **c):",
        "class go(a):",
        "try:",
        "async def go(a):",
        "with autocast(enabled=a):",
        "@torch.no_grad()\ndef go(a):",
    ]
)


def _nested(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    bodies = st.lists(inner, min_size=1, max_size=4).map("\n".join)
    return st.builds(_headed, _HEADS, _VALUES, bodies)


def _headed(head: str, value: str, body: str) -> str:
    end = "\nexcept a:\n    pass\nfinally:\n    a = 1" if head == "try:" else ""
    return head.format(value) + "\n" + textwrap.indent(body, "    ") + end


@given(st.lists(st.recursive(_SIMPLE, _nested, max_leaves=8), max_size=6))
def test_runs_any_program(statements: list[str]) -> None:
    program = "\n".join(statements)
    try:
        first, second = run(program), run(program)
    except SyntaxError:
        return
    assert [(event.kind, event.stack) for event in first.events] == [
        (event.kind, event.stack) for event in second.events
    ]
