"""What to check and what to leave: the rules in force, those to repair, and the files left out."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import cache, cached_property
from pathlib import Path
from typing import TypeVar

from ampfix.findings import Finding
from ampfix.lint.globs import CASE, any_of, posix, setting_pattern
from ampfix.records import dataclass, replace
from ampfix.rules import Listed, listed

# Directories that hold no code of the project itself.
DEFAULT_EXCLUDE = (
    ".*/",
    "__pycache__/",
    "__pypackages__/",
    "_build/",
    "build/",
    "dist/",
    "node_modules/",
    "site-packages/",
    "venv/",
    "*.egg-info/",
)


class SettingsError(Exception):
    """A setting that cannot be obeyed; the message names it and where it stands."""


@dataclass(frozen=True)
class Pattern:
    """A glob and the folder it starts from. One that ends in a slash names directories alone."""

    glob: str
    root: Path = Path()


@dataclass(frozen=True)
class PerFileIgnore:
    """Rules that are off in the files a pattern covers, or, where the pattern starts with `!`, in all others."""

    glob: str
    codes: tuple[str, ...]
    root: Path = Path()

    @cached_property
    def _expression(self) -> re.Pattern[str]:
        return re.compile(setting_pattern(self.glob.removeprefix("!"), self.root), CASE | re.DOTALL)

    def covers(self, path: str) -> bool:
        """Whether the rules are off in the file at an absolute path."""
        return (self._expression.fullmatch(path) is not None) is not self.glob.startswith("!")


@dataclass(frozen=True)
class Settings:
    """Selectors are codes or prefixes of codes ("AMP1"), or ALL. torch_floor: the oldest torch to write code for."""

    select: tuple[str, ...] = ("ALL",)
    ignore: tuple[str, ...] = ()
    extend_select: tuple[str, ...] = ()
    fixable: tuple[str, ...] = ("ALL",)
    unfixable: tuple[str, ...] = ()
    exclude: tuple[Pattern, ...] = tuple(map(Pattern, DEFAULT_EXCLUDE))
    extend_exclude: tuple[Pattern, ...] = ()
    per_file_ignores: tuple[PerFileIgnore, ...] = ()
    respect_gitignore: bool = True
    force_exclude: bool = False
    torch_floor: str = ""

    def rules(self) -> tuple[Listed, ...]:
        """The rules in force; the longest selector that matches a code decides, as in ruff."""
        return self._rules

    @cached_property
    def _rules(self) -> tuple[Listed, ...]:
        return tuple(rule for rule in listed() if self._is_selected(rule.code))

    def _is_selected(self, code: str) -> bool:
        wanted = max(_specificity(code, (*self.select, *self.extend_select)), default=-1)
        unwanted = max(_specificity(code, self.ignore), default=-1)
        return wanted > unwanted

    def rules_for(self, path: str) -> tuple[Listed, ...]:
        """The rules in force for one file."""
        off = self.ignored_in(path)
        if not off:
            return self._rules
        return tuple(rule for rule in self._rules if not any(matches(rule.code, selector) for selector in off))

    def ignored_in(self, path: str) -> tuple[str, ...]:
        """Selectors that are off in one file."""
        if not self.per_file_ignores:
            return ()
        absolute = posix(path)
        return tuple(code for entry in self.per_file_ignores if entry.covers(absolute) for code in entry.codes)

    def is_fixable(self, code: str) -> bool:
        """Whether findings of a rule are to be repaired."""
        wanted = max(_specificity(code, self.fixable), default=-1)
        return wanted > max(_specificity(code, self.unfixable), default=-1)

    def excludes(self, path: str, is_directory: bool) -> bool:
        """Whether an absolute path with forward slashes is left out, all by itself."""
        everywhere, directories = self._excluded
        return bool(everywhere and everywhere.fullmatch(path)) or bool(
            is_directory and directories and directories.fullmatch(path)
        )

    @cached_property
    def _excluded(self) -> tuple[re.Pattern[str] | None, re.Pattern[str] | None]:
        patterns = (*self.exclude, *self.extend_exclude)
        split = [
            [setting_pattern(pattern.glob, pattern.root) for pattern in patterns if pattern.glob.endswith("/") is only]
            for only in (False, True)
        ]
        return any_of(split[0]), any_of(split[1])


_Asked = TypeVar("_Asked")
_Answer = TypeVar("_Answer")
_REMEMBERED = 64


def per_object(function: Callable[[_Asked], _Answer]) -> Callable[[_Asked], _Answer]:
    """Remembers the answer for each object asked about, by what it is and not by what it equals: a tuple of all rules
    takes longer to hash than to be looked up by thousands of files."""
    known: dict[int, tuple[_Asked, _Answer]] = {}

    def asked(about: _Asked) -> _Answer:
        found = known.get(id(about))
        if found is None or found[0] is not about:
            if len(known) >= _REMEMBERED:
                known.clear()
            found = known[id(about)] = (about, function(about))
        return found[1]

    return asked


def matches(code: str, selector: str) -> bool:
    """Whether a selector covers a code."""
    return selector == "ALL" or code.startswith(selector)


def without_unwanted_repair(finding: Finding, settings: Settings) -> Finding:
    """The finding as it is shown: without its repair where repairs of its rule are not wanted."""
    if finding.repair is None or settings.is_fixable(finding.code):
        return finding
    return replace(finding, repair=None, no_fix_reason=f"{finding.code} is not selected for fixing")


def _specificity(code: str, selectors: Sequence[str]) -> list[int]:
    return [0 if selector == "ALL" else len(selector) for selector in selectors if matches(code, selector)]


def validated(settings: Settings, where: str = "") -> Settings:
    """The same settings. Raises SettingsError for a selector that covers no rule; where: the file they come from."""
    lists = {
        "select": settings.select,
        "ignore": settings.ignore,
        "extend-select": settings.extend_select,
        "fixable": settings.fixable,
        "unfixable": settings.unfixable,
        "per-file-ignores": tuple(code for entry in settings.per_file_ignores for code in entry.codes),
    }
    for option, selectors in lists.items():
        for selector in selectors:
            if selector not in _prefixes():
                place = f"{where}: {option}" if where else option
                raise SettingsError(f"{place}: {selector!r} selects no rule (`ampfix rule --all` lists them)")
    return settings


@cache
def _prefixes() -> frozenset[str]:
    return frozenset(("ALL", *(rule.code[:end] for rule in listed() for end in range(1, len(rule.code) + 1))))
