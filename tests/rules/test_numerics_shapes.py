"""The numerics rules and their repairs on generated code: names or one expression, functions or methods, any layout."""

from __future__ import annotations

import ast

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ampfix.codemods.fixpoint import fix_text
from ampfix.findings import Applicability
from ampfix.lint import Settings, check_source

ALL = (Applicability.SAFE, Applicability.UNSAFE)
IMPORTS = (
    ("import torch", "torch.", "torch.nn.functional."),
    ("import torch\nimport torch.nn.functional as F", "torch.", "F."),
    ("import torch as th\nfrom torch.nn import functional", "th.", "functional."),
)
# The code, and an expression of `out` with {t} and {F} for the modules' names.
HAZARDS = (
    ("AMP402", "{t}log({t}sigmoid(out))"),
    ("AMP402", "out.sigmoid().add(1e-8).log()"),
    ("AMP402", "{t}log(1 - {t}sigmoid(out) + 1e-8)"),
    ("AMP402", "{F}softmax(out, dim=-1, dtype={t}float16).log()"),
    ("AMP403", "{F}binary_cross_entropy({t}sigmoid(out), y)"),
    ("AMP403", "{t}nn.BCELoss()({t}sigmoid(out), y)"),
    ("AMP404", "out / (out.std(-1, keepdim=True) + 1e-8)"),
    ("AMP404", "{t}sqrt({t}var(out, -1) + 1e-12)"),
    ("AMP404", "{t}log(out.abs().clamp(min=1e-9))"),
    ("AMP405", "out.masked_fill(y > 0, -1e9)"),
    ("AMP406", "(out * out).mean(-1)"),
    ("AMP407", "{t}log(out.exp_())"),
)


@st.composite
def loops(draw: st.DrawFn) -> tuple[str, str]:
    """A loop with one hazard, and its rule's code."""
    imports, t, functional = draw(st.sampled_from(IMPORTS))
    code, hazard = draw(st.sampled_from(HAZARDS))
    hazard = hazard.format(t=t, F=functional)
    indent = draw(st.sampled_from(("    ", "  ", "\t")))
    comment = draw(st.sampled_from(("", "  # why this is", "  # -1e9 + 1e-8")))
    quote = draw(st.sampled_from("'\""))
    lines = [f"{imports}", "", f"layer = {t}nn.Linear(4, 4).cuda()", ""]
    if draw(st.booleans()):
        lines += ["def loss_of(out, y):", f'{indent}"""A loss."""', f"{indent}value = {hazard}{comment}"]
        lines += [f"{indent}return value.mean()", ""]
        call = "loss_of(layer(x), y)"
    else:
        call = ""
    lines += ["def train(loader):", f"{indent}for x, y in loader:"]
    lines += [f"{indent * 2}with {t}autocast({quote}cuda{quote}, dtype={t}float16):"]
    if call:
        lines += [f"{indent * 3}loss = {call}{comment}"]
    else:
        lines += [f"{indent * 3}out = layer(x)", f"{indent * 3}loss = ({hazard}){comment}"]
    lines += [f"{indent * 2}yield loss", ""]
    newline = draw(st.sampled_from(("\n", "\r\n")))
    return code, newline.join("\n".join(lines).split("\n"))


def codes(text: str) -> list[str]:
    return [finding.code for finding in check_source(text, "loop.py", Settings(select=("AMP4",)))]


@given(loops())
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_every_shape_is_found_and_repaired_once(loop: tuple[str, str]) -> None:
    code, text = loop
    assert codes(text) == [code]
    outcome = fix_text(text, check_source, ALL)
    ast.parse(outcome.text)
    assert not outcome.unfixed
    assert codes(outcome.text) == []
    assert fix_text(outcome.text, check_source, ALL).text == outcome.text
    assert ("\r\n" in outcome.text) == ("\r\n" in text)
    assert "\n" not in outcome.text.replace("\r\n", "") or "\r\n" not in text
    for comment in ("# why this is", "# -1e9 + 1e-8"):
        assert outcome.text.count(comment) == text.count(comment)


@given(loops())
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_the_same_code_without_a_region_is_silent(loop: tuple[str, str]) -> None:
    _, text = loop
    plain = "\n".join("if True:".join(("        ", "")) if "autocast(" in line else line for line in text.splitlines())
    plain = plain.replace(", dtype=torch.float16", "").replace(", dtype=th.float16", "")
    lines = plain.split("\n")
    for number, line in enumerate(lines):
        if line.strip() == "if True:":
            before = lines[number - 1]
            lines[number] = before[: len(before) - len(before.lstrip())] * 2 + "if True:"
    ast.parse("\n".join(lines))
    assert codes("\n".join(lines)) == []
