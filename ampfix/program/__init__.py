"""The step program: what a piece of source does to gradients and scalers, under which conditions.

Types only. `ampfix.lint` builds these from an ast and interprets them; the rules read what comes out. Names inside
(scalers, optimizers, condition atoms) are canonical: an attribute path as the outermost analysed function would write
it, so that a helper's parameter and its caller's variable are one name.
"""

from __future__ import annotations

from ampfix.program.bindings import Binding, Form, Role
from ampfix.program.elsewhere import BuiltElsewhere, CalledElsewhere
from ampfix.program.frameworks import Framework, ManagedBackward
from ampfix.program.halves import Autocast, Context, Dtype, Meeting, Value, meetings
from ampfix.program.lifecycle import AutocastOpened, Held, ScalerBuilt
from ampfix.program.precision import CoveredRegion, HalfCast
from ampfix.program.source import Source
from ampfix.program.steps import (
    AllOf,
    Always,
    AnyOf,
    Assign,
    Atom,
    Block,
    Branch,
    Call,
    Condition,
    Do,
    Fresh,
    Jump,
    JumpKind,
    Loop,
    Node,
    Not,
    Occurrence,
    Opaque,
    Protected,
    Routine,
    Site,
)

__all__ = [
    "AllOf",
    "Always",
    "AnyOf",
    "Assign",
    "Atom",
    "Autocast",
    "AutocastOpened",
    "Binding",
    "Block",
    "Branch",
    "BuiltElsewhere",
    "Call",
    "CalledElsewhere",
    "Condition",
    "Context",
    "CoveredRegion",
    "Do",
    "Dtype",
    "Form",
    "Framework",
    "Fresh",
    "HalfCast",
    "Held",
    "Jump",
    "JumpKind",
    "Loop",
    "ManagedBackward",
    "Meeting",
    "Node",
    "Not",
    "Occurrence",
    "Opaque",
    "Protected",
    "Role",
    "Routine",
    "ScalerBuilt",
    "Site",
    "Source",
    "Value",
    "meetings",
]
