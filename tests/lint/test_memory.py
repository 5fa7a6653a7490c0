"""What was analysed is freed at once: nothing refers to itself in a circle once a file is done."""

from __future__ import annotations

import gc
from pathlib import Path

import pytest

from ampfix.lint.engine import check_text
from ampfix.lint.project import Project
from ampfix.lint.settings import Settings
from ampfix.rules import all_rules

EXAMPLES = [(rule.code, rule.INVALID[0].code) for rule in all_rules()]


def test_nothing_is_left_for_the_collector(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    project, left = Project(), []
    for code, text in [*EXAMPLES, *EXAMPLES]:  # what is loaded the first time stays
        gc.collect()
        gc.freeze()
        check_text(text, "train.py", Settings(), project)
        left.append((code, gc.collect()))
    gc.unfreeze()
    assert [(code, objects) for code, objects in left[len(EXAMPLES) :] if objects] == []
