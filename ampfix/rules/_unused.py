"""Code that never runs, as far as a file and those that import it show: functions that nobody calls, regions that every
call leaves off."""

from __future__ import annotations

import ast
import re

from ampfix.patterns import pattern
from ampfix.program import CoveredRegion, Source
from ampfix.program.tree import unparsed, walk
from ampfix.rules._callers import callers
from ampfix.rules._places import class_of, parameters
from ampfix.rules._region_switches import kept_off, off_parameters, switched_off_by
from ampfix.rules._shapes import FUNCTIONS, calls_of, function_of, opener_of, path

_HOOK = pattern(r"__\w+__|forward|(on|after|before)_\w+|\w*(training|validation|test|predict)_(step|epoch)\w*")
_SWITCH = pattern(r"grad|inference_mode|method")
_Definition = ast.FunctionDef | ast.AsyncFunctionDef
_DEFINITIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_ANY = "import"  # a word of every file that imports another


def is_unused(node: ast.AST, source: Source) -> bool:
    """Whether code stands in a function that neither its file nor any that imports it mentions. A method is known to be
    unused in a script, and where the small project makes objects of its class and mentions it nowhere."""
    function = node if isinstance(node, FUNCTIONS) else function_of(node, source)
    name, around = getattr(function, "name", ""), next(source.ancestors(function), None)
    if not name or _HOOK.fullmatch(name) or not _is_plain(function) or _is_mentioned(name, source):
        return False
    is_script = "__main__" in source.text
    if isinstance(around, ast.ClassDef):
        made = name.startswith("_") or not _is_nowhere(around.name, source)  # what nobody makes is for other projects
        return is_script or (made and _is_nowhere(name, source))
    return isinstance(around, ast.Module) and not source.importing(name) and (is_script or bool(source.importing(_ANY)))


def is_unmentioned(name: str, source: Source) -> bool:
    """Whether a file defines a function for itself, as the underscore says, and no file of its small project mentions
    it, or may do so by a name that is put together."""
    defined = [one for one in source.nodes(_DEFINITIONS) if getattr(one, "name", "") == name]
    if not name.startswith("_") or name.startswith("__") or not defined or not all(map(_is_plain, defined)):
        return False
    return _is_nowhere(name, source)


def _is_nowhere(name: str, source: Source) -> bool:
    """Whether a small project only defines what has this name."""
    mentioned = rb"""(?<!\w)(?<!def )(?<!class )%b(?!\w)|getattr\([^\n,]*,\s*f["']""" % name.encode()
    return source.in_project(re.compile(mentioned)) is False


def _is_mentioned(name: str, source: Source) -> bool:
    """Whether a file names a function besides defining it."""
    if f'"{name}"' in source.text or f"'{name}'" in source.text:
        return True
    return any(name == getattr(one, "id", getattr(one, "attr", "")) for one in source.nodes((ast.Name, ast.Attribute)))


def _is_plain(function: ast.AST) -> bool:
    """Whether no decorator may register a function."""
    return all(map(_SWITCH.search, map(unparsed, getattr(function, "decorator_list", ()))))


def is_left_off(region: CoveredRegion, source: Source) -> bool:
    """Whether a parameter switches a region on, of its function or of the constructor of its object, and every call
    leaves that None or False."""
    function = opener_of(region, source)
    if not isinstance(function, _DEFINITIONS):
        return False
    if switched_off_by(region, function, parameters(function)):
        return _all_leave_off(region, function, function, calls_of(function, source), source)
    owner = class_of(function, source)
    constructor = next((one for one in getattr(owner, "body", ()) if getattr(one, "name", "") == "__init__"), None)
    if owner is None or not isinstance(constructor, _DEFINITIONS) or _is_made_otherwise(owner, source):
        return False
    switch = switched_off_by(region, function, kept_off(constructor, parameters(constructor)))
    if not switch or _times_set(switch, owner) > 1:
        return False
    made = [call for call in source.calls_to(owner.name) if path(call.func) == owner.name]
    return _all_leave_off(region, function, constructor, made, source)


def _all_leave_off(
    region: CoveredRegion, function: ast.AST, called: _Definition, made: list[ast.Call], source: Source
) -> bool:
    """Whether all calls, those of this file and of the ones that import it, leave the region of a function off. called:
    it, or the constructor of its object."""
    if not all(_leaves_off(call, region, function, called) for call in made):
        return False
    elsewhere = callers(called, source)
    owner = class_of(called, source) if called.name == "__init__" else None
    if {one.source.path for one in elsewhere} != set(source.importing(owner.name if owner else called.name)):
        return False  # calls that are not seen
    return bool(made or elsewhere) and all(_leaves_off(one.call, region, function, called) for one in elsewhere)


def _leaves_off(call: ast.Call, region: CoveredRegion, function: ast.AST, called: ast.AST) -> bool:
    off = off_parameters(call, called)
    return bool(switched_off_by(region, function, off if called is function else kept_off(called, off)))


def _is_made_otherwise(owner: ast.ClassDef, source: Source) -> bool:
    """Whether a class has heirs in the file, or makes an object by `cls(...)`."""
    heirs = (one for one in source.nodes((ast.ClassDef,)) if owner.name in map(path, getattr(one, "bases", ())))
    return any(True for _ in heirs) or any(True for _ in source.calls_to("cls"))


def _times_set(attribute: str, owner: ast.ClassDef) -> int:
    sets = (target for one in walk(owner) if isinstance(one, ast.Assign) for target in one.targets)
    return sum(path(target) == attribute for target in sets)
