"""Imports one file as a module, with `ampfix_task` in its reach."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

from graders import ampfix_task


def load_module(name: str, path: Path) -> ModuleType:
    """Import one file under a name, with `ampfix_task` in reach. Raises whatever its code raises."""
    sys.modules["ampfix_task"] = ampfix_task
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module
