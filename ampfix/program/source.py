"""What a rule may ask about a file."""

from __future__ import annotations

import ast
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Protocol

from ampfix.findings import Span
from ampfix.program.bindings import Binding
from ampfix.program.elsewhere import BuiltElsewhere, CalledElsewhere
from ampfix.program.frameworks import ManagedBackward
from ampfix.program.halves import Value
from ampfix.program.lifecycle import AutocastOpened, Held, ScalerBuilt
from ampfix.program.precision import CoveredRegion, HalfCast
from ampfix.program.steps import Occurrence, Routine

if TYPE_CHECKING:
    from ampfix.dryrun import DryRun


class Source(Protocol):
    """What a rule may ask about one file."""

    @property
    def path(self) -> str: ...
    @property
    def text(self) -> str: ...
    @property
    def tree(self) -> ast.Module: ...
    @property
    def routines(self) -> tuple[Routine, ...]: ...
    @property
    def occurrences(self) -> tuple[Occurrence, ...]: ...
    @property
    def tensor_operations(self) -> tuple[Value, ...]: ...
    @property
    def scalers(self) -> tuple[ScalerBuilt, ...]:
        """Every construction of a GradScaler."""

    @property
    def autocasts(self) -> tuple[AutocastOpened, ...]:
        """Every call that makes an autocast region."""

    @property
    def regions(self) -> tuple[CoveredRegion, ...]:
        """Every autocast region that a `with` statement or a decorator opens."""

    @property
    def half_casts(self) -> tuple[HalfCast, ...]:
        """Every cast to float16 or bfloat16 by a method call."""

    @property
    def managed_backwards(self) -> tuple[ManagedBackward, ...]:
        """Every backward pass that a framework runs."""

    def dtypes(self, node: ast.expr) -> frozenset[str]:
        """The dtypes an expression may hold, "unknown" among them where some of that is not seen."""

    def unpacked_dtypes(self, settings: ast.expr, words: Collection[str]) -> frozenset[str]:
        """The dtypes that `**settings` may hand on under one of some words; none where that is not seen."""

    def half_dtype(self, node: ast.expr) -> str | None:
        """ "float16" or "bfloat16" where an expression is that dtype and can be nothing else."""

    def called_elsewhere(self, call: ast.Call) -> tuple[CalledElsewhere, ...]:
        """The functions of other files that a call may run."""

    def methods_elsewhere(self, node: ast.expr) -> tuple[CalledElsewhere, ...]:
        """The methods of the class in another file that an expression is, or makes an object of; fields: what that is
        made of."""

    def scalers_beside(self, node: ast.expr) -> tuple[str, ...]:
        """What the object of another file that an expression is an attribute of calls the scalers that it keeps."""

    def importers(self, word: str) -> tuple[Source, ...]:
        """The files of a small project that import this one and have a word in them. Nothing in them can be pointed at
        or edited."""

    def importing(self, word: str) -> tuple[str, ...]:
        """The paths of all files of a small project that import this one and have a word in them: importers() leaves
        out those that show nothing of training."""

    def in_project(self, words: re.Pattern[bytes]) -> bool | None:
        """Whether a word occurs in any file of the small project around this one; None where that is not seen."""

    @property
    def rehearsals(self) -> tuple[DryRun, ...]:
        """The dry runs of the programs of a small project that reach this file. Their nodes are of other trees than
        this file's; its path there is absolute."""

    def called_in(self, function: ast.AST, call: ast.Call) -> tuple[CalledElsewhere, ...]:
        """The functions of any file that a call in a function of another file may run."""

    def regions_in(self, function: ast.AST) -> tuple[CoveredRegion, ...]:
        """The autocast regions that `with` statements open in a function of another file."""

    def built_elsewhere(self, node: ast.expr) -> tuple[BuiltElsewhere, ...]:
        """The constructions in other files that an expression's value may come from."""

    def call_at(self, span: Span) -> ast.Call | None:
        """The call that lies exactly there, as that of an event."""

    def number(self, node: ast.expr) -> float | None:
        """The value of a numeric expression, where the text fixes it."""

    def truth(self, node: ast.expr) -> bool | None:
        """What a switch is, where the text fixes it: True, False, or what a helper hands back on every path."""

    def given(self, node: ast.expr) -> tuple[ast.expr, ...]:
        """What a name stands for: what the calls in the file hand in where it is a parameter; else the name."""

    def held(self, node: ast.expr) -> Held:
        """What an expression is to a training step: a scaler, an optimizer, ..."""

    def resolve(self, node: ast.expr) -> tuple[Binding, ...]:
        """What the expression may hold."""

    def span(self, node: ast.AST) -> Span:
        """Where the node lies, in characters."""

    def segment(self, node: ast.AST) -> str:
        """The node's source text."""

    def calls_to(self, name: str) -> Sequence[ast.Call]:
        """The calls `name(...)` and `anything.name(...)`, in source order."""

    def nodes(self, kinds: tuple[type[ast.AST], ...]) -> Iterable[ast.AST]:
        """Every node of these types."""

    def ancestors(self, node: ast.AST) -> Iterator[ast.AST]:
        """The nodes around a node, innermost first."""

    @property
    def import_aliases(self) -> frozenset[str]:
        """Names that an import binds to something outside this file."""

    def may_be(self, node: ast.expr, names: frozenset[str]) -> bool:
        """Whether a name or an attribute may be one of these things of a library: it ends in such a name, or an import
        brings one in under the name it ends in. So few are that resolving them costs little."""

    @property
    def torch_floor(self) -> str:
        """The oldest torch the project says it supports ("2.1"); empty where it does not say."""
