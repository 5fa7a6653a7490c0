"""Glob patterns as regular expressions: those of settings and those of .gitignore files."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path

CASE = re.IGNORECASE if os.name == "nt" else 0

_TOKENS = re.compile(r"\\.|\*\*/|/\*\*|\*|\?|\[!?[^\]]+\]|.", re.DOTALL)


def translate(glob: str, star: str = "[^/]*") -> str:
    """A regular expression for a glob. star: what `*` stands for; in .gitignore it does not cross a slash."""
    meaning = {"**/": "(?:.*/)?", "/**": "/.*", "*": star, "?": "[^/]"}

    def one(token: str) -> str:
        if token in meaning:
            return meaning[token]
        if len(token) > 1 and token.startswith("["):
            return "[" + token[1:].replace("\\", "\\\\").replace("!", "^", 1 if token[1] == "!" else 0)
        return re.escape(token[1:] if len(token) == 2 and token[0] == "\\" else token)

    return "".join(map(one, _TOKENS.findall(glob)))


def posix(path: str | Path) -> str:
    """The absolute path with forward slashes, without looking at the file system for links."""
    return os.path.abspath(path).replace(os.sep, "/")


def setting_pattern(glob: str, root: Path) -> str:
    """A regular expression for absolute paths: a pattern of a settings file that lies in `root`.

    A pattern without a slash names a file or directory anywhere; others start at `root`. As in ruff, `*` crosses
    slashes.
    """
    glob = glob.replace(os.sep, "/") if os.sep != "/" else glob
    body = glob.removeprefix("./").rstrip("/")
    anchored = "" if Path(body).is_absolute() else re.escape(posix(root).rstrip("/") + "/")
    whole = f"{anchored}{translate(body, '.*')}"
    return whole if "/" in body else f"(?:{whole}|.*/{translate(body)})"


def any_of(patterns: Iterable[str]) -> re.Pattern[str] | None:
    """One expression for many; None for none. Patterns that are no regular expression match nothing."""
    valid = [pattern for pattern in patterns if _compiles(pattern)]
    return re.compile("|".join(f"(?:{pattern})" for pattern in valid), CASE | re.DOTALL) if valid else None


def _compiles(pattern: str) -> bool:
    try:
        re.compile(pattern)
    except re.error:
        return False
    return True
