"""Models whose own forward, or the method that is called, opens a region, in whatever file their class stands."""

from __future__ import annotations

import ast

from ampfix.patterns import pattern
from ampfix.program import CalledElsewhere, Form, Source
from ampfix.program.spelling import last_name
from ampfix.program.tree import unparsed
from ampfix.rules._halfmodels import assigned
from ampfix.rules._models import holder_of
from ampfix.rules._shapes import handed_in, opener_of, placed
from ampfix.rules._trained_models import handed_on

_REGION = pattern(r"autocast|(?<![a-z])amp(?![a-z])")
_FORWARD = ("forward", "__call__")


def opens_its_own_region(name: str, at: ast.Call, source: Source) -> bool:
    """Whether what a name means at some place is built of a class of another file whose forward, or the method that is
    called or handed over there, runs in a region, or that method does so in this file."""
    runs = [at.func, *(one for one in handed_in(at) if isinstance(one, ast.Attribute))]
    bound = (one for run in runs for one in source.resolve(run)) if source.regions else ()
    here = [one.node for one in bound if one.form is Form.FUNCTION]
    if any(opener_of(one, source) in here for one in source.regions if one.enabled is not False):
        return True
    asked = (*_FORWARD, *map(last_name, runs))
    for one, owner in handed_on({(name, holder_of(at, name, source))}, source):
        for value in assigned(one, owner, source):
            made = placed(value)
            methods = source.methods_elsewhere(made) if isinstance(made, ast.Call) else ()
            if any(_opens(one, source) for one in methods if one.definition.name in asked):
                return True
    return False


def _opens(method: CalledElsewhere, source: Source) -> bool:
    if any(map(_REGION.search, map(unparsed, method.definition.decorator_list))):
        return True
    return any(region.enabled is not False for region in source.regions_in(method.definition))
