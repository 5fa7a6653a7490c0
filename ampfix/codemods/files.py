"""Writes a repaired source file: its encoding, byte order mark, line ends, permissions and symlinks survive."""

from __future__ import annotations

import io
import tokenize
from pathlib import Path

from ampfix import atomic


class WriteError(Exception):
    """A repaired file was not written. `str()` says why in one line, without the path."""


def write_source(path: Path, original: bytes, text: str) -> None:
    """Put `text` where `original` was read, in the same encoding. A symlink stays one, and its target is written.

    Raises WriteError where the file cannot be written or has changed since `original` was read.
    """
    data = encode_as(original, text)
    try:
        target = path.resolve()
        if target.read_bytes() != original:
            raise WriteError("changed while it was being repaired; run the command again")
        atomic.write(target, data)
    except OSError as error:
        raise WriteError(f"cannot be written: {error.strerror or error}") from error


def encode_as(original: bytes, text: str) -> bytes:
    """`text` in the encoding that Python reads in `original`, with its byte order mark. Raises WriteError."""
    encoding, _ = tokenize.detect_encoding(io.BytesIO(original).readline)  # "utf-8-sig" where there is a mark
    try:
        return text.encode(encoding)
    except UnicodeEncodeError as error:
        raise WriteError(f"the repair does not fit into the file's encoding: {error}") from error
