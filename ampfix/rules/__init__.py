"""The rules, one file each. A module here whose name has no leading underscore holds one rule class."""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache

from ampfix.rules._base import Invalid, NodeRule, ProtocolRule, Rule


@cache
def all_rules() -> tuple[Rule, ...]:
    """Every rule, by code."""
    found: list[Rule] = []
    for module in pkgutil.iter_modules(__path__):
        if not module.name.startswith("_"):
            contents = vars(importlib.import_module(f"{__name__}.{module.name}"))
            classes = [value for value in contents.values() if isinstance(value, type) and issubclass(value, Rule)]
            found.extend(cls() for cls in classes if cls.__module__.endswith(f".{module.name}"))
    return tuple(sorted(found, key=lambda rule: rule.code))


__all__ = ["Invalid", "NodeRule", "ProtocolRule", "Rule", "all_rules"]
