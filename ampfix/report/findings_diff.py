"""What `ampfix fix` would make of the bugs that a run showed, as diffs beside their alarms."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_MOST, _MOST_LINES = 12, 120


@dataclass(frozen=True)
class Repair:
    """A rule's repair of one file. lines: the unified diff, cut where it is long."""

    code: str
    path: str
    diff: str


def repairs(alarms: Iterable[Mapping[str, Any]]) -> list[Repair]:
    """One for each rule and file that an alarm names; files that are gone, or that nothing repairs, are left out."""
    pairs = dict.fromkeys((str(alarm["code"]), str(alarm["path"])) for alarm in alarms if _is_placed(alarm))
    found = (repair(code, path) for code, path in list(pairs)[:_MOST])
    return [one for one in found if one is not None]


def _is_placed(alarm: Mapping[str, Any]) -> bool:
    return bool(alarm.get("code")) and str(alarm.get("path", "")).endswith(".py")


def repair(code: str, path: str) -> Repair | None:
    """What `fix --unsafe-fixes --select CODE` would change in a file."""
    from ampfix.codemods.fixpoint import fix_text
    from ampfix.findings import Applicability, Finding
    from ampfix.lint.engine import check_source
    from ampfix.lint.project import Project

    try:
        before = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return None

    def check(text: str) -> list[Finding]:
        return [finding for finding in check_source(text, path, project=Project()) if finding.code == code]

    after = fix_text(before, check, (Applicability.SAFE, Applicability.UNSAFE)).text
    if after == before:
        return None
    name = Path(path).name
    lines = list(difflib.unified_diff(before.splitlines(), after.splitlines(), name, name, lineterm=""))
    if len(lines) > _MOST_LINES:
        lines = [*lines[:_MOST_LINES], f"({len(lines) - _MOST_LINES} more lines)"]
    return Repair(code, path, "\n".join(lines))
