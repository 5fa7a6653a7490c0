"""What a test of this folder refutes: a saying, and what is true instead. Knows nothing of the page."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

Test = TypeVar("Test", bound=Callable[..., Any])


@dataclass(frozen=True)
class Claim:
    """said: what people say. truth: what execution shows. rules: codes of the rules whose pages tell more."""

    said: str
    truth: str
    rules: tuple[str, ...] = ()


def refutes(said: str, truth: str, *rules: str) -> Callable[[Test], Test]:
    """Mark a test as the proof against a saying."""

    def mark(test: Test) -> Test:
        test.claim = Claim(said, truth, rules)  # type: ignore[attr-defined]
        return test

    return mark
