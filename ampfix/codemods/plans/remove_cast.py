"""Takes a cast to half away: `x.half()` becomes `x`, `x.to(device, torch.half)` becomes `x.to(device)`.

Span: the cast. A statement of which nothing is left goes with it. With an argument `copy` the cast becomes `clone()`,
where it is the cast that makes a copy.
"""

from __future__ import annotations

import libcst as cst

from ampfix.codemods._casts import as_clone, is_cast, without_cast
from ampfix.codemods.changes import Change
from ampfix.codemods.errors import CannotRepair
from ampfix.codemods.tree import Tree
from ampfix.findings import Repair


def plan(tree: Tree, repair: Repair) -> list[Change]:
    call = tree.at(repair.span)
    if not isinstance(call, cst.Call) or not is_cast(call):
        raise CannotRepair("the cast is not written as a plain half() or to(dtype) here; take it out by hand")
    return [as_clone(call) if "copy" in repair.arguments else without_cast(tree, call)]
