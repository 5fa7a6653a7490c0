"""The formats findings are written in, each loaded when it is asked for."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

from ampfix.lint import Report
from ampfix.report.documents import Documents

Writer = Callable[[Report, Documents], str]

# Format -> module here and function in it.
_WRITERS = {
    "full": ("findings_text", "full"),
    "concise": ("findings_text", "concise"),
    "json": ("findings_json", "as_json"),
    "json-lines": ("findings_json", "as_json_lines"),
    "sarif": ("findings_sarif", "sarif"),
    "github": ("findings_github", "github"),
    "gitlab": ("findings_gitlab", "gitlab"),
    "junit": ("findings_junit", "junit"),
}
FORMATS = tuple(_WRITERS)


def writer(name: str) -> Writer:
    """The function that writes a report in one of FORMATS."""
    module, function = _WRITERS[name]
    found: Writer = getattr(import_module(f"ampfix.report.{module}"), function)
    return found
