"""Callbacks of other files that evaluate what they are made of here, or what the object that trains holds."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator

from ampfix.patterns import pattern
from ampfix.program import CalledElsewhere, Source
from ampfix.rules._handed_models import HandedModel
from ampfix.rules._models import SELF, handed_name, is_model
from ampfix.rules._shapes import path

_CALLBACK = pattern(r"callback|hook|eval|valid|log|visuali|monitor|sampl|preview|metric", re.IGNORECASE)
_CALLED_BACK = pattern(r"__call__|_?(on|after|at)_\w+")
_GIVEN = (ast.List, ast.Tuple, ast.Call, ast.keyword, ast.Dict)


def handed_to_callbacks(source: Source, switched: set[str], handed: Iterable[HandedModel]) -> Iterator[HandedModel]:
    """The models that the methods of callbacks know. handed: to functions and objects that may train them."""
    trainers = [one for one in handed if any(name.startswith(f"{SELF}.") for name in one.names)]
    for call in source.nodes((ast.Call,)):
        assert isinstance(call, ast.Call)
        last = path(call.func).rpartition(".")[2]
        if not last[:1].isupper() or not _CALLBACK.search(last) or not _is_handed_on(call, source):
            continue
        for to in source.methods_elsewhere(call):
            if _CALLED_BACK.fullmatch(to.definition.name):
                yield from _made_of(call, to, switched)
                for one in trainers:
                    yield HandedModel(call, one.name, to, _through_parameter(to, one.names))


def _is_handed_on(call: ast.Call, source: Source) -> bool:
    """Whether an object is put into a list, or handed to what calls it back."""
    return isinstance(next(source.ancestors(call)), _GIVEN)


def _made_of(call: ast.Call, to: CalledElsewhere, switched: set[str]) -> Iterator[HandedModel]:
    for attribute, value in to.fields.items():
        name = handed_name(value)
        if name and is_model(name, switched):
            yield HandedModel(call, name, to, frozenset({f"{SELF}.{attribute}"}))


def _through_parameter(to: CalledElsewhere, kept: frozenset[str]) -> frozenset[str]:
    """What a method calls the attributes of the object that it is handed first."""
    handed = [one.arg for one in to.definition.args.args[1:2]]
    return frozenset(f"{one}{name[len(SELF) :]}" for one in handed for name in kept if name.startswith(f"{SELF}."))
