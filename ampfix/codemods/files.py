"""Source files as text and back: encoding, byte order mark, line ends and permissions survive.

A file is replaced atomically, so that an interruption leaves the old or the new one, never half of either.
"""

from __future__ import annotations

import contextlib
import io
import os
import tempfile
import tokenize
from dataclasses import dataclass
from pathlib import Path


class FileError(Exception):
    """A file cannot be read or written. `str()` says why in one line, without the path."""


@dataclass(frozen=True)
class SourceFile:
    """A file as it was read. `text` is without the byte order mark and keeps every line end."""

    path: Path
    data: bytes
    text: str
    encoding: str


def read_source(path: Path) -> SourceFile:
    """Read and decode as Python would (PEP 263 cookie, byte order mark, else UTF-8). Raises FileError."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise FileError(f"cannot be read: {error.strerror or error}") from error
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
        return SourceFile(path, data, data.decode(encoding), encoding)
    except (SyntaxError, UnicodeDecodeError, LookupError) as error:
        raise FileError(f"is not text in its declared encoding, or in UTF-8 where none is declared: {error}") from error


def encoded(source: SourceFile, text: str) -> bytes:
    """`text` in the encoding of `source`, with its byte order mark if it had one. Raises FileError."""
    try:
        return text.encode(source.encoding)  # "utf-8-sig", which detect_encoding answers, writes the mark
    except UnicodeEncodeError as error:
        raise FileError(f"the repair does not fit into its encoding: {error}") from error


def write_source(source: SourceFile, text: str) -> None:
    """Replace the file's text, keeping mode and owner; a symlink stays one, and its target is written.

    Raises FileError where the file cannot be written or changed since it was read.
    """
    target = source.path.resolve()
    data = encoded(source, text)
    try:
        if target.read_bytes() != source.data:
            raise FileError("changed while it was being repaired; run the command again")
        _replace(target, data)
    except OSError as error:
        raise FileError(f"cannot be written: {error.strerror or error}") from error


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
                os.chown(name, status.st_uid, status.st_gid)
        draft.chmod(status.st_mode & 0o7777)  # behind chown, which clears the set-user-id bit
        draft.replace(target)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
