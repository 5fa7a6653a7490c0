"""What a rule is: metadata, examples that are executed as tests, and a check that turns facts into findings."""

from __future__ import annotations

import ast
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import ClassVar

from ampfix.findings import Applicability, Finding, Repair, Severity, Span, TracePoint
from ampfix.program import Do, Occurrence, Source
from ampfix.protocol import EXPLANATIONS, EventKind, Violation
from ampfix.records import dataclass, replace
from ampfix.rules._spellings import AMP_WORDS as AMP_WORDS  # rules find it here, beside the other words


@dataclass(frozen=True)
class Invalid:
    """A program the rule fires on. fixed: the whole text after its repair; None where the rule repairs nothing here.

    lines: where it fires; empty means once, anywhere.
    """

    code: str
    fixed: str | None = None
    lines: tuple[int, ...] = ()


TRAIN_WORDS = ("backward(", "unscale_", "clip_grad", ".scale(", "zero_grad(", ".step(", "caler.", "caler(")
"""A file without any of these holds no event of a training step of its own."""


class Rule(ABC):
    """One rule. The docstring is its page: a summary line, then ruff's headings.

    mentions: groups of words; the rule looks at a file where all words of one group occur. needs: groups of words of
    which each must have one that occurs besides. What begins with `re:` is a regular expression; `near:` is followed
    by a plain word, a colon, and an expression for the text around that word. Comments and texts in triple quotes do
    not count; `python -m ampfix.rules._table` after a change. scenarios: the ids of those that prove the rule by
    execution. unproven: why none can.
    violations: what of the protocol shows the bug in a recorded run.
    """

    code: ClassVar[str]
    name: ClassVar[str]
    severity: ClassVar[Severity] = Severity.ERROR
    fix: ClassVar[Applicability | None] = None
    mentions: ClassVar[tuple[tuple[str, ...], ...]] = AMP_WORDS
    needs: ClassVar[tuple[tuple[str, ...], ...]] = ()
    scenarios: ClassVar[tuple[str, ...]] = ()
    unproven: ClassVar[str] = ""
    violations: ClassVar[tuple[Violation, ...]] = ()
    VALID: ClassVar[tuple[str, ...]] = ()
    INVALID: ClassVar[tuple[Invalid, ...]] = ()

    @classmethod
    def may_find_in(cls, code: str) -> bool:  # noqa: ARG003
        """Whether the rule may find something in a text, without comments and documentation, that has its words. For
        what words cannot say: it is asked before the text is parsed."""
        return True

    @abstractmethod
    def check(self, source: Source) -> Iterator[Finding]:
        """Yield what is wrong in one file."""

    def finding(
        self,
        source: Source,
        span: Span,
        message: str,
        *,
        proven: bool = True,
        symbol: str = "",
        trace: tuple[TracePoint, ...] = (),
        repair: Repair | str = "",
    ) -> Finding:
        """A finding of this rule; `repair` is the reason where there is none. A guess is a note, whatever the rule."""
        return Finding(
            self.code,
            self.name,
            message,
            source.path,
            span,
            self.severity if proven else Severity.NOTE,
            symbol,
            trace,
            _with_floor(repair, source) if isinstance(repair, Repair) else None,
            "" if isinstance(repair, Repair) else repair,
        )


def _with_floor(repair: Repair, source: Source) -> Repair:
    """The repair, told the oldest torch it may write for."""
    if not source.torch_floor:
        return repair
    return replace(repair, arguments={**repair.arguments, "floor": source.torch_floor})


class NodeRule(Rule):
    """A rule about single nodes. The engine walks each tree once for all of them."""

    nodes: ClassVar[tuple[type[ast.AST], ...]]

    def check(self, source: Source) -> Iterator[Finding]:
        for node in source.nodes(self.nodes):
            yield from self.visit(node, source)

    @abstractmethod
    def visit(self, node: ast.AST, source: Source) -> Iterator[Finding]:
        """Yield what is wrong with one node."""


