"""Repairs carried out on source text.

A codemod is a module in `plans` with `plan(tree, repair) -> list[Change]`; `REGISTRY` names them. libcst is imported
when the first repair is carried out, so that whoever only wants the table or the exception stays fast.
"""

from __future__ import annotations

import pkgutil

from ampfix.codemods import plans
from ampfix.codemods.edits import apply_edits, edits_between
from ampfix.codemods.errors import CannotRepair
from ampfix.findings import Fix, Repair

REGISTRY: frozenset[str] = frozenset(
    module.name for module in pkgutil.iter_modules(plans.__path__) if not module.name.startswith("_")
)
"""The names of all codemods."""

BATCHED = frozenset({"modernize_api"})
"""Codemods whose repairs do not depend on one another, so that a file's may be carried out in one go.

Repairs of the step protocol do: one `unscale_` serves every clip behind it, and a second one would raise.
"""


def carry_out(text: str, *repairs: Repair) -> str:
    """The text after `repairs`, all located in `text` as it is now. Raises CannotRepair."""
    from ampfix.codemods.rewrite import rewrite

    return rewrite(text, repairs)


def compute_fix(text: str, repair: Repair) -> Fix:
    """One repair as edits in the coordinates of `text`. Applying them gives exactly `carry_out(text, repair)`.

    Raises CannotRepair with the reason when the source is not one this codemod can change safely.
    """
    return Fix(repair.applicability, repair.message, edits_between(text, carry_out(text, repair)))


__all__ = ["BATCHED", "REGISTRY", "CannotRepair", "apply_edits", "carry_out", "compute_fix", "edits_between"]
