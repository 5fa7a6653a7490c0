"""Scalers that code of other files builds: by the class of the object that keeps one, or by who hands one in."""

from __future__ import annotations

import ast

from ampfix.findings import Span
from ampfix.program import Role, Source
from ampfix.records import dataclass
from ampfix.rules import _places as places
from ampfix.rules import _switches as switches
from ampfix.rules._callers import callers


@dataclass(frozen=True)
class BuiltScaler:
    """Where another file builds a scaler. tests: what switches it, or stands around that; source: what knows the
    names in them."""

    path: str
    span: Span
    tests: list[ast.expr]
    source: Source

    @property
    def is_for_bfloat16_too(self) -> bool:
        """Whether it may be on, and nothing that switches it looks at the dtype."""
        is_off = any(places.is_constant(test, False) for test in self.tests)
        return not is_off and not switches.looks_at_dtype(self.tests, [], self.source)


def scalers_elsewhere(scaler: ast.expr, source: Source) -> list[BuiltScaler]:
    """Where what an expression holds is built, if other files build it; nothing where some of that is not seen."""
    own = _built(scaler, source)
    if own is not None:
        return [own]
    function = places.function_of(scaler, source)
    if not isinstance(scaler, ast.Name) or not isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef)):
        return []
    if scaler.id not in places.parameters(function):
        return []
    handed = [(caller.arguments.get(scaler.id), caller.source) for caller in callers(function, source)]
    found = [_built_by(value, there) if value is not None else None for value, there in handed]
    return [one for one in found if one is not None] if all(found) else []


def _built_by(scaler: ast.expr, source: Source) -> BuiltScaler | None:
    """Where a caller's scaler is built, in its file or another."""
    own = [one for one in source.scalers if one.target == places.spelled(scaler)]
    if len(own) != 1:
        return _built(scaler, source) if not own else None
    enabled = (own[0].arguments or {}).get("enabled")
    if own[0].arguments is None:
        return None
    tests = [*switches.tests_before(own[0], source), *([enabled] if enabled is not None else [])]
    return BuiltScaler(source.path, source.span(own[0].node), tests, source)


def _built(scaler: ast.expr, source: Source) -> BuiltScaler | None:
    """Where the one construction in another file lies that a scaler comes from."""
    held, built = source.held(scaler), source.built_elsewhere(scaler)
    if held.role is not Role.SCALER or not held.proven or len(built) != 1:
        return None
    enabled = [word.value for word in built[0].node.keywords if word.arg == "enabled"]
    return BuiltScaler(built[0].path, built[0].span, enabled, source)
