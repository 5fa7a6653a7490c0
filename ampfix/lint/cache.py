"""What earlier runs found: valid as long as the file, the files it depended on, the rules and ampfix stay the same.

One JSON file for each ampfix and Python, replaced as a whole; whatever cannot be read counts as empty.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ampfix import __version__, atomic
from ampfix.findings import Applicability, Finding, Position, Repair, Severity, Span, TracePoint
from ampfix.lint.checked import Checked
from ampfix.lint.importers import folder_of_all, python_files
from ampfix.lint.passed import SUFFIX, Passed
from ampfix.lint.read import digest
from ampfix.lint.settings import Settings

FOLDER = ".ampfix_cache"
KEPT_DAYS = 30
_DAY = 86_400


class Cache:
    """Findings by file. Entries not asked for in a month are dropped when the file is written."""

    def __init__(self, folder: Path) -> None:
        name = _fingerprint()
        self._file = folder / f"{name}.json"
        self.passed = Passed(folder / f"{name}{SUFFIX}", KEPT_DAYS)
        self._entries: dict[str, Any] = _load(self._file)
        self._digests: dict[str, str] = {}
        self._today = int(time.time() // _DAY)
        self._changed = False

    def has(self, path: str) -> bool:
        """Whether anything is known of a file, be it outdated."""
        return _slot(path) in self._entries

    def find(self, path: str, content: str, settings: Settings) -> Checked | None:
        """What was found in a file with this digest; None where it must be checked anew."""
        entry = self._entries.get(_slot(path))
        if entry is None or entry["key"] != _key(content, path, settings):
            return None
        if self._state(entry["depends"]) != entry["state"]:
            return None
        if entry["seen"] != self._today:
            entry["seen"] = self._today
            self._changed = True
        try:
            return Checked(tuple(map(_finding, entry["findings"])), frozenset(entry["depends"]))
        except (KeyError, TypeError, ValueError, IndexError):
            return None

    def put(self, path: str, content: str, settings: Settings, checked: Checked) -> None:
        """Remember what was found in a file with this digest."""
        depends = sorted(checked.depends)
        self._entries[_slot(path)] = {
            "key": _key(content, path, settings),
            "depends": depends,
            "state": self._state(depends),
            "findings": [_plain(finding) for finding in checked.findings],
            "seen": self._today,
        }
        self._changed = True

    def write(self) -> None:
        """Put the entries on disk. A folder that cannot be written is no error: the next run is only slower."""
        if self._changed or self.passed.changed:
            self._make_folder()
        self.passed.write()
        if not self._changed:
            return
        kept = {slot: entry for slot, entry in self._entries.items() if self._today - entry["seen"] <= KEPT_DAYS}
        with contextlib.suppress(OSError):
            _remove_old(self._file.parent)
            atomic.write(self._file, json.dumps(kept, separators=(",", ":")).encode())

    def _make_folder(self) -> None:
        folder = self._file.parent
        with contextlib.suppress(OSError):
            if not folder.is_dir():
                folder.mkdir(parents=True)
                (folder / ".gitignore").write_text("*\n", encoding="utf-8")

    def _state(self, paths: Iterable[str]) -> str:
        """A digest of the contents, or the absence, of files."""
        for path in paths:
            if path not in self._digests:
                self._digests[path] = _content(path)
        return digest(*(self._digests[path].encode() for path in paths))


def folder_for(start: Path) -> Path:
    """Where the cache of a project lies: beside the nearest pyproject.toml or .git above, else in `start`."""
    start = start.absolute()
    for folder in (start, *start.parents):
        if (folder / "pyproject.toml").exists() or (folder / ".git").exists():
            return folder / FOLDER
    return start / FOLDER


def _load(file: Path) -> dict[str, Any]:
    try:
        loaded = json.loads(file.read_bytes())
    except (OSError, ValueError, RecursionError):
        return {}
    if not isinstance(loaded, dict):
        return {}
    return {slot: entry for slot, entry in loaded.items() if _is_entry(entry)}


def _is_entry(entry: Any) -> bool:
    kinds = {"key": str, "depends": list, "state": str, "findings": list, "seen": int}
    return isinstance(entry, dict) and all(isinstance(entry.get(name), kind) for name, kind in kinds.items())


def _remove_old(folder: Path) -> None:
    """Those of other versions, and drafts that an interrupted run left."""
    limit = time.time() - KEPT_DAYS * _DAY
    for file in folder.iterdir():
        if file.suffix in (".json", ".tmp", SUFFIX) and file.stat().st_mtime < limit:
            file.unlink()


def _slot(path: str) -> str:
    """A file as it was named from a folder, since findings say the name."""
    return f"{os.path.abspath(path)}\0{path}"


def _key(content: str, path: str, settings: Settings) -> str:
    rules = ",".join(rule.code for rule in settings.rules_for(path))
    return digest(content.encode(), rules.encode(), settings.torch_floor.encode())


def _content(path: str) -> str:
    """A file's digest. An absent module may appear as a folder, which changes what an import means."""
    folder = folder_of_all(path)
    if folder is not None:
        return digest(*(part.encode() for file in python_files(folder) or () for part in (file, _content(file))))
    try:
        with open(path, "rb") as file:
            return digest(file.read())
    except OSError:
        return "folder" if os.path.isdir(path.removesuffix(".py")) else ""


def _fingerprint() -> str:
    """ampfix as it is installed and the Python it runs on, whose parser it uses."""
    package = Path(__file__).parent.parent
    stamps = sorted(
        f"{file.relative_to(package)} {status.st_size} {status.st_mtime_ns}"
        for folder in ("", "lint", "rules", "program", "protocol")
        for file in (package / folder).glob("*.py")
        if (status := file.stat())
    )
    return digest(__version__.encode(), sys.version.encode(), "\n".join(stamps).encode())


# findings to JSON and back


def _plain(finding: Finding) -> dict[str, Any]:
    repair = finding.repair
    return {
        "code": finding.code,
        "name": finding.name,
        "message": finding.message,
        "path": finding.path,
        "span": _numbers(finding.span),
        "severity": finding.severity.value,
        "symbol": finding.symbol,
        "trace": [[at.event, at.path, _numbers(at.span), at.note, at.cell] for at in finding.trace],
        "repair": repair
        and [repair.codemod, repair.applicability.value, repair.message, _numbers(repair.span), dict(repair.arguments)],
        "no_fix_reason": finding.no_fix_reason,
        "cell": finding.cell,
    }


def _finding(plain: Mapping[str, Any]) -> Finding:
    fields = dict(plain)
    fields["span"] = _span(fields["span"])
    fields["severity"] = Severity(fields["severity"])
    fields["trace"] = tuple(
        TracePoint(event, path, _span(span), note, cell) for event, path, span, note, cell in fields["trace"]
    )
    if fields["repair"] is not None:
        codemod, applicability, message, span, arguments = fields["repair"]
        fields["repair"] = Repair(codemod, Applicability(applicability), message, _span(span), arguments)
    return Finding(**fields)


def _numbers(span: Span) -> list[int]:
    return [span.start.line, span.start.column, span.end.line, span.end.column]


def _span(numbers: list[int]) -> Span:
    line, column, end_line, end_column = numbers
    return Span(Position(line, column), Position(end_line, end_column))
