"""The rules as a table, so that those no file is worth are never loaded: a run loads few of them, most runs none."""

from __future__ import annotations

import importlib
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from ampfix.rules._base import Rule

Groups = tuple[tuple[str, ...], ...]


class Listed(NamedTuple):
    """What is to be known of a rule before it is loaded. module: its file; mentions, needs: its words (`Rule`).
    violations: what of the protocol must have occurred, for a rule that looks at nothing else. glances: whether the
    rule tells by more than its words which texts it may find something in."""

    code: str
    name: str
    module: str
    mentions: Groups
    needs: Groups
    violations: tuple[str, ...] = ()
    glances: bool = False

    def may_find_in(self, code: str) -> bool:
        """Whether the rule may find something in a text, without comments and documentation, that has its words."""
        return not self.glances or self.load().may_find_in(code)

    def load(self) -> Rule:
        """The rule itself."""
        return load_rule(self.module)


@cache
def listed() -> tuple[Listed, ...]:
    """Every rule, by code."""
    from ampfix.rules._words import ROWS

    return tuple(Listed(*row) for row in ROWS)


@cache
def load_rule(module: str) -> Rule:
    """The rule of one module here."""
    from ampfix.rules._base import Rule

    contents = vars(importlib.import_module(f"ampfix.rules.{module}")).values()
    classes = [value for value in contents if isinstance(value, type) and issubclass(value, Rule)]
    (own,) = (each for each in classes if each.__module__.endswith(f".{module}"))
    rule: Rule = own()
    return rule
