"""Opens an autocast region for another device.

Span: the autocast call. Arguments: `device`: the device; optional `dtype`: source text of a dtype, where the region had
the old device's default.
"""

from __future__ import annotations

import libcst as cst

from ampfix.codemods.changes import Change, replace_by
from ampfix.codemods.errors import CannotRepair
from ampfix.codemods.plans.set_region_dtype import with_dtype
from ampfix.codemods.tree import Tree
from ampfix.findings import Repair


def plan(tree: Tree, repair: Repair) -> list[Change]:
    call = tree.at(repair.span)
    if not isinstance(call, cst.Call) or not call.args:
        raise CannotRepair("the region is not opened by a call with its device here; set it where the region is made")
    named = [a for a in call.args if a.keyword is not None and a.keyword.value == "device_type"]
    device = (named or call.args)[0].value
    if not isinstance(device, cst.SimpleString):
        raise CannotRepair("the region's device is not written out here; choose it where it is set")
    changes: list[Change] = [replace_by(device, f"{device.quote}{repair.arguments['device']}{device.quote}")]
    if "dtype" in repair.arguments:
        changes.append(with_dtype(call, repair.arguments["dtype"]))
    return changes
