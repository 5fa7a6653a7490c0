"""Messages with files on a byte stream: how jobs reach a container, and results leave it.

A parcel is a length (4 bytes, big-endian), that many bytes of JSON {message, files: [[name, size], ...]}, and the bytes
of the files in that order. Either end may be a stranger to the other, so the receiver trusts no name and no size.
"""

from __future__ import annotations

import json
import os
import struct
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

Read = Callable[[int], bytes]
"""Given a number n, some 1 to n bytes of the stream; none at its end."""
Write = Callable[[bytes], object]
"""Writes all of the bytes."""

_LENGTH = struct.Struct(">I")
_LARGEST_HEADER = 1 << 20
_MOST_FILES = 1024
_CHUNK = 1 << 18


class Malformed(ValueError):
    """What arrived is not a parcel, or larger than it may be; the message is one line."""


def send(write: Write, message: Mapping[str, Any], files: Mapping[str, Path]) -> None:
    """Write a message and the content of files, by the relative path that the receiver shall give each."""
    sized = [(name, path, path.stat().st_size) for name, path in files.items()]
    header = json.dumps({"message": message, "files": [[name, size] for name, _, size in sized]}).encode()
    write(_LENGTH.pack(len(header)) + header)
    for name, path, size in sized:
        with path.open("rb") as file:
            for part in _parts(file.read, size, name):
                write(part)


def receive(read: Read, folder: Path, most_bytes: int) -> dict[str, Any]:
    """Take one parcel: its files go below `folder`, its message is returned.

    Raises EOFError where the stream ends first, and Malformed for a name that leads out of the folder or is taken, or
    for files of more than `most_bytes` together.
    """
    (length,) = _LENGTH.unpack(_exactly(read, _LENGTH.size))
    if length > _LARGEST_HEADER:
        raise Malformed(f"a header of {length} bytes")
    message, files = _parsed(_exactly(read, length))
    total = sum(size for _, size in files)
    if total > most_bytes:
        raise Malformed(f"{total} bytes of files, where {most_bytes} are allowed")
    for name, size in files:
        _take(read, folder / name, size)
    return message


def files_below(folder: Path) -> dict[str, Path]:
    """Every regular file below a folder, by its relative path."""
    found = (path for path in sorted(folder.rglob("*")) if path.is_file() and not path.is_symlink())
    return {path.relative_to(folder).as_posix(): path for path in found}


def _parsed(header: bytes) -> tuple[dict[str, Any], list[tuple[str, int]]]:
    try:
        fields = json.loads(header)
        message, listed = fields["message"], fields["files"]
        files = [(_safe(name), _size(size)) for name, size in listed]
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise Malformed(f"not a parcel: {type(error).__name__}: {error}") from None
    if not isinstance(message, dict) or len(files) > _MOST_FILES:
        raise Malformed("not a parcel: no message, or too many files")
    return message, files


def _safe(name: object) -> str:
    if not isinstance(name, str) or "\0" in name or "\\" in name:
        raise Malformed(f"file name {name!r}")
    path = PurePosixPath(name)
    if path.is_absolute() or not path.parts or ".." in path.parts:
        raise Malformed(f"file name {name!r}")
    return str(path)


def _size(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise Malformed(f"file size {value!r}")
    return value


def _take(read: Read, path: Path, size: int) -> None:
    try:
        path.parent.mkdir(mode=0o755, parents=True, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0), 0o644)
    except (FileExistsError, NotADirectoryError) as error:
        raise Malformed(f"{path.name} is there already: {error.strerror}") from None
    with os.fdopen(descriptor, "wb") as file:
        for part in _parts(read, size, path.name):
            file.write(part)


def _parts(read: Read, size: int, name: str) -> Iterator[bytes]:
    left = size
    while left:
        part = read(min(left, _CHUNK))
        if not part:
            raise EOFError(f"{name} ended {left} bytes early")
        left -= len(part)
        yield part


def _exactly(read: Read, size: int) -> bytes:
    return b"".join(_parts(read, size, "a parcel"))
