"""Losses that run backward in one of two ways: by a scaler that cannot be seen, and plainly where there is none."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator

from ampfix.patterns import pattern
from ampfix.program import Form, Role, Source
from ampfix.program.tree import walk
from ampfix.rules import _places as places
from ampfix.rules._switches import values

_SCALES = pattern(r"scal(e|er|ing)|backward", re.IGNORECASE)
_MAKES_SCALED = pattern(r"^_?(maybe_)?scale(_|$)", re.IGNORECASE)
_SWITCH = pattern(
    r"(?<![a-z])amp(?![a-z])|fp16|float16|half|mixed|precision|scaler|autocast|apex|opt_level", re.IGNORECASE
)
_CHOICES = (ast.If, ast.IfExp)
_LOOKING = ("item", "detach", "float", "cpu", "tolist", "numpy")
_LEAVING = (ast.Continue, ast.Return)
_Side = list[ast.stmt] | list[ast.expr]


def is_scaled_otherwise(backward: ast.Call, source: Source) -> bool:
    """Whether the loss is handed to something unseen that may scale it, on another side of a test that chooses whether
    there is such a thing."""
    if not isinstance(backward.func, ast.Attribute):
        return False  # a call of what runs backward in another file
    loss, around = backward.func.value, set(source.ancestors(backward))
    return _is_made_by_what_scales(loss, backward, source) or any(
        _may_scale(call, loss, source) and _decides_on(call, loss, choice.test, source)
        for choice in _choices(backward, around, source)
        for side in (*_sides(choice), _behind(choice, around, source))
        if not any(part is backward or part in around for part in side)
        for call in _calls(side)
    )


def _is_made_by_what_scales(loss: ast.expr, backward: ast.Call, source: Source) -> bool:
    """Whether the loss is what something unseen makes of a loss: `loss = loss_scaler.scale_loss(loss)`."""
    made = (node for node in walk(places.function_of(backward, source) or source.tree) if isinstance(node, ast.Assign))
    return any(
        isinstance(node.value, ast.Call)
        and places.spelled(loss) in map(places.spelled, node.targets)
        and _MAKES_SCALED.search(places.called(node.value)) is not None
        and _may_scale(node.value, loss, source)
        for node in made
    )


def is_always_on(source: Source) -> bool:
    """Whether every region of the file is on whatever is chosen."""
    return all(
        region.enabled is True and region.opening is region.call and not places.tests_around(region.opening, source)
        for region in source.regions
    )


def _choices(backward: ast.Call, around: set[ast.AST], source: Source) -> Iterator[ast.If | ast.IfExp]:
    """The tests around a call, and those beside them that it may run behind."""
    for node in walk(places.function_of(backward, source) or source.tree):
        if isinstance(node, _CHOICES) and (node in around or next(source.ancestors(node), None) in around):
            yield node


def _sides(choice: ast.If | ast.IfExp) -> tuple[_Side, _Side]:
    if isinstance(choice, ast.If):
        return choice.body, choice.orelse
    return [choice.body], [choice.orelse]


def _behind(choice: ast.If | ast.IfExp, around: set[ast.AST], source: Source) -> list[ast.stmt]:
    """What stands behind a test in its block, where its side around the call leaves the turn."""
    if not isinstance(choice, ast.If) or not any(isinstance(one, _LEAVING) for one in choice.body[-1:]):
        return []
    if not any(one in around for one in choice.body):
        return []
    parent = next(source.ancestors(choice))
    blocks = (getattr(parent, name, []) for name in ("body", "orelse", "finalbody"))
    return next((block[block.index(choice) + 1 :] for block in blocks if choice in block), [])


def _calls(side: Iterable[ast.AST]) -> Iterator[ast.Call]:
    return (node for part in side for node in walk(part) if isinstance(node, ast.Call))


def _may_scale(call: ast.Call, loss: ast.expr, source: Source) -> bool:
    """Whether a call of something unseen is handed the loss, and is a scaler by its name or is handed one, or an
    optimizer to step."""
    handed = [*call.args, *(word.value for word in call.keywords)]
    others = [one for one in handed if not _is_of(one, loss)]
    if len(others) == len(handed) or any(held.form is Form.FUNCTION for held in source.resolve(call.func)):
        return False
    named = (call.func, *(one for one in others if isinstance(one, (ast.Name, ast.Attribute))))
    return any(_SCALES.search(places.spelled(one)) for one in named) or any(
        source.held(one).role is Role.OPTIMIZER for one in others
    )


def _is_of(handed: ast.expr, loss: ast.expr) -> bool:
    """Whether what is handed in is the loss, or made of it: `loss / steps`."""
    if places.spelled(handed) == places.spelled(loss):
        return True
    is_looked_at = isinstance(handed, ast.Call) and places.called(handed) in _LOOKING
    return not is_looked_at and bool(places.names_in(handed) & places.names_in(loss))


def _decides_on(call: ast.Call, loss: ast.expr, test: ast.expr, source: Source) -> bool:
    """Whether a test, with what its names are set to, asks for what is called or handed in, or for AMP."""
    parts = (call.func, *call.args, *(word.value for word in call.keywords))
    asked = {places.receiver(call), *(places.spelled(one) for one in parts if not _is_of(one, loss))} - {"self"}
    return any(
        asked & places.names_in(value) or _SWITCH.search(places.spelled(value)) for value in values(test, source)
    )
