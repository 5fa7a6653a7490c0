"""The static witness: finds mixed-precision bugs in source text without running it or importing torch.

bytes -> prefilter (read) -> ast (module) -> bindings (scopes, resolve, usage, roles) -> step program (lower, calls,
regions, frames) -> protocol states on every path (interpret) -> findings (the rules) -> suppression -> report (engine).
"""

from ampfix.lint.engine import check_bytes, check_source
from ampfix.lint.read import UnreadableError
from ampfix.lint.run import FileError, Report, check_paths
from ampfix.lint.settings import Settings, SettingsError

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
