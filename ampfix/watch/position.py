"""Where in the user's code an event happened."""

from __future__ import annotations

import os
import sys
import sysconfig
from pathlib import Path
from types import CodeType, FrameType

import torch

_OURS = str(Path(__file__).resolve().parents[1]) + os.sep
_TORCH = str(Path(torch.__file__).resolve().parent) + os.sep
_STDLIB = sysconfig.get_paths()["stdlib"] + os.sep


class Locator:
    """Finds the innermost frame of the user's code: under `root`, or without one anything but torch, the standard
    library and ampfix itself. Paths are given relative to `root` (its name alone where `root` is one file)."""

    def __init__(self, root: Path | None) -> None:
        self._root = None if root is None else os.path.realpath(root)
        self._known: dict[int, tuple[str | None, CodeType]] = {}  # by id, since hashing code is slow

    def __call__(self) -> tuple[str, int]:
        """(path, line), or ("", 0) where no frame of the user's is on the stack."""
        frame: FrameType | None = sys._getframe(1)
        known = self._known
        while frame is not None:
            code = frame.f_code
            found = known.get(id(code))
            path = self.path_of(code) if found is None else found[0]
            if path is not None:
                return path, frame.f_lineno
            frame = frame.f_back
        return "", 0

    def code(self) -> CodeType | None:
        """The user's function that runs now."""
        frame: FrameType | None = sys._getframe(1)
        while frame is not None and not self.is_users(frame.f_code):
            frame = frame.f_back
        return None if frame is None else frame.f_code

    def is_users(self, code: CodeType) -> bool:
        """Whether a function is the user's."""
        return self.path_of(code) is not None

    def path_of(self, code: CodeType) -> str | None:
        """A function's path as it is told; None for one that is not the user's."""
        found = self._known.get(id(code))
        if found is None:
            found = self._known[id(code)] = self._place(code.co_filename), code
        return found[0]

    def _place(self, filename: str) -> str | None:
        if filename.startswith("<"):
            return None
        path = os.path.realpath(filename)
        if self._root is None:
            return None if path.startswith((_OURS, _TORCH, _STDLIB)) else path
        if path == self._root:
            return Path(path).name
        inside = self._root + os.sep
        if not path.startswith(inside) or "site-packages" in path[len(inside) :]:
            return None
        return path[len(inside) :]
