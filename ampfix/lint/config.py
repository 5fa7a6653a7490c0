"""`[tool.ampfix]`: each file obeys the nearest pyproject.toml that has the table, and what that one extends."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from ampfix.lint.settings import Pattern, PerFileIgnore, Settings, SettingsError, validated
from ampfix.patterns import pattern
from ampfix.records import replace

FILE = "pyproject.toml"
_VERSION = pattern(r"\d+\.\d+(\.\d+)?")
_REQUIREMENT = pattern(r"\s*torch\s*(\[[^]]*\])?\s*\(?\s*([^;]*,\s*)?(>=|~=|==)\s*(?P<version>\d+\.\d+)")
_POETRY = pattern(r"\s*(\^|~|>=|~=|==)?\s*(?P<version>\d+\.\d+)")


class Configuration:
    """The settings of every folder.

    isolated: read no settings files. file: obey this one everywhere. override: what the command line changes.
    Every method raises SettingsError, naming file and key, for settings that are wrong.
    """

    def __init__(
        self,
        *,
        isolated: bool = False,
        file: Path | None = None,
        override: Callable[[Settings], Settings] = lambda settings: settings,
    ) -> None:
        self._isolated = isolated
        self._override = override
        self._fixed = load(file, Path()) if file else Settings() if isolated else None
        self._nearest: dict[str, Settings] = {}
        self._floors: dict[str, str] = {}
        self._merged: dict[tuple[int, str], Settings] = {}

    def of(self, folder: str | Path) -> Settings:
        """The settings of the files in a folder. Folders with equal settings share one object."""
        place = os.path.abspath(folder)
        base = self._fixed or self._of_nearest(place)
        floor = base.torch_floor or ("" if self._isolated else self._floor(place))
        key = (id(base), floor)
        if key not in self._merged:
            self._merged[key] = validated(self._override(replace(base, torch_floor=floor)))
        return self._merged[key]

    def _of_nearest(self, folder: str) -> Settings:
        if folder not in self._nearest:
            parent = os.path.dirname(folder)
            own = own_settings(Path(folder))
            self._nearest[folder] = own or (self._of_nearest(parent) if parent != folder else Settings())
        return self._nearest[folder]

    def _floor(self, folder: str) -> str:
        if folder not in self._floors:
            parent = os.path.dirname(folder)
            own = own_torch_floor(Path(folder))
            self._floors[folder] = own if own is not None else self._floor(parent) if parent != folder else ""
        return self._floors[folder]


def own_settings(folder: Path) -> Settings | None:
    """The settings that stand in the folder's pyproject.toml, if it has the table."""
    data = _read(folder / FILE)
    if b"ampfix" not in data:
        return None
    return load(folder / FILE, folder) if _table(_parse(data, folder / FILE), folder / FILE) is not None else None


def load(file: Path, root: Path, seen: tuple[Path, ...] = ()) -> Settings:
    """One file's settings. root: where its patterns start. A file not named pyproject.toml may be the bare table."""
    try:
        parsed = _parse(file.read_bytes(), file)
    except OSError as error:
        raise SettingsError(f"{file}: cannot be read: {error.strerror or error}") from None
    table = _table(parsed, file)
    if table is None:
        if file.name == FILE:
            raise SettingsError(f"{file}: has no [tool.ampfix] table")
        table = parsed
    base = Settings()
    if "extend" in table:
        other = _string(table["extend"], f"{file}: [tool.ampfix] extend")
        target = (file.parent / os.path.expanduser(other)).resolve()
        if target in (*seen, file.resolve()):
            raise SettingsError(f"{file}: [tool.ampfix] extend: {other!r} leads back to itself")
        base = load(target, target.parent, (*seen, file.resolve()))
    return validated(from_table(table, file, root, base), f"{file}: [tool.ampfix]")


def from_table(table: Mapping[str, Any], file: Path, root: Path, base: Settings | None = None) -> Settings:
    """`base` changed by a table: keys that begin with `extend-` add, others replace. An unknown key is an error."""
    settings = base or Settings()
    for key, value in table.items():
        if key not in _KEYS:
            raise SettingsError(f"{file}: unknown key {key!r} in [tool.ampfix] (known: {', '.join(sorted(_KEYS))})")
        settings = _KEYS[key](settings, value, f"{file}: [tool.ampfix] {key}", root)
    return settings


Change = Callable[[Settings, Any, str, Path], Settings]


def _put(field: str, read: Callable[[Any, str], Any], settings: Settings, value: Any, where: str, _: Path) -> Settings:
    return replace(settings, **{field: read(value, where)})


def _add(field: str, settings: Settings, value: Any, where: str, _: Path) -> Settings:
    more: Any = (*getattr(settings, field), *_strings(value, where))
    return replace(settings, **{field: more})


