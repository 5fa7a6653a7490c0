"""What a frame can name, worked out when it is first asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ampfix.lint.frames import Frame, Namer


class Names(Mapping[str, str]):
    """What a frame can name. Most sites are never asked, so it is worked out late."""

    def __init__(self, namer: Namer, frame: Frame) -> None:
        self._namer, self._frame = namer, frame
        self._found: dict[str, str] | None = None

    def _names(self) -> dict[str, str]:
        if self._found is None:
            self._found = self._namer.reachable(self._frame)
        return self._found

    def __getitem__(self, name: str) -> str:
        return self._names()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._names())

    def __len__(self) -> int:
        return len(self._names())
