"""Files that tests of the jail offer to a submission that should not get them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from .jailing import open_up


@pytest.fixture
def bait(tmp_path: Path) -> Iterator[Path]:
    """A file that anyone on the host may read and write."""
    file = tmp_path / "heldout.safetensors"
    file.write_text("secret")
    file.chmod(0o666)
    open_up(file)
    tmp_path.chmod(0o777)
    yield file
