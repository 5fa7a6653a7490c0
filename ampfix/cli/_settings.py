"""What `check --show-settings` prints: the settings in force, as a table of TOML."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

from ampfix.lint.config import Configuration
from ampfix.lint.settings import Pattern


def shown_settings(paths: Sequence[str], configuration: Configuration) -> str:
    """The settings of the first path, and the rules they put in force."""
    first = Path(paths[0]) if paths and paths[0] != "-" else Path()
    folder = first if first.is_dir() else first.parent
    settings = configuration.of(folder)
    rules = [rule.code for rule in settings.rules()]
    lines = [
        f"# files in {folder.absolute().as_posix()}",
        "[tool.ampfix]",
        f"select = {_list(settings.select)}",
        f"ignore = {_list(settings.ignore)}",
        f"extend-select = {_list(settings.extend_select)}",
        f"fixable = {_list(settings.fixable)}",
        f"unfixable = {_list(settings.unfixable)}",
        f"exclude = {_globs(settings.exclude)}",
        f"extend-exclude = {_globs(settings.extend_exclude)}",
        f"respect-gitignore = {json.dumps(settings.respect_gitignore)}",
        f"force-exclude = {json.dumps(settings.force_exclude)}",
    ]
    if settings.torch_floor:
        lines.append(f"target-torch = {json.dumps(settings.torch_floor)}")
    if settings.per_file_ignores:
        lines.append("[tool.ampfix.per-file-ignores]")
        lines += [f"{json.dumps(entry.glob)} = {_list(entry.codes)}" for entry in settings.per_file_ignores]
    return "\n".join((*lines, f"# {len(rules)} rules: {', '.join(rules)}")) + "\n"


def _list(items: Iterable[str]) -> str:
    return json.dumps(list(items), ensure_ascii=False)


def _globs(patterns: Iterable[Pattern]) -> str:
    return _list(pattern.glob for pattern in patterns)
