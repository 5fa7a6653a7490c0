"""The rules, one file each. A module here whose name has no leading underscore holds one rule class."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

from ampfix.rules._listing import Listed, listed, load_rule

if TYPE_CHECKING:
    from ampfix.rules._base import Invalid, NodeRule, ProtocolRule, Rule

__all__ = ["Invalid", "Listed", "NodeRule", "ProtocolRule", "Rule", "all_rules", "listed"]


@cache
def all_rules() -> tuple[Rule, ...]:
    """Every rule, by code, loaded."""
    import pkgutil  # for tests and tables; a check loads rules by their names

    names = (module.name for module in pkgutil.iter_modules(__path__))
    return tuple(sorted((load_rule(name) for name in names if not name.startswith("_")), key=lambda rule: rule.code))


def __getattr__(name: str) -> Any:
    """What rules are made of needs all types of a program; it is loaded with the first of them."""
    if name in ("Invalid", "NodeRule", "ProtocolRule", "Rule"):
        from ampfix.rules import _base

        return getattr(_base, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