class ProtocolRule(Rule):
    """A rule about the order of events: it names the protocol's violations and words them."""

    needs = (TRAIN_WORDS,)

    def check(self, source: Source) -> Iterator[Finding]:
        for occurrence in self.among(source.occurrences):
            site = self.place(occurrence).site
            if self.is_harmless(occurrence, source):
                continue
            yield self.finding(
                source,
                site.span,
                f"{self.headline(occurrence)}: {EXPLANATIONS[occurrence.broken.violation]}",
                proven=self.proven(occurrence),
                symbol=site.function,
                trace=trace(occurrence, source),
                repair=_elsewhere(occurrence, source) or self.repair(occurrence),
            )

    def among(self, occurrences: Sequence[Occurrence]) -> Iterator[Occurrence]:
        """The occurrences this rule stands for. Each belongs to one rule at most."""
        for occurrence in occurrences:
            if occurrence.broken.violation in self.violations and self.applies(occurrence):
                yield occurrence

    def is_harmless(self, occurrence: Occurrence, source: Source) -> bool:  # noqa: ARG002
        """Whether the rest of the file keeps it from ever happening."""
        return False

    def place(self, occurrence: Occurrence) -> Do:
        """The event to point at: the one to repair, which may be older than the one that shows the harm."""
        return occurrence.do

    def proven(self, occurrence: Occurrence) -> bool:
        """Whether it is no guess."""
        return occurrence.proven

    def applies(self, occurrence: Occurrence) -> bool:  # noqa: ARG002
        """Whether the violation is one this rule stands for."""
        return True

    @abstractmethod
    def headline(self, occurrence: Occurrence) -> str:
        """What happens here, in a few words that name the source."""

    @abstractmethod
    def repair(self, occurrence: Occurrence) -> Repair | str:
        """The repair, or why there is none."""


_ABOUT_REGIONS = (EventKind.AUTOCAST_ENTER, EventKind.AUTOCAST_EXIT, EventKind.FORWARD)


def _elsewhere(occurrence: Occurrence, source: Source) -> str:
    """Why a step that runs in another file cannot be repaired from here: its lines are not lines of this file."""
    steps = (do for do in (*occurrence.before, *occurrence.after) if do.event.kind not in _ABOUT_REGIONS)
    sites = (do.site for do in steps)
    path = next((site.path for site in sites if site.path not in ("", source.path)), "")
    return f"{path} runs part of this step" if path else ""


_TOLD = (
    EventKind.BACKWARD,
    EventKind.UNSCALE,
    EventKind.SCALER_STEP,
    EventKind.OPTIMIZER_STEP,
    EventKind.UPDATE,
    EventKind.AUTOCAST_ENTER,
)


def trace(occurrence: Occurrence, source: Source) -> tuple[TracePoint, ...]:
    """How the path got here: the last event of each kind that matters, in order, then the event itself."""
    last: dict[EventKind, int] = {}
    for index, do in enumerate(occurrence.before):
        if do.event.kind is EventKind.ZERO_GRAD:
            last.clear()
        elif do.event.kind in _TOLD:
            last[do.event.kind] = index
    told = [occurrence.before[index] for index in sorted(last.values())]
    places = ((do.event.kind.value, do.site.origin or do.site) for do in (*told, occurrence.do))
    return tuple(TracePoint(kind, place.path or source.path, place.span) for kind, place in places)


def as_argument(span: Span) -> str:
    """A span as an argument of a repair."""
    return f"{span.start.line}:{span.start.column}-{span.end.line}:{span.end.column}"


def local_name(do: Do, canonical: str | None) -> str | None:
    """How the function around an event writes a canonical name; None where it cannot reach it."""
    if canonical is None:
        return None
    for root, written in sorted(do.site.names.items(), key=lambda item: -len(item[0])):
        if canonical == root or canonical.startswith((f"{root}.", f"{root}[")):
            return written + canonical[len(root) :]
    return None