def _exclude(settings: Settings, value: Any, where: str, root: Path) -> Settings:
    return replace(settings, exclude=tuple(Pattern(glob, root) for glob in _strings(value, where)))


def _extend_exclude(settings: Settings, value: Any, where: str, root: Path) -> Settings:
    more = tuple(Pattern(glob, root) for glob in _strings(value, where))
    return replace(settings, extend_exclude=(*settings.extend_exclude, *more))


def _per_file(settings: Settings, value: Any, where: str, root: Path) -> Settings:
    if not isinstance(value, dict):
        raise SettingsError(f"{where} must be a table of patterns")
    entries = tuple(PerFileIgnore(glob, _strings(codes, f"{where} {glob!r}"), root) for glob, codes in value.items())
    return replace(settings, per_file_ignores=entries)


def _extend_per_file(settings: Settings, value: Any, where: str, root: Path) -> Settings:
    entries = _per_file(settings, value, where, root).per_file_ignores
    return replace(settings, per_file_ignores=(*settings.per_file_ignores, *entries))


def _strings(value: Any, where: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise SettingsError(f"{where} must be a list of strings")
    return tuple(value)


def _string(value: Any, where: str) -> str:
    if not isinstance(value, str):
        raise SettingsError(f"{where} must be a string")
    return value


def _boolean(value: Any, where: str) -> bool:
    if not isinstance(value, bool):
        raise SettingsError(f"{where} must be true or false")
    return value


def _version(value: Any, where: str) -> str:
    if not isinstance(value, str) or _VERSION.fullmatch(value) is None:
        raise SettingsError(f'{where} must be a version of torch such as "2.4"')
    return value


def _done(settings: Settings, value: Any, where: str, root: Path) -> Settings:  # noqa: ARG001
    return settings  # `load` has followed it


_KEYS: Mapping[str, Change] = {
    "extend": _done,
    "select": partial(_put, "select", _strings),
    "ignore": partial(_put, "ignore", _strings),
    "extend-select": partial(_add, "extend_select"),
    "fixable": partial(_put, "fixable", _strings),
    "unfixable": partial(_put, "unfixable", _strings),
    "exclude": _exclude,
    "extend-exclude": _extend_exclude,
    "per-file-ignores": _per_file,
    "extend-per-file-ignores": _extend_per_file,
    "respect-gitignore": partial(_put, "respect_gitignore", _boolean),
    "force-exclude": partial(_put, "force_exclude", _boolean),
    "target-torch": partial(_put, "torch_floor", _version),
}


def own_torch_floor(folder: Path) -> str | None:
    """The oldest torch that the folder's pyproject.toml supports, such as "2.1"; "" where it describes a project and
    says nothing, None where it describes none."""
    data = _read(folder / FILE)
    if b"[project" not in data and b"[tool.poetry" not in data:
        return None
    try:
        parsed = _parse(data, folder / FILE)
    except SettingsError:
        return None  # another tool's business
    floors = [match["version"] for text in _dependencies(parsed) if (match := _REQUIREMENT.match(text)) is not None]
    return floors[0] if floors else _poetry_floor(parsed)


def _dependencies(parsed: Mapping[str, Any]) -> list[str]:
    project = parsed.get("project", {})
    groups = [project.get("dependencies", [])] if isinstance(project, dict) else []
    optional = project.get("optional-dependencies", {}) if isinstance(project, dict) else {}
    groups += optional.values() if isinstance(optional, dict) else []
    return [str(item) for group in groups if isinstance(group, list) for item in group]


def _poetry_floor(parsed: Mapping[str, Any]) -> str:
    found: Any = parsed
    for key in ("tool", "poetry", "dependencies", "torch"):
        found = found.get(key) if isinstance(found, dict) else None
    wanted = found.get("version") if isinstance(found, dict) else found
    match = _POETRY.match(wanted) if isinstance(wanted, str) else None
    return match["version"] if match else ""


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError:
        return b""


def _table(parsed: Mapping[str, Any], file: Path) -> Mapping[str, Any] | None:
    tool = parsed.get("tool", {})
    table = tool.get("ampfix") if isinstance(tool, dict) else None
    if table is not None and not isinstance(table, dict):
        raise SettingsError(f"{file}: [tool.ampfix] must be a table")
    return table


def _parse(data: bytes, file: Path) -> dict[str, Any]:
    tomllib = importlib.import_module("tomllib" if sys.version_info >= (3, 11) else "tomli")
    try:
        parsed: dict[str, Any] = tomllib.loads(data.decode("utf-8-sig"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{file}: not valid TOML: {error}") from None
    return parsed
