"""One parsed file with everything rules ask about it."""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from ampfix.findings import Span
from ampfix.lint.anchor import entered
from ampfix.lint.calls import CallReader
from ampfix.lint.constants import number
from ampfix.lint.dtypechoice import DtypeChoices
from ampfix.lint.elsewhere import built_elsewhere, called_elsewhere, called_in, methods_elsewhere, scalers_beside
from ampfix.lint.fields import Fields
from ampfix.lint.files import SourceFile
from ampfix.lint.frames import Frame, Namer
from ampfix.lint.frameworks import managed_backwards
from ampfix.lint.halves import HalfWalker
from ampfix.lint.inherit import inherited
from ampfix.lint.interest import Interest, interest
from ampfix.lint.interpret import flatten, interpret
from ampfix.lint.lifecycle import LifecycleReader
from ampfix.lint.lower import Lowering
from ampfix.lint.neighbours import Neighbours
from ampfix.lint.precision import PrecisionReader
from ampfix.lint.project import Project
from ampfix.lint.prune import prune
from ampfix.lint.regions import RegionReader
from ampfix.lint.resolve import Resolver
from ampfix.lint.roles import Roles
from ampfix.lint.scopes import Scope
from ampfix.lint.tensorcallees import TensorCallees
from ampfix.lint.truths import truth
from ampfix.lint.unseen import Unseen
from ampfix.lint.wrappers import without_wrappers
from ampfix.program import (
    AutocastOpened,
    Binding,
    BuiltElsewhere,
    CalledElsewhere,
    CoveredRegion,
    Form,
    HalfCast,
    Held,
    ManagedBackward,
    Occurrence,
    Routine,
    ScalerBuilt,
    Value,
)
from ampfix.records import replace
from ampfix.rules._base import TRAIN_WORDS
from ampfix.rules._shapes import own

if TYPE_CHECKING:
    from ampfix.dryrun import DryRun


