"""Models that a file hands to objects which the files that import it put in: `self.evaluator.evaluate(self.model)`."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Sequence

from ampfix.patterns import pattern
from ampfix.program import CalledElsewhere, Source
from ampfix.program.spelling import last_name
from ampfix.records import replace
from ampfix.rules._callers import callers
from ampfix.rules._handed_models import HandedModel, known_inside
from ampfix.rules._models import SELF, handed_name
from ampfix.rules._places import class_of, given_for, parameters
from ampfix.rules._shapes import function_of, handed_in, looks_like_a_model, method, own, path
from ampfix.rules._trained_models import TrainedModel

_EVALUATES = pattern(r"val|eval|test|infer|predict|sampl|generat|score|metric|monitor|preview|visuali", re.IGNORECASE)
_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_Definition = ast.FunctionDef | ast.AsyncFunctionDef


def handed_to_injected(source: Source, trained: Sequence[TrainedModel]) -> Iterator[tuple[HandedModel, Source]]:
    """The calls of methods whose object only an importing file shows, where they are handed a trained model; each with
    that file."""
    names = {one.name for one in trained}
    for call in source.nodes((ast.Call,)) if names else ():
        assert isinstance(call, ast.Call)
        if call.func.__class__ is not ast.Attribute or not (call.args or call.keywords):
            continue
        receiver, called = method(call)
        is_asked = _EVALUATES.search(called) or _EVALUATES.search(last_name(receiver))
        given = names & {handed_name(one) for one in handed_in(call)} if is_asked else ()
        for function, parameter in _put_in_by(receiver, source) if given else ():
            for to, shown_by in () if source.called_elsewhere(call) else _methods(function, parameter, call, source):
                for name in sorted(given):
                    yield HandedModel(call, name, to, known_inside(to, call, frozenset({name}))), shown_by


def _put_in_by(receiver: ast.expr, source: Source) -> Iterator[tuple[_Definition, str]]:
    """The function whose parameter an object is, be it the constructor that keeps it as an attribute."""
    root, _, attribute = path(receiver).partition(".")
    function = function_of(receiver, source)
    if root and not attribute and isinstance(function, _DEFINITIONS) and root in parameters(function):
        yield function, root
    owner = class_of(receiver, source) if root == SELF and attribute else None
    for constructor in (one for one in getattr(owner, "body", ()) if getattr(one, "name", "") == "__init__"):
        for one in own(constructor):
            kept = path(one.value) if isinstance(one, ast.Assign) and path(receiver) in map(path, one.targets) else ""
            if kept in parameters(constructor):
                yield constructor, kept


def _methods(
    function: _Definition, parameter: str, call: ast.Call, source: Source
) -> Iterator[tuple[CalledElsewhere, Source]]:
    """The methods that a call runs of what importing files hand in; not of those that hand in a model beside it, which
    are told there."""
    for caller in callers(function, source):
        handed = caller.arguments.get(parameter)
        if handed is None or any(looks_like_a_model(handed_name(one)) for one in caller.arguments.values()):
            continue
        for to in caller.source.methods_elsewhere(handed):
            if to.definition.name == method(call)[1]:
                given = ((one, given_for(one, to.definition, call)) for one in parameters(to.definition))
                handed_in_here = {one: value for one, value in given if value is not None}
                yield replace(to, arguments=handed_in_here, fields={}), caller.source
