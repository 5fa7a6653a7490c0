"""The static witness: finds mixed-precision bugs in source text without running it or importing torch.

bytes -> prefilter (read) -> ast (module) -> bindings (scopes, resolve, usage, roles) -> step program (lower, calls,
regions, frames) -> protocol states on every path (interpret) -> findings (the rules) -> suppression -> report (engine).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ampfix.lint.read import UnreadableError
from ampfix.lint.run import FileError, Report, check_paths
from ampfix.lint.settings import Settings, SettingsError

if TYPE_CHECKING:
    from ampfix.lint.engine import check_bytes, check_source

__all__ = [
    "FileError",
    "Report",
    "Settings",
    "SettingsError",
    "UnreadableError",
    "check_bytes",
    "check_paths",
    "check_source",
]


def __getattr__(name: str) -> Any:
    """The engine is most of the package; it is loaded when something is analysed, not when a name here is imported."""
    if name in ("check_bytes", "check_source"):
        from ampfix.lint import engine

        return getattr(engine, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
