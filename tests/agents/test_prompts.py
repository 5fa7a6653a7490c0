"""Requests show the loop and what its owner sees, and never what is wrong with it."""

from __future__ import annotations

import re

import pytest

from ampfix.agents.answers import Mode, Question, take
from ampfix.agents.pressures import PRESSURES
from ampfix.agents.prompts import render
from ampfix.lab.spec import all_specs, find

SPECS = all_specs()


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.id)
def test_no_request_says_what_is_wrong(spec) -> None:  # type: ignore[no-untyped-def]
    shown = render(spec).text
    for text in spec.loop_files().values():
        shown = shown.replace(text.rstrip(), "")
    assert not re.search(r"AMP\d{3}", shown)
    assert spec.id not in shown
    assert spec.title not in shown
    assert "fixed" not in shown.lower()


@pytest.mark.parametrize("mode", Mode)
@pytest.mark.parametrize("pressure", PRESSURES)
def test_every_pressure_is_rendered_in_every_mode(pressure: str, mode: Mode) -> None:
    prompt = render(find("clip-before-unscale"), pressure, mode)
    assert PRESSURES[pressure].says in prompt.text
    assert find("clip-before-unscale").loop_files()["loop.py"].rstrip() in prompt.text
    assert "{{" not in prompt.text


def test_a_request_quoted_back_changes_nothing() -> None:
    spec = find("clip-before-unscale")
    answer = take(render(spec).text.encode(), Question.of(spec), Mode.REVIEW)
    assert answer.text.strip() == spec.loop_files()["loop.py"].strip()
