"""What dry runs of the programs around a file add to the evaluations that its own text shows."""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from ampfix.patterns import pattern
from ampfix.program import Source
from ampfix.program.spelling import last_name
from ampfix.records import dataclass
from ampfix.rules._cpu import is_on_cpu
from ampfix.rules._differing_evaluations import Differing
from ampfix.rules._shapes import FUNCTIONS, function_of, path
from ampfix.rules._trials import is_a_trial

if TYPE_CHECKING:
    from ampfix.dryrun import Place

_WITHOUT_GRADIENTS = pattern(r"no_grad|inference_mode|set_grad_enabled")
_FLOAT32 = pattern(r"#[^\n]*(fp32|float32|full precision)", re.IGNORECASE)
_REGION = pattern(rb"autocast")


@dataclass(frozen=True)
class Shown:
    """A call that evaluates a model. name: of the model."""

    call: ast.Call
    name: str
    message: str


def shown_by_rehearsals(source: Source, found: Sequence[Differing]) -> Iterator[Shown]:
    """Evaluations in functions of which nothing is told otherwise, nor of a function around them."""
    if not _WITHOUT_GRADIENTS.search(source.text) or not source.in_project(_REGION):
        return
    here = os.path.abspath(source.path)  # noqa: PTH100  # as the runs name files
    from ampfix.rules._rehearsed_evaluations import rehearsed_evaluations  # which few files need

    rehearsed = rehearsed_evaluations(source.rehearsals, here)
    made = source.nodes((ast.Call,)) if rehearsed else ()
    calls = {(one.lineno, one.col_offset): one for one in made if isinstance(one, ast.Call)}
    told = {function_of(one.call, source) for one in found}
    for one in rehearsed:
        call = calls.get((one.place.line, one.place.column))
        if call is not None and told.isdisjoint(_functions_around(call, source)) and not _is_a_trial(call, source):
            name = path(call.func) or last_name(call.func)
            where = _where(one.trained, one.place)
            yield Shown(call, name, f"{name} is evaluated outside autocast here and trained under it {where}")


def _functions_around(call: ast.Call, source: Source) -> list[ast.AST]:
    """The functions that a call stands in, or the module."""
    return [one for one in source.ancestors(call) if isinstance(one, FUNCTIONS)] or [source.tree]


def _is_a_trial(call: ast.Call, source: Source) -> bool:
    """Whether a forward runs on made-up data, to see whether it runs or for how long, or where no region acts, or in
    float32 as a comment says."""
    if _FLOAT32.search("\n".join(source.text.splitlines()[max(0, call.lineno - 4) : call.lineno])):
        return True
    parent = next(source.ancestors(call), None)
    targets = map(path, parent.targets) if isinstance(parent, ast.Assign) else ()
    if isinstance(parent, ast.Expr) or "_" in targets:
        return True
    return is_a_trial(call, function_of(call, source), source) or is_on_cpu(call, source)


def _where(trained: Place, told: Place) -> str:
    if (trained.path, trained.line) == (told.path, told.line):
        return "by the same call"
    line = f"in line {trained.line}"
    return line if trained.path == told.path else f"{line} of {trained.path.rpartition(os.sep)[2]}"
