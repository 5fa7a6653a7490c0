"""Writes a file as a whole: an interruption leaves the old or the new content, never half of either."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from pathlib import Path


def write(target: Path, data: bytes) -> None:
    """Put `data` into `target`, which keeps its permissions and owner where it exists.

    A target that is no regular file (a pipe, a terminal) is written to as it is. Raises OSError.
    """
    write_parts(target, (data,))


def write_parts(target: Path, parts: Iterable[bytes]) -> None:
    """`write` for data that comes in parts."""
    if target.exists() and not target.is_file():
        with target.open("wb") as file:
            file.writelines(parts)
        return
    import tempfile  # slow to import, and most runs write nothing

    status = target.stat() if target.exists() else None
    if status is not None and not os.access(target, os.W_OK):
        raise PermissionError(13, "it is read-only")
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.", suffix=".tmp")
    draft = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            file.writelines(parts)
            file.flush()
            os.fsync(file.fileno())
        if status is not None and hasattr(os, "chown"):
            with contextlib.suppress(PermissionError):  # only root may give a file away
                os.chown(draft, status.st_uid, status.st_gid)
        # Behind chown, which clears the set-user-id bit. mkstemp lets the owner alone read.
        draft.chmod(status.st_mode & 0o7777 if status is not None else 0o666 & ~_umask())
        draft.replace(target)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
