"""How much an answer changes, beside what gold changes."""

from __future__ import annotations

import difflib
from collections.abc import Mapping

from ampfix.lab.models import Model
from ampfix.lab.spec import ScenarioSpec

LONGEST_DIFF = 8000


class EditSize(Model):
    """Lines added and removed, by the answer and by gold. Comments and blank lines do not count."""

    answer: int
    gold: int


def edit_size(spec: ScenarioSpec, files: Mapping[str, str]) -> EditSize:
    original = spec.loop_files()
    return EditSize(answer=_changed(original, files), gold=_changed(original, spec.gold_files()))


def shown_diff(spec: ScenarioSpec, files: Mapping[str, str]) -> str:
    """From the broken loop to these files, as a unified diff of at most LONGEST_DIFF characters."""
    original = spec.loop_files()
    lines = [
        line
        for name, text in files.items()
        for line in difflib.unified_diff(
            original.get(name, "").splitlines(), text.splitlines(), f"a/{name}", f"b/{name}", lineterm=""
        )
    ]
    shown = "\n".join(lines)
    return shown if len(shown) <= LONGEST_DIFF else shown[:LONGEST_DIFF] + "\n(cut)"


def _changed(old: Mapping[str, str], new: Mapping[str, str]) -> int:
    return sum(
        line[:1] in "+-"
        for name, text in new.items()
        for line in list(difflib.unified_diff(_code(old.get(name, "")), _code(text), n=0, lineterm=""))[2:]
    )


def _code(text: str) -> list[str]:
    return [line.rstrip() for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