class SourceModule:
    """Implements `ampfix.program.Source`. Raises SyntaxError for text that is not Python."""

    def __init__(self, text: str, path: str, torch_floor: str = "", project: Project | None = None) -> None:
        self._begin(SourceFile(text, path) if project is None else project.opened(text, path), torch_floor, project)

    def _begin(self, file: SourceFile, torch_floor: str, project: Project | None) -> None:
        self.text, self.path, self.torch_floor = file.text, file.path, torch_floor
        self._file, self._project = file, project
        self.tree, self._scopes = self._file.tree, self._file.scopes
        self._neighbours = Neighbours(self._file, project)
        self._resolver = Resolver(self._neighbours)
        self._roles = Roles(self._resolver)
        namer = Namer(self._resolver, Fields(self._resolver), self._roles)
        self._reader = CallReader(self._resolver, self._roles, namer, file.path)
        self._dtypes = DtypeChoices(self._resolver, self._roles.handed)
        self._regions = RegionReader(self._resolver, namer, self._dtypes, self._reader.site)
        self._alone: dict[tuple[str, str], frozenset[object]] = {}
        self._importers: dict[SourceFile, SourceModule] = {}

    def release(self) -> None:
        """Take apart what refers to itself in a circle. Nothing may be asked afterwards."""
        for importer in self._importers.values():
            importer._take_apart()
        if self._project is None:
            self._file.release()
        else:
            self._project.settle()
        self._take_apart()

    def _take_apart(self) -> None:
        if "_lowering" in self.__dict__:
            self._lowering.release()
        self._resolver.release()
        for part in (self._reader, self._regions, self._roles):  # each is known to what it is made of
            part.__dict__.clear()
        self.__dict__.clear()

    @property
    def consulted(self) -> frozenset[str]:
        """The paths of other files that the answers so far depend on, and of files that were looked for in vain."""
        return frozenset(self._neighbours.consulted).union(*(one.consulted for one in self._importers.values()))

    def importers(self, word: str) -> tuple[SourceModule, ...]:
        return tuple(map(self._importer, self._neighbours.importers(word)))

    def importing(self, word: str) -> tuple[str, ...]:
        return tuple(self._neighbours.importing(word))

    def in_project(self, words: re.Pattern[bytes]) -> bool | None:
        return self._neighbours.in_project(words)

    @cached_property
    def rehearsals(self) -> tuple[DryRun, ...]:
        return self._neighbours.rehearsals()

    def _importer(self, file: SourceFile) -> SourceModule:
        if file not in self._importers:
            self._importers[file] = _Importer(file, self.torch_floor, self._project)
        return self._importers[file]

    @cached_property
    def _worth(self) -> Interest:
        """What is worth following. A file without a word of training code holds no event of its own."""
        concerned = any(word in self.text for word in TRAIN_WORDS)
        return interest(self._neighbours) if concerned else Interest(frozenset(), frozenset())

    @cached_property
    def routines(self) -> tuple[Routine, ...]:
        """A step program for each function that reaches an event, and for the module itself."""
        scopes = self._scopes.scope_of.items()
        worth = ((node, scope) for node, scope in scopes if node in self._worth.analysed and not scope.is_class)
        return tuple(without_wrappers(list(self._lowered(worth))))

    @cached_property
    def _lowering(self) -> Lowering:
        return Lowering(self._resolver, self._reader, self._regions, self._worth.inlined)

    def _lowered(self, functions: Iterable[tuple[ast.AST, Scope]]) -> Iterator[Routine]:
        for node, scope in functions:
            body = prune(self._lowering.routine(node, scope))
            events = tuple(flatten(body))
            if events:
                owners, unclear = dict(self._reader.owners), frozenset(self._reader.unclear)
                yield Routine(scope.qualname or "<module>", body, events, owners, unclear, node)

    @cached_property
    def occurrences(self) -> tuple[Occurrence, ...]:
        """Violations in every routine and in inherited ones; those seen from their own function come before those seen
        from its callers. What is complete inside another file is found where that is checked."""
        completed = self._lowered(inherited(self._scopes, self._resolver, self._worth))
        seen = [interpret(routine) for routine in (*self.routines, *completed)]
        unseen = Unseen(self._resolver, self._roles, self._neighbours)
        unscales = {clip: unscale for one in seen for clip, unscale in one.unscales.items()}
        found = [
            replace(
                occurrence,
                unscale=unscales.get(occurrence.do.site.span),
                proven=occurrence.proven and not unseen.may_prevent(occurrence),
            )
            for one in seen
            for occurrence in one.occurrences
            if occurrence.do.site.path == self.path and not self._is_complete_elsewhere(occurrence)
        ]
        return tuple(sorted(found, key=lambda occurrence: len(list(occurrence.do.site.frames()))))

    def _is_complete_elsewhere(self, occurrence: Occurrence) -> bool:
        """Whether a function of another file shows the violation by itself: then it is reported there."""
        inside, origin = entered(occurrence.do.site), occurrence.do.site.origin
        if inside is None or origin is None:
            return False
        key = (inside.path, inside.function)
        if key not in self._alone:
            function = self._neighbours.function(*key)
            routines = self._lowered([function] if function is not None else [])
            self._alone[key] = frozenset(
                (found.broken.violation, found.do.site.path, found.do.site.span)
                for routine in routines
                for found in interpret(routine).occurrences
            )
        return (occurrence.broken.violation, origin.path, origin.span) in self._alone[key]

    @cached_property
    def tensor_operations(self) -> tuple[Value, ...]:
        """Operations on tensors, where autocast regions and half casts reach."""
        handed = self._roles.handed
        callees = TensorCallees(self._resolver, handed, self._reader.namer.fields)
        walker = HalfWalker(self._resolver, self._regions, handed, callees, self._worth.regions)
        operations = walker.operations(list(self._scopes.scope_of.items()), self._file.index.owned)
        walker.release()
        return tuple(value for value in operations if (value.site or value.node) in self._parents)

    @cached_property
    def scalers(self) -> tuple[ScalerBuilt, ...]:
        reader = LifecycleReader(self._resolver, self._dtypes, self.scope_at, self.nodes)
        return tuple(reader.scalers(self.ancestors))

    @cached_property
    def autocasts(self) -> tuple[AutocastOpened, ...]:
        return tuple(LifecycleReader(self._resolver, self._dtypes, self.scope_at, self.nodes).autocasts())

    @cached_property
    def _precision(self) -> PrecisionReader:
        return PrecisionReader(self._resolver, self._regions, self._roles.handed, self.scope_at)

    @cached_property
    def regions(self) -> tuple[CoveredRegion, ...]:
        openers = (ast.With, ast.AsyncWith, ast.FunctionDef, ast.AsyncFunctionDef)
        return tuple(self._precision.regions(self.nodes(openers)))

    @cached_property
    def half_casts(self) -> tuple[HalfCast, ...]:
        return tuple(self._precision.casts(self.nodes((ast.Call,))))

    @cached_property
    def managed_backwards(self) -> tuple[ManagedBackward, ...]:
        return tuple(managed_backwards(self))

    def called_elsewhere(self, call: ast.Call) -> tuple[CalledElsewhere, ...]:
        return tuple(called_elsewhere(call, self.scope_at(call), self._resolver, self._reader, self._roles.handed))

    def methods_elsewhere(self, node: ast.expr) -> tuple[CalledElsewhere, ...]:
        return tuple(methods_elsewhere(node, self.scope_at(node), self._resolver, self._reader))

    def scalers_beside(self, node: ast.expr) -> tuple[str, ...]:
        return tuple(scalers_beside(node, self.scope_at(node), self._resolver, self._roles.handed))

    def called_in(self, function: ast.AST, call: ast.Call) -> tuple[CalledElsewhere, ...]:
        return tuple(called_in(call, self._resolver.scope_of(function), self._resolver, self._reader))

    def regions_in(self, function: ast.AST) -> tuple[CoveredRegion, ...]:
        scope = self._resolver.scope_of(function)
        opened = (node for node in own(function) if isinstance(node, (ast.With, ast.AsyncWith)))
        return tuple(
            PrecisionReader(self._resolver, self._regions, self._roles.handed, lambda _: scope).regions(opened)
        )

    def built_elsewhere(self, node: ast.expr) -> tuple[BuiltElsewhere, ...]:
        return tuple(built_elsewhere(node, self.scope_at(node), self._resolver))

    def dtypes(self, node: ast.expr) -> frozenset[str]:
        return self._dtypes.of(node, self.scope_at(node))

    def unpacked_dtypes(self, settings: ast.expr, words: Collection[str]) -> frozenset[str]:
        tables = self._dtypes.unpacked.tables(settings, self.scope_at(settings))
        named = ((entries[word], scope) for entries, scope in tables for word in words if word in entries)
        return frozenset[str]().union(*(self._dtypes.of(value, scope) for value, scope in named))

    def half_dtype(self, node: ast.expr) -> str | None:
        return self._precision.dtype(node)

    @cached_property
    def _calls(self) -> dict[Span, ast.Call]:
        return {self.span(node): node for node in self.nodes((ast.Call,)) if isinstance(node, ast.Call)}

    def call_at(self, span: Span) -> ast.Call | None:
        return self._calls.get(span)

    def number(self, node: ast.expr) -> float | None:
        found = {number(*one) for one in self._roles.handed.expressions(node, self.scope_at(node))}
        return found.pop() if len(found) == 1 else None

    def truth(self, node: ast.expr) -> bool | None:
        found = {truth(*one, self._resolver) for one in self._roles.handed.expressions(node, self.scope_at(node))}
        return found.pop() if len(found) == 1 else None

    def given(self, node: ast.expr) -> tuple[ast.expr, ...]:
        return tuple(one for one, _ in self._roles.handed.expressions(node, self.scope_at(node)))

    def held(self, node: ast.expr) -> Held:
        guess = self._roles.of(node, Frame(self.scope_at(node)))
        return Held(guess.role, guess.proven)

    def resolve(self, node: ast.expr) -> tuple[Binding, ...]:
        found = self._roles.handed.of(self._resolver.resolve(node, self.scope_at(node)))
        return tuple(dict.fromkeys(self._local(binding) for binding in found))

    def _local(self, binding: Binding) -> Binding:
        """A binding without what lies in other files, where a rule can neither point nor edit."""
        if binding.node is None or binding.scope is None or self._resolver.is_own(binding.scope):
            return binding
        form = {Form.FUNCTION: Form.SYMBOL, Form.CLASS: Form.SYMBOL, Form.OBJECT: Form.INSTANCE}
        return Binding(form.get(binding.form, binding.form), binding.symbol)

    def scope_at(self, node: ast.AST) -> Scope:
        """The scope a node is evaluated in."""
        return self._scopes.scope_of[self._file.index.owners.get(node, self.tree)]

    def span(self, node: ast.AST) -> Span:
        return self._file.spans.span(node)

    @cached_property
    def _by_type(self) -> dict[type[ast.AST], list[ast.AST]]:
        return self._file.index.by_type()

    def calls_to(self, name: str) -> Sequence[ast.Call]:
        return self._file.calls_to(name)

    def nodes(self, kinds: tuple[type[ast.AST], ...]) -> Iterator[ast.AST]:
        for kind in kinds:
            yield from self._by_type.get(kind, ())

    @property
    def _parents(self) -> dict[ast.AST, ast.AST]:
        return self._file.index.parents

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

    def may_be(self, node: ast.expr, names: frozenset[str]) -> bool:
        last = node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
        return last in names or self._renamed.get(last) in names

    @cached_property
    def _renamed(self) -> dict[str, str]:
        """Name -> the last name of what an import brings in under it."""
        return {
            alias.asname: alias.name.rpartition(".")[2]
            for statement in self.nodes((ast.Import, ast.ImportFrom))
            if isinstance(statement, (ast.Import, ast.ImportFrom))
            for alias in statement.names
            if alias.asname
        }

    def segment(self, node: ast.AST) -> str:
        return self._file.spans.text(node) or ast.unparse(node)


class _Importer(SourceModule):
    """A file that imports a checked one, and goes when that does."""

    def __init__(self, file: SourceFile, torch_floor: str, project: Project | None) -> None:
        self._begin(file, torch_floor, project)
