"""Answers in every form that is taken, for benchmarks/stored_answers.py."""

from __future__ import annotations

import difflib
import json
from collections.abc import Callable
from dataclasses import dataclass

from ampfix.lab.spec import ScenarioSpec

Text = Callable[[ScenarioSpec, int], str]
"""An answer to a scenario; the number makes it distinct."""


@dataclass(frozen=True)
class Form:
    """mode: what the answer says that it was asked for."""

    name: str
    text: Text
    is_early: bool
    mode: str | None = None


@dataclass(frozen=True)
class Made:
    """A line of a predictions file."""

    form: str
    line: bytes
    is_early: bool


def make(form: Form, spec: ScenarioSpec, number: int) -> Made:
    text = form.text(spec, number)
    if form.name == "not JSON":
        return Made(form.name, text.encode() + b"\n", form.is_early)
    scenario = "no-such-scenario" if form.name == "unknown scenario" else spec.id
    fields = {"scenario_id": scenario, "model_name_or_path": "stored", "answer": text}
    if form.mode is not None:
        fields["mode"] = form.mode
    return Made(form.name, json.dumps(fields).encode() + b"\n", form.is_early)


def _gold(spec: ScenarioSpec, number: int) -> str:
    return f"{spec.gold_files()[spec.entry]}\n# answer {number}\n"


def _plain_gold(spec: ScenarioSpec, _: int) -> str:
    return spec.gold_files()[spec.entry]


def _diff(spec: ScenarioSpec, new: str) -> str:
    old = spec.loop_files()[spec.entry].splitlines(keepends=True)
    names = (f"a/{spec.entry}", f"b/{spec.entry}")
    return "".join(difflib.unified_diff(old, new.splitlines(keepends=True), *names))


def _said(template: str) -> Text:
    """Words with ENTRY and NUMBER filled in."""
    return lambda spec, number: template.replace("ENTRY", spec.entry).replace("NUMBER", str(number))


def _as_diff(code: Text) -> Text:
    return lambda spec, number: _diff(spec, code(spec, number))


def _as_block(code: Text) -> Text:
    return lambda spec, number: f"The repair:\n\n```python\n{code(spec, number)}```\n"


def _as_files(code: Text) -> Text:
    return lambda spec, number: json.dumps({"files": {spec.entry: code(spec, number)}})


def _as_patch(code: Text) -> Text:
    return lambda spec, number: json.dumps({"patch": _diff(spec, code(spec, number))})


def _raises(spec: ScenarioSpec, number: int) -> str:
    """The loop with an exception where it is imported."""
    return f"{spec.loop_files()[spec.entry]}\nraise RuntimeError('answer {number}')\n"


def _misspelt(spec: ScenarioSpec, number: int) -> str:
    """The loop with an import that no installation has."""
    return f"import torch_amp_{number}\n{spec.loop_files()[spec.entry]}"


def _same_that_raises(spec: ScenarioSpec, _: int) -> str:
    return _raises(spec, 0)


EARLY = (
    Form("a file that raises", _raises, True),
    Form("a diff that raises", _as_diff(_raises), True),
    Form("Markdown with a file that raises", _as_block(_raises), True),
    Form("JSON with a file that raises", _as_files(_raises), True),
    Form("a file with a wrong import", _misspelt, True),
    Form("JSON with a diff with a wrong import", _as_patch(_misspelt), True),
    Form("a function that raises", _as_block(_said("def train(task):\n    raise ValueError(NUMBER)\n")), True),
    Form("no Python", _as_block(_said("def train(task:\n    NUMBER\n")), True),
    Form("prose", _said("Answer NUMBER: move zero_grad after the step."), True),
    Form("a diff of another file", _said("--- a/../task.py\n+++ b/../task.py\n@@ -1 +1 @@\n-a\n+NUMBER\n"), True),
    Form("a diff that does not fit", _said("--- a/ENTRY\n+++ b/ENTRY\n@@ -1 +1 @@\n-no NUMBER\n+x\n"), True),
    Form("code left out", _as_block(_said("def train(task):\n    NUMBER\n    # rest of the loop unchanged\n")), True),
    Form("the same file that raises", _same_that_raises, True),
    Form("unknown scenario", _gold, True),
    Form("not JSON", _said("answer NUMBER"), True),
)
LATE = (
    Form("the whole file", _gold, False),
    Form("a diff", _as_diff(_gold), False),
    Form("Markdown with the whole file", _as_block(_gold), False),
    Form("JSON with files", _as_files(_gold), False),
    Form("JSON with a diff", _as_patch(_gold), False),
    Form("a review without code", _said("Answer NUMBER: it looks mostly correct."), False, "review"),
    Form("the same whole file", _plain_gold, False),
    Form("the same as Markdown", _as_block(_plain_gold), False),
)
