"""Temporary folders that do not outlive the program for long, even where it was killed."""

from __future__ import annotations

import atexit
import contextlib
import errno
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

_FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_NAME = re.compile(r"ampfix-lab-(?P<pid>\d+)-\w+")


@contextlib.contextmanager
def scratch_folder() -> Iterator[Path]:
    """A new folder that others may enter, removed on exit. Its name carries this process's id."""
    sweep()
    folder = Path(tempfile.mkdtemp(prefix=f"ampfix-lab-{os.getpid()}-"))
    try:
        folder.chmod(0o755)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def is_full(code: int | None) -> bool:
    """Whether a system error says that there is no room for a file: on the disk, or under a quota."""
    return code in _FULL


def sweep() -> None:
    """Remove the folders of this user's programs that were killed before they could."""
    _remove(lambda pid: not is_alive(pid))


@atexit.register
def _remove_own() -> None:
    """Remove what an interrupt left that came while a folder was being made or removed."""
    _remove(lambda pid: pid == os.getpid())


def _remove(chosen: Callable[[int], bool]) -> None:
    for folder in Path(tempfile.gettempdir()).glob("ampfix-lab-*"):
        match = _NAME.fullmatch(folder.name)
        if match and chosen(int(match["pid"])) and _is_ours(folder):
            shutil.rmtree(folder, ignore_errors=True)


def _is_ours(folder: Path) -> bool:
    with contextlib.suppress(OSError):
        return folder.lstat().st_uid == os.getuid() and not folder.is_symlink()
    return False


def is_alive(pid: int) -> bool:
    """Whether a process with this number exists, whoever owns it."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        pass
    return True
