"""One parsed file with everything rules ask about it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cached_property

from ampfix.findings import Span
from ampfix.lint.calls import CallReader
from ampfix.lint.frames import Namer
from ampfix.lint.interest import interesting_functions
from ampfix.lint.interpret import flatten, interpret
from ampfix.lint.lower import Lowering
from ampfix.lint.prune import prune
from ampfix.lint.regions import RegionReader
from ampfix.lint.resolve import Resolver
from ampfix.lint.roles import Roles
from ampfix.lint.scopes import Scope, ScopeBuilder
from ampfix.lint.spans import SpanIndex
from ampfix.lint.usage import Usage
from ampfix.program import Binding, Occurrence, Routine


class SourceModule:
    """Implements `ampfix.program.Source`. Raises SyntaxError for text that is not Python."""

    def __init__(self, text: str, path: str, torch_floor: str = "") -> None:
        self.text, self.path, self.torch_floor = text, path, torch_floor
        self.tree = ast.parse(text, filename=path)
        self._scopes = ScopeBuilder(self.tree)
        self._spans = SpanIndex(text)
        self._resolver = Resolver(self._scopes)
        self._enclosing = {node: scope for root, scope in self._scopes.scope_of.items() for node in own_nodes(root)}

    @cached_property
    def routines(self) -> tuple[Routine, ...]:
        """A step program for each function that reaches an event, and for the module itself."""
        interesting = interesting_functions(self._scopes)
        namer = Namer(self._resolver)
        reader = CallReader(self._resolver, Roles(self._resolver, Usage(self._scopes)), namer, self._spans)
        lowering = Lowering(self._resolver, reader, RegionReader(self._resolver, namer, reader.site), interesting)
        found = []
        for node, scope in self._scopes.scope_of.items():
            if node in interesting and not scope.is_class:
                body = prune(lowering.routine(node, scope))
                if body:
                    found.append(
                        Routine(scope.qualname or "<module>", body, tuple(flatten(body)), dict(reader.owners), node)
                    )
        return tuple(found)

    @cached_property
    def occurrences(self) -> tuple[Occurrence, ...]:
        """Violations in every routine; those seen from their own function come before those seen from its callers."""
        found = [occurrence for routine in self.routines for occurrence in interpret(routine)]
        return tuple(sorted(found, key=lambda occurrence: len(list(occurrence.do.site.frames()))))

    def resolve(self, node: ast.expr) -> tuple[Binding, ...]:
        return self._resolver.resolve(node, self.scope_at(node))

    def scope_at(self, node: ast.AST) -> Scope:
        """The scope a node is evaluated in."""
        return self._enclosing.get(node, self._scopes.root)

    def span(self, node: ast.AST) -> Span:
        return self._spans.span(node)

    @cached_property
    def _by_type(self) -> dict[type[ast.AST], list[ast.AST]]:
        found: dict[type[ast.AST], list[ast.AST]] = {}
        for node in ast.walk(self.tree):
            found.setdefault(type(node), []).append(node)
        return found

    def nodes(self, kinds: tuple[type[ast.AST], ...]) -> Iterator[ast.AST]:
        for kind in kinds:
            yield from self._by_type.get(kind, ())

    @cached_property
    def _parents(self) -> dict[ast.AST, ast.AST]:
        return {child: node for node in ast.walk(self.tree) for child in ast.iter_child_nodes(node)}

    def ancestors(self, node: ast.AST) -> Iterator[ast.AST]:
        while node in self._parents:
            node = self._parents[node]
            yield node

    @cached_property
    def import_aliases(self) -> frozenset[str]:
        return frozenset(
            name
            for scope in self._scopes.scope_of.values()
            for name, definitions in scope.names.items()
            if any(definition.symbol for definition in definitions)
        )

    def segment(self, node: ast.AST) -> str:
        return ast.get_source_segment(self.text, node) or ast.unparse(node)


def own_nodes(root: ast.AST) -> list[ast.AST]:
    """The nodes evaluated in a scope: its body without the bodies of scopes inside, but with their decorators,
    defaults and bases."""
    found: list[ast.AST] = []
    pending: list[ast.AST] = [root.body] if isinstance(root, ast.Lambda) else list(getattr(root, "body", []))
    while pending:
        node = pending.pop()
        found.append(node)
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            pending.extend([*node.decorator_list, node.args])
        elif isinstance(node, ast.Lambda):
            pending.append(node.args)
        elif isinstance(node, ast.ClassDef):
            pending.extend([*node.decorator_list, *node.bases, *node.keywords])
        else:
            pending.extend(ast.iter_child_nodes(node))
    return found
