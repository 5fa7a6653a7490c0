"""Writes the page of `--html`."""

from __future__ import annotations

from pathlib import Path

from ampfix import atomic
from ampfix.cli._common import CommandError


def write_page(path: Path, page: str) -> None:
    """In one move, so that a reader never meets half of it. Raises CommandError."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic.write(path, page.encode())
    except OSError as error:
        raise CommandError(f"{path}: cannot be written: {error.strerror or error}") from error
