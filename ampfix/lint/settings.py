"""What to check and what to leave: rule selection, exclusions, and `[tool.ampfix]` of the nearest pyproject.toml."""

from __future__ import annotations

import importlib
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from ampfix.rules import Rule, all_rules

_TORCH_FLOOR = re.compile(r"\s*torch\s*(\[[^]]*\])?\s*\(?\s*([^;]*,\s*)?(>=|~=|==)\s*(?P<version>\d+\.\d+)")
_KEYS = ("select", "ignore", "extend-select", "exclude", "per-file-ignores")


class SettingsError(Exception):
    """A setting that cannot be obeyed; the message names it and where it stands."""


@dataclass(frozen=True)
class Settings:
    """Selectors are codes or prefixes of codes ("AMP1"), or ALL."""

    select: tuple[str, ...] = ("ALL",)
    ignore: tuple[str, ...] = ()
    extend_select: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    per_file_ignores: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    root: Path = field(default_factory=Path)
    torch_floor: str = ""

    def rules(self) -> tuple[Rule, ...]:
        """The rules in force; the longest selector that matches a code decides, as in ruff."""
        return tuple(rule for rule in all_rules() if self._is_selected(rule.code))

    def _is_selected(self, code: str) -> bool:
        wanted = max(_specificity(code, (*self.select, *self.extend_select)), default=-1)
        unwanted = max(_specificity(code, self.ignore), default=-1)
        return wanted > unwanted

    def rules_for(self, path: str) -> tuple[Rule, ...]:
        """The rules in force for one file."""
        off = self.ignored_in(path)
        return tuple(rule for rule in self.rules() if not any(matches(rule.code, selector) for selector in off))

    def ignored_in(self, path: str) -> tuple[str, ...]:
        """Selectors that are off in one file."""
        absolute = Path(path).absolute().as_posix()
        found: list[str] = []
        for pattern, codes in self.per_file_ignores.items():
            anchored = (self.root.absolute() / pattern).as_posix()
            if fnmatch(Path(path).name, pattern) or fnmatch(absolute, anchored):
                found.extend(codes)
        return tuple(found)


def matches(code: str, selector: str) -> bool:
    """Whether a selector covers a code."""
    return selector == "ALL" or code.startswith(selector)


def _specificity(code: str, selectors: Sequence[str]) -> list[int]:
    return [0 if selector == "ALL" else len(selector) for selector in selectors if matches(code, selector)]


def validated(settings: Settings) -> Settings:
    """The same settings. Raises SettingsError for a selector that covers no rule."""
    codes = [rule.code for rule in all_rules()]
    lists = {
        "select": settings.select,
        "ignore": settings.ignore,
        "extend-select": settings.extend_select,
        "per-file-ignores": tuple(code for group in settings.per_file_ignores.values() for code in group),
    }
    for option, selectors in lists.items():
        for selector in selectors:
            if not any(matches(code, selector) for code in codes):
                raise SettingsError(f"{option}: {selector!r} selects no rule (`ampfix rule --all` lists them)")
    return settings


def load(start: Path) -> Settings:
    """The settings for a path: those of the nearest pyproject.toml above it that has `[tool.ampfix]`."""
    start = start.absolute()
    for folder in (start, *start.parents):
        file = folder / "pyproject.toml"
        try:
            data = file.read_bytes()
        except OSError:
            continue
        if b"ampfix" in data:
            table = _parse(data, file).get("tool", {}).get("ampfix")
            if table is not None:
                return from_table(table, file)
    return Settings()


def torch_floor(start: Path) -> str:
    """The oldest torch that the nearest pyproject.toml with a [project] table supports, such as "2.1"; "" if unsaid."""
    start = start.absolute()
    for folder in (start, *start.parents):
        try:
            data = (folder / "pyproject.toml").read_bytes()
        except OSError:
            continue
        dependencies = _parse(data, folder / "pyproject.toml").get("project", {}).get("dependencies", [])
        for dependency in dependencies if isinstance(dependencies, list) else ():
            match = _TORCH_FLOOR.match(str(dependency))
            if match is not None:
                return match["version"]
        return ""
    return ""


def _parse(data: bytes, file: Path) -> dict[str, Any]:
    tomllib = importlib.import_module("tomllib" if sys.version_info >= (3, 11) else "tomli")
    try:
        parsed: dict[str, Any] = tomllib.loads(data.decode("utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{file}: not valid TOML: {error}") from None
    return parsed


def from_table(table: Any, file: Path) -> Settings:
    """Settings of a `[tool.ampfix]` table. Raises SettingsError naming the key that is wrong."""
    if not isinstance(table, dict):
        raise SettingsError(f"{file}: [tool.ampfix] must be a table")
    lists: dict[str, tuple[str, ...]] = {}
    per_file: dict[str, tuple[str, ...]] = {}
    for key, value in table.items():
        if key not in _KEYS:
            raise SettingsError(f"{file}: unknown key {key!r} in [tool.ampfix] (known: {', '.join(_KEYS)})")
        where = f"{file}: [tool.ampfix] {key}"
        if key == "per-file-ignores":
            if not isinstance(value, dict):
                raise SettingsError(f"{where} must be a table of patterns")
            per_file = {pattern: _strings(codes, where) for pattern, codes in value.items()}
        else:
            lists[key] = _strings(value, where)
    return Settings(
        select=lists.get("select", ("ALL",)),
        ignore=lists.get("ignore", ()),
        extend_select=lists.get("extend-select", ()),
        exclude=lists.get("exclude", ()),
        per_file_ignores=per_file,
        root=file.parent,
    )


def _strings(value: Any, where: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise SettingsError(f"{where} must be a list of strings")
    return tuple(value)
