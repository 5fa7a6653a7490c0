"""Choices read off bytes: hypothesis draws them and shrinks them, atheris mutates them by the coverage they reach."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


class Choices:
    """A source of choices. When the bytes run out every choice is the first, so that each input ends."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def below(self, limit: int) -> int:
        """An integer from 0 up to, not including, `limit`, which is at most 256."""
        if self._at >= len(self._data):
            return 0
        self._at += 1
        return self._data[self._at - 1] % limit

    def pick(self, options: Sequence[T]) -> T:
        return options[self.below(len(options))]

    def maybe(self) -> bool:
        return bool(self.below(2))

    @property
    def spent(self) -> bool:
        return self._at >= len(self._data)
