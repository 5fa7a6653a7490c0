"""Repairs one file until nothing it may repair is left, and trusts no repair that it has not checked again.

The checker is handed in: this module knows neither rules nor libcst.
"""

from __future__ import annotations

import ast
import os
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass

from ampfix.codemods import BATCHED, CannotRepair, carry_out
from ampfix.extras import DEBUG_VARIABLE
from ampfix.findings import Applicability, Finding, Repair

Check = Callable[[str], Sequence[Finding]]

MAX_ROUNDS = 1000
"""No file needs as many. It ends a loop between two repairs that undo each other, should a rule ever allow one."""


@dataclass(frozen=True)
class Unfixed:
    """A finding that stays, and why."""

    finding: Finding
    reason: str


@dataclass(frozen=True)
class Outcome:
    """What became of one text. `fixed` are the findings of the states they were repaired in."""

    text: str
    fixed: tuple[Finding, ...]
    unfixed: tuple[Unfixed, ...]


def fix_text(
    text: str,
    check: Check,
    allowed: Collection[Applicability] = (Applicability.SAFE,),
    fixable: Callable[[str], bool] = lambda _: True,
    accept: Callable[[str], None] = lambda _: None,
) -> Outcome:
    """Repair `text` to a fixpoint: every repair is located in a fresh check of the text as it is by then.

    A repair is kept only if the result parses, the finding is gone and no rule reports more than before; otherwise the
    finding stays, with the reason. `fixable` says for which rule codes repairs are wanted. `accept` raises CannotRepair
    for a text that cannot be written back.
    """
    findings = check(text)
    fixed: list[Finding] = []
    for _ in range(MAX_ROUNDS):
        reasons: dict[int, str] = {}
        step = _first_repair(text, findings, check, allowed, fixable, accept, reasons)
        if step is None:
            return Outcome(text, tuple(fixed), tuple(Unfixed(f, reasons[id(f)]) for f in findings))
        text, findings, done = step
        fixed += done
    return Outcome(text, tuple(fixed), tuple(Unfixed(f, "repairs do not come to an end") for f in findings))


def _first_repair(
    text: str,
    findings: Sequence[Finding],
    check: Check,
    allowed: Collection[Applicability],
    fixable: Callable[[str], bool],
    accept: Callable[[str], None],
    reasons: dict[int, str],
) -> tuple[str, Sequence[Finding], Sequence[Finding]] | None:
    """The first group of findings whose repair holds: the new text, its findings, and those repaired."""
    wanted: list[Finding] = []
    for finding in findings:
        reason = why_not(finding, allowed, fixable)
        if reason:
            reasons[id(finding)] = reason
        else:
            wanted.append(finding)
    for group in _groups(wanted):
        result = try_repair(text, findings, group, check, accept)
        if not isinstance(result, str):
            return (*result, group)
        if len(group) == 1:
            reasons[id(group[0])] = result
    return None


def why_not(finding: Finding, allowed: Collection[Applicability], fixable: Callable[[str], bool]) -> str:
    """Why a finding is not to be repaired, or an empty string."""
    repair = finding.repair
    if repair is None:
        return finding.no_fix_reason or "there is no automatic repair"
    if not fixable(finding.code):
        return f"{finding.code} is not selected for fixing"
    if repair.applicability is Applicability.DISPLAY:
        return f"only a suggestion: {repair.message}"
    if repair.applicability not in allowed:
        return f"the repair may change what you want; --unsafe-fixes applies it: {repair.message}"
    return ""


def _groups(findings: Sequence[Finding]) -> Iterable[tuple[Finding, ...]]:
    """What to try, in order: independent repairs of one kind together, then every repair by itself."""
    for codemod in sorted(BATCHED):
        batch = tuple(f for f in findings if _repair(f).codemod == codemod)
        if len(batch) > 1:
            yield batch
    for finding in findings:
        yield (finding,)


def _repair(finding: Finding) -> Repair:
    assert finding.repair is not None, "only findings with a repair are grouped"
    return finding.repair


def _interruption(error: BaseException | None) -> BaseException | None:
    """The KeyboardInterrupt, or its like, behind an error: where one ends libcst's rendering, its cleaning up fails."""
    while isinstance(error, Exception):
        error = error.__context__
    return error


def try_repair(
    text: str,
    findings: Sequence[Finding],
    group: Sequence[Finding],
    check: Check,
    accept: Callable[[str], None] = lambda _: None,
) -> tuple[str, Sequence[Finding]] | str:
    """The repaired text and its findings, or why the repair does not do what it is for."""
    try:
        after = carry_out(text, *map(_repair, group))
        ast.parse(after)
        accept(after)
    except CannotRepair as error:
        return str(error)
    except (SyntaxError, ValueError) as error:
        return f"the repaired file would not parse ({error})"
    except Exception as error:
        interruption = _interruption(error)
        if interruption is not None:
            raise interruption from None
        if os.environ.get(DEBUG_VARIABLE):
            raise
        return f"the repair failed ({type(error).__name__}: {error}; set {DEBUG_VARIABLE}=1 to see where)"
    left = check(after)
    before_counts, after_counts = Counter(f.code for f in findings), Counter(f.code for f in left)
    tripped = sorted(code for code in after_counts if after_counts[code] > before_counts[code])
    if tripped:
        return f"the repair would leave {', '.join(tripped)} behind"
    if any(after_counts[code] >= before_counts[code] for code in {f.code for f in group}):
        return "the repair would not remove the finding"
    return after, left
