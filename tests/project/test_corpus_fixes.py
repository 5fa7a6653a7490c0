"""What the measurement of repairs on real code holds against a repair."""

from __future__ import annotations

import sys

import pytest

from .modules import ROOT

sys.path.insert(0, str(ROOT / "benchmarks"))
import corpus_fixes

BEFORE = b"loss.backward()  # scaled\r\noptimizer.step()\r\n"


@pytest.mark.parametrize(
    ("after", "told"),
    [
        (BEFORE.replace(b"step()", b"step(None)"), []),
        (BEFORE.replace(b"step()", b"step("), ["is not valid Python: '(' was never closed"]),
        (BEFORE.replace(b"  # scaled", b""), ["has lost a comment"]),
        (BEFORE.replace(b"\r\n", b"\n"), ["has other line ends"]),
    ],
)
def test_what_a_repair_breaks_is_told(after: bytes, told: list[str]) -> None:
    assert list(corpus_fixes._broken(BEFORE, after)) == told
