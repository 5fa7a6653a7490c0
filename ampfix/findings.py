"""What a witness says about a program: findings, the repair a codemod can make, and text edits.

Light dataclasses without dependencies, since `check` must start in a few milliseconds.
Lines and columns are 1-based; columns count characters, and an end column points behind the last character.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from types import MappingProxyType
from typing import NamedTuple

from ampfix.records import dataclass, field


class Applicability(str, Enum):
    """How far a repair may be trusted. `display` is shown and never applied."""

    SAFE = "safe"
    UNSAFE = "unsafe"
    DISPLAY = "display"


class Severity(str, Enum):
    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"


class Position(NamedTuple):
    line: int
    column: int


class Span(NamedTuple):
    """From `start` up to, not including, `end`."""

    start: Position
    end: Position


@dataclass(frozen=True)
class TracePoint:
    """One event on the way to a finding."""

    event: str
    path: str
    span: Span
    note: str = ""
    cell: int | None = None


@dataclass(frozen=True)
class Edit:
    """Replace `span` of the original text by `text`. Edits of one fix never overlap."""

    span: Span
    text: str


@dataclass(frozen=True)
class Repair:
    """A request to a codemod: which one, where, and the names it needs. Pure data; it is carried out only for `fix`.

    codemod: a name in `ampfix.codemods.REGISTRY`. span: the node it acts on. arguments: what analysis found out,
    such as the source text of the scaler and the optimizer.
    """

    codemod: str
    applicability: Applicability
    message: str
    span: Span
    arguments: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))

    def __reduce__(self) -> tuple[object, ...]:
        """Processes exchange repairs, and a read-only mapping cannot be pickled."""
        told = (self.codemod, self.applicability, self.message, self.span, dict(self.arguments))
        return type(self), told


@dataclass(frozen=True)
class Fix:
    """A repair carried out on one text."""

    applicability: Applicability
    message: str
    edits: tuple[Edit, ...]


@dataclass(frozen=True)
class Finding:
    """One bug at one place. Either `repair` or `no_fix_reason` is set."""

    code: str
    name: str
    message: str
    path: str
    span: Span
    severity: Severity
    symbol: str = ""
    trace: tuple[TracePoint, ...] = ()
    repair: Repair | None = None
    no_fix_reason: str = ""
    cell: int | None = None
