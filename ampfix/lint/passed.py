"""Files that no rule looks at, by their time of change and size, so that a later run need not even read them."""

from __future__ import annotations

import contextlib
import json
import os
import time
from pathlib import Path
from typing import Any

from ampfix import atomic
from ampfix.lint.read import digest
from ampfix.lint.settings import per_object
from ampfix.rules import Listed

SUFFIX = ".passed"
_REST_NS = (
    2_000_000_000  # clocks of file systems tick in up to 2 s: a change within a tick of the reading would not show
)


class Passed:
    """file: where they are kept. Entries not asked for since `kept_days` are dropped when it is written."""

    def __init__(self, file: Path, kept_days: int) -> None:
        self._file, self._kept_days = file, kept_days
        self._entries: dict[str, list[Any]] = _load(file)
        self._today = int(time.time() // 86_400)
        self.changed = False

    def knows(self, path: str, rules: tuple[Listed, ...]) -> bool:
        """Whether the file, unchanged since, was found to be one that none of the rules looks at."""
        entry = self._entries.get(os.path.abspath(path))
        if entry is None or entry[:3] != _stamp(path, rules):
            return False
        if entry[3] != self._today:
            entry[3] = self._today
            self.changed = True
        return True

    def note(self, path: str, rules: tuple[Listed, ...]) -> None:
        """The file has been read, and none of the rules looks at it."""
        stamp = _stamp(path, rules)
        if stamp is not None and time.time_ns() - int(stamp[0]) > _REST_NS:
            self._entries[os.path.abspath(path)] = [*stamp, self._today]
            self.changed = True

    def write(self) -> None:
        """Put the entries on disk, where there are new ones and the folder can be written."""
        if not self.changed:
            return
        kept = {path: entry for path, entry in self._entries.items() if self._today - entry[3] <= self._kept_days}
        with contextlib.suppress(OSError):
            atomic.write(self._file, json.dumps(kept, separators=(",", ":")).encode())


def _stamp(path: str, rules: tuple[Listed, ...]) -> list[Any] | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return [status.st_mtime_ns, status.st_size, _asked(rules)]


@per_object
def _asked(rules: tuple[Listed, ...]) -> str:
    return digest(",".join(rule.code for rule in rules).encode())


def _load(file: Path) -> dict[str, list[Any]]:
    try:
        loaded = json.loads(file.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    if not isinstance(loaded, dict):
        return {}
    return {path: entry for path, entry in loaded.items() if _is_entry(entry)}


def _is_entry(entry: Any) -> bool:
    return isinstance(entry, list) and [type(item) for item in entry] == [int, int, str, int]
