"""Writes a repaired source file: its encoding, byte order mark, line ends, permissions and symlinks survive.

The file is replaced atomically, so that an interruption leaves the old or the new one, never half of either.
"""

from __future__ import annotations

import contextlib
import io
import os
import tempfile
import tokenize
from pathlib import Path


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
        _replace(target, data)
    except OSError as error:
        raise WriteError(f"cannot be written: {error.strerror or error}") from error


def encode_as(original: bytes, text: str) -> bytes:
    """`text` in the encoding that Python reads in `original`, with its byte order mark. Raises WriteError."""
    encoding, _ = tokenize.detect_encoding(io.BytesIO(original).readline)  # "utf-8-sig" where there is a mark
    try:
        return text.encode(encoding)
    except UnicodeEncodeError as error:
        raise WriteError(f"the repair does not fit into the file's encoding: {error}") from error


def _replace(target: Path, data: bytes) -> None:
    status = target.stat()
    if not os.access(target, os.W_OK):
        raise PermissionError(13, "it is read-only")
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.", suffix=".tmp")
    draft = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        if hasattr(os, "chown"):
            with contextlib.suppress(PermissionError):  # only root may give a file away
                os.chown(draft, status.st_uid, status.st_gid)
        draft.chmod(status.st_mode & 0o7777)  # behind chown, which clears the set-user-id bit
        draft.replace(target)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
