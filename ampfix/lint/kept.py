"""The parsed files that are kept from one check to the next, and the room they take."""

from __future__ import annotations

from collections import OrderedDict

from ampfix.lint.files import SourceFile

_CHARACTERS = 260_000  # of parsed text that is kept; a tree and its index take about 60 times its text


class KeptFiles:
    """By absolute path, the one used last at the end. None stands for a file that is not worth parsing."""

    def __init__(self) -> None:
        self._files: OrderedDict[str, SourceFile | None] = OrderedDict()
        self._in_use: set[str] = set()  # by the check that goes on
        self._dropped: list[SourceFile] = []

    def __contains__(self, path: str) -> bool:
        return path in self._files

    def begin(self) -> None:
        """Another check begins: it uses nothing yet."""
        self._in_use.clear()

    def use(self, path: str) -> SourceFile | None:
        """A file that is kept."""
        self._in_use.add(path)
        self._files.move_to_end(path)
        return self._files[path]

    def get(self, path: str) -> SourceFile | None:
        return self._files.get(path)

    def put(self, path: str, file: SourceFile | None) -> None:
        """Keep a file that is in use from now on, and free others for it, which the check that goes on does not use."""
        self._in_use.add(path)
        self._files[path] = file
        self.free_idle(_CHARACTERS)

    def free_idle(self, kept: int = 0) -> None:
        """Free what the check that goes on does not use, the oldest first, until no more characters are kept."""
        excess = self._parsed() - kept
        while excess > 0 and (oldest := next(iter(self._files))) not in self._in_use:
            excess -= self.drop(oldest)
        self._free()

    def drop(self, path: str) -> int:
        """Keep a file no longer; it is freed with the next that are. How many characters of it were parsed."""
        file = self._files.pop(path, None)
        if file is None:
            return 0
        self._dropped.append(file)
        return file.parsed

    def settle(self, coming: int = 0) -> None:
        """Free what is no longer kept, and make room for a text of this size. Nothing that was made from what is freed
        may be in use."""
        excess = self._parsed() + coming - _CHARACTERS
        while excess > 0 and len(self._files) > 1:
            excess -= self.drop(next(iter(self._files)))
        self._free()

    def _parsed(self) -> int:
        return sum(file.parsed for file in self._files.values() if file is not None)

    def _free(self) -> None:
        while self._dropped:
            self._dropped.pop().release()
