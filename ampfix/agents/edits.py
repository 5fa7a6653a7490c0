"""How much an answer changes, beside what gold changes."""

from __future__ import annotations

import difflib
from collections.abc import Mapping

from ampfix.lab.models import Model

LONGEST_DIFF = 8000


class EditSize(Model):
    """Lines added and removed, by the answer and by gold. Comments and blank lines do not count."""

    answer: int
    gold: int


def changed_lines(old: Mapping[str, str], new: Mapping[str, str]) -> int:
    """Lines removed from `old` and added in `new`, texts by path."""
    return sum(
        line[:1] in "+-"
        for name, text in new.items()
        for line in list(difflib.unified_diff(_code(old.get(name, "")), _code(text), n=0, lineterm=""))[2:]
    )


def shown_diff(old: Mapping[str, str], new: Mapping[str, str]) -> str:
    """From the broken loop to these files, as a unified diff of at most LONGEST_DIFF characters."""
    lines = [
        line
        for name, text in new.items()
        for line in difflib.unified_diff(
            old.get(name, "").splitlines(), text.splitlines(), f"a/{name}", f"b/{name}", lineterm=""
        )
    ]
    shown = "\n".join(lines)
    return shown if len(shown) <= LONGEST_DIFF else shown[:LONGEST_DIFF] + "\n(cut)"


def _code(text: str) -> list[str]:
    return [line.rstrip() for line in text.splitlines() if line.strip() and not line.lstrip().startswith("#")]
