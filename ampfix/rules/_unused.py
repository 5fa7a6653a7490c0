"""Code that never runs, as far as a file and those that import it show: functions that nobody calls, regions that every
call leaves off."""

from __future__ import annotations

import ast

from ampfix.patterns import pattern
from ampfix.program import CoveredRegion, Source
from ampfix.program.tree import unparsed
from ampfix.rules._callers import callers
from ampfix.rules._places import parameters
from ampfix.rules._region_switches import off_parameters, switched_off_by
from ampfix.rules._shapes import FUNCTIONS, calls_of, function_of, opener_of

_HOOK = pattern(r"__\w+__|forward|(on|after|before)_\w+|\w*(training|validation|test|predict)_(step|epoch)\w*")
_SWITCH = pattern(r"grad|inference_mode|method")
_ANY = "import"  # a word of every file that imports another


def is_unused(node: ast.AST, source: Source) -> bool:
    """Whether code stands in a function that neither its file nor any that imports it mentions. Only methods of scripts
    are known to be unused: other files call those of objects that they do not build."""
    function = node if isinstance(node, FUNCTIONS) else function_of(node, source)
    name, around = getattr(function, "name", ""), next(source.ancestors(function), None)
    if not name or _HOOK.fullmatch(name) or not _is_plain(function) or _is_mentioned(name, source):
        return False
    is_script = "__main__" in source.text
    if isinstance(around, ast.ClassDef):
        return is_script
    return isinstance(around, ast.Module) and not source.importing(name) and (is_script or bool(source.importing(_ANY)))


def _is_mentioned(name: str, source: Source) -> bool:
    """Whether a file names a function besides defining it."""
    if f'"{name}"' in source.text or f"'{name}'" in source.text:
        return True
    return any(name == getattr(one, "id", getattr(one, "attr", "")) for one in source.nodes((ast.Name, ast.Attribute)))


def _is_plain(function: ast.AST) -> bool:
    """Whether no decorator may register a function."""
    return all(map(_SWITCH.search, map(unparsed, getattr(function, "decorator_list", ()))))


def is_left_off(region: CoveredRegion, source: Source) -> bool:
    """Whether a parameter switches a region on, and every call of its function leaves that None or False."""
    function = opener_of(region, source)
    if not isinstance(function, (ast.FunctionDef, ast.AsyncFunctionDef)):
        return False
    if not switched_off_by(region, function, parameters(function)):
        return False
    made = calls_of(function, source)
    if not all(_leaves_off(call, region, function) for call in made):
        return False
    elsewhere = callers(function, source)
    if {one.source.path for one in elsewhere} != set(source.importing(function.name)):
        return False  # calls that are not seen
    return bool(made or elsewhere) and all(_leaves_off(one.call, region, function) for one in elsewhere)


def _leaves_off(call: ast.Call, region: CoveredRegion, function: ast.AST) -> bool:
    return bool(switched_off_by(region, function, off_parameters(call, function)))
