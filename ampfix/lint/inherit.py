"""Methods that a class of the checked file inherits and completes: a template's step, run with the overrides."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from ampfix.lint.interest import Interest
from ampfix.lint.resolve import Resolver
from ampfix.lint.scopes import Scope, ScopeBuilder


def inherited(scopes: ScopeBuilder, resolver: Resolver, worth: Interest) -> Iterator[tuple[ast.AST, Scope]]:
    """Each inherited method that calls an override of interest, with its scope as the subclass sees it."""
    for scope in scopes.scope_of.values():
        if scope.is_class:
            yield from _of_class(scope, resolver, worth)


def _of_class(owner: Scope, resolver: Resolver, worth: Interest) -> Iterator[tuple[ast.AST, Scope]]:
    own = dict(_methods(owner))
    overriding = {name for name, method in own.items() if method in worth.inlined}
    if not overriding:
        return
    seen = set(own)
    for base in resolver.ancestry(owner)[1:]:
        for name, method in _methods(base):
            if name in seen:
                continue
            seen.add(name)
            file = base.file
            used = file.mentions.used.get(method, set()) if file is not None else set()
            if method in worth.inlined and used & overriding:
                yield method, resolver.seen_from(resolver.scope_of(method), owner)


def _methods(owner: Scope) -> Iterator[tuple[str, ast.AST]]:
    for name, definitions in owner.names.items():
        node = definitions[-1].node
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield name, node
