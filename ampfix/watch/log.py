"""The run's record on disk: one JSON object a line, appended as things happen, readable after a kill at any moment."""

from __future__ import annotations

import json
import math
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

SCHEMA = 1
"""Version of the lines. It changes when a field changes its meaning or goes away."""


_ENCODER = json.JSONEncoder(allow_nan=False)


class Log:
    """Appends lines to `watch-RANK.jsonl` in a folder; a forked child writes to a file of its own."""

    def __init__(self, folder: Path, rank: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder, self._rank = folder, rank
        self._descriptor, self._owner = -1, 0
        self.path = folder
        self._open(f"watch-{rank}.jsonl", os.O_TRUNC)

    def write(self, kind: str, fields: Mapping[str, Any]) -> None:
        """One line, in one write: whole or, where the machine stops in the middle, the last and cut short."""
        if os.getpid() != self._owner:
            self._open(f"watch-{self._rank}-{os.getpid()}.jsonl", 0)
        record = {"kind": kind, **fields}
        try:
            line = _ENCODER.encode(record)
        except ValueError:  # a number that is not finite
            line = _ENCODER.encode(plain(record))
        os.write(self._descriptor, (line + "\n").encode())

    def close(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _open(self, name: str, more: int) -> None:
        self.path = self._folder / name
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | more
        self._descriptor = os.open(self.path, flags, 0o644)
        self._owner = os.getpid()


def plain(value: Any) -> Any:
    """JSON has no NaN and no infinity: they are written as "nan", "inf" and "-inf"."""
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, Mapping):
        return {str(name): plain(item) for name, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    return value


def read(path: Path) -> Iterator[dict[str, Any]]:
    """The lines of a record, as far as they were written whole."""
    with path.open("rb") as lines:
        for line in lines:
            try:
                record = json.loads(line)
            except ValueError:
                return
            if isinstance(record, dict):
                yield record
