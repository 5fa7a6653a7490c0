"""Methods that a class of the checked file inherits and completes: a template's step, run with the overrides."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator

from ampfix.lint.interest import Interest, Reach
from ampfix.lint.resolve import Resolver
from ampfix.lint.scopes import Scope, ScopeBuilder
from ampfix.program.spelling import last_name


def inherited(scopes: ScopeBuilder, resolver: Resolver, worth: Interest) -> Iterator[tuple[ast.AST, Scope]]:
    """Each inherited method that calls an override of interest, with its scope as the subclass sees it."""
    for scope in scopes.scope_of.values():
        if scope.is_class:
            overriding = {name for name, method in _methods(scope) if method in worth.inlined}
            yield from _completed(scope, overriding, resolver, worth.inlined)


def inherited_regions(classes: Iterable[Scope], resolver: Resolver, reach: Reach) -> Iterator[tuple[ast.AST, Scope]]:
    """Each inherited method that leads to a region and calls an override, with its scope as the subclass sees it."""
    for owner in classes:
        assert isinstance(owner.node, ast.ClassDef)
        if any(last_name(base) in reach.classes for base in owner.node.bases):
            yield from _completed(owner, {name for name, _ in _methods(owner)}, resolver, reach.functions)


def _completed(
    owner: Scope, overriding: set[str], resolver: Resolver, of_interest: frozenset[ast.AST]
) -> Iterator[tuple[ast.AST, Scope]]:
    if not overriding:
        return
    seen = {name for name, _ in _methods(owner)}
    for base in resolver.ancestry(owner)[1:]:
        for name, method in _methods(base):
            if name in seen:
                continue
            seen.add(name)
            if method in of_interest and _used(method, base) & overriding:
                yield method, resolver.seen_from(resolver.scope_of(method), owner)


def _used(method: ast.AST, base: Scope) -> set[str]:
    """The names that a method mentions. Asked last: for this all of its file is parsed."""
    return base.file.mentions.used.get(method, set()) if base.file is not None else set()


def _methods(owner: Scope) -> Iterator[tuple[str, ast.AST]]:
    for name, definitions in owner.names.items():
        node = definitions[-1].node
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            yield name, node
