"""How one use of a deprecated name changes, by the form it has: call, partial, decorator, type, base class, value."""

from __future__ import annotations

from collections.abc import Sequence

import libcst as cst

from ampfix.codemods._imports import Dotted, dotted, global_name
from ampfix.codemods.changes import Before, Change, Replace, replace_by
from ampfix.codemods.errors import CannotRepair
from ampfix.codemods.tree import Tree
from ampfix.rules._successors import Device, Successor

_TYPE_TESTS = ("isinstance", "issubclass")


def adapt(tree: Tree, use: Dotted, spelling: str, successor: Successor) -> list[Change]:
    """Changes that make `use` the successor, written `spelling`. Raises CannotRepair for forms that might break."""
    parent = tree.parent(use)
    renamed: list[Change] = [_respelled(use, spelling)] if tree.code(use) != spelling else []
    if isinstance(parent, cst.Call) and parent.func is use:
        return [*renamed, _call(tree, parent, 0, successor)]
    if isinstance(parent, cst.Arg):
        return _as_argument(tree, use, parent, successor, renamed)
    if isinstance(parent, cst.Decorator):
        return [_decorator(tree, use, spelling, successor)]
    if isinstance(parent, cst.Annotation) or _in_annotation(tree, use):
        return renamed
    return _as_value(tree, use, spelling, successor, renamed)


def _as_argument(
    tree: Tree, use: Dotted, argument: cst.Arg, successor: Successor, renamed: list[Change]
) -> list[Change]:
    holder = tree.parent(argument)
    if isinstance(holder, cst.ClassDef):
        return [*renamed, *_base_class(tree, holder, successor)]
    if isinstance(holder, cst.Call) and holder.args[0] is argument and _is_partial(tree, holder):
        stored = tree.parent(holder)
        for target in stored.targets if isinstance(stored, cst.Assign) else ():
            _refuse_positional_calls(tree, target.target)
        return [*renamed, _call(tree, holder, 1, successor)]
    if isinstance(holder, cst.Call) and dotted(holder.func)[-1:] and dotted(holder.func)[-1] in _TYPE_TESTS:
        return renamed
    raise CannotRepair(f"{tree.code(use)} is handed to another function, which may call it in the old way")


def _is_partial(tree: Tree, call: cst.Call) -> bool:
    spelled = ".".join(dotted(call.func))
    return spelled != "" and spelled in (global_name(tree, "functools.partial"), "functools.partial", "partial")


def _in_annotation(tree: Tree, use: Dotted) -> bool:
    return any(isinstance(node, cst.Annotation) for node in tree.ancestors(use))


def _respelled(use: Dotted, spelling: str) -> Replace:
    def build(node: cst.CSTNode) -> cst.CSTNode:
        old = cst.ensure_type(node, cst.BaseExpression)  # type: ignore[type-abstract]
        return cst.parse_expression(spelling).with_changes(lpar=old.lpar, rpar=old.rpar)

    return Replace(use, build, spelling)


def _call(tree: Tree, call: cst.Call, skipped: int, successor: Successor) -> Replace:
    """Old positional arguments become keywords and the device joins them. skipped: arguments that are partial's own."""
    arguments = _as_keywords(call.args[skipped:], successor)  # raises now, not while the tree is being rewritten
    label = "".join(tree.code(argument) for argument in arguments)
    quote = tree.quote

    def build(node: cst.CSTNode) -> cst.CSTNode:
        updated = cst.ensure_type(node, cst.Call)
        rest = _as_keywords(updated.args[skipped:], successor)
        device = cst.parse_expression(f"{quote}{successor.device}{quote}")
        return updated.with_changes(args=_with_device(updated, updated.args[:skipped], rest, device, successor.passed))

    return Replace(call, build, f"device, {label}")


def _as_keywords(arguments: Sequence[cst.Arg], successor: Successor) -> list[cst.Arg]:
    made: list[cst.Arg] = []
    for position, argument in enumerate(arguments):
        if argument.star == "*":
            raise CannotRepair("positional arguments are unpacked into the call, and their places moved")
        if argument.keyword is not None or argument.star or successor.parameters is None:
            made.append(argument)
        elif position < len(successor.parameters):
            keyword = cst.Name(successor.parameters[position])
            plain = cst.AssignEqual(cst.SimpleWhitespace(""), cst.SimpleWhitespace(""))
            made.append(argument.with_changes(keyword=keyword, equal=plain))
        else:
            raise CannotRepair("the call has more arguments than the deprecated function takes")
    return made


def _with_device(
    call: cst.Call, before: Sequence[cst.Arg], rest: list[cst.Arg], device: cst.BaseExpression, passed: Device
) -> list[cst.Arg]:
    if passed is Device.FIRST:
        return _insert(call, [*before], cst.Arg(device), rest)
    plain = cst.AssignEqual(cst.SimpleWhitespace(""), cst.SimpleWhitespace(""))
    argument = cst.Arg(device, keyword=cst.Name(passed.value), equal=plain)
    positional = [a for a in rest if a.keyword is None and not a.star]
    return _insert(call, [*before, *positional], argument, rest[len(positional) :])


def _insert(call: cst.Call, before: list[cst.Arg], new: cst.Arg, after: list[cst.Arg]) -> list[cst.Arg]:
    """`new` between two groups of arguments, on a line of its own where the arguments are laid out like that."""
    lines = (
        call.whitespace_before_args if isinstance(call.whitespace_before_args, cst.ParenthesizedWhitespace) else None
    )
    comma = cst.Comma(whitespace_after=lines or cst.SimpleWhitespace(" "))
    if after:
        if before:
            before[-1] = before[-1].with_changes(comma=comma)
        return [*before, new.with_changes(comma=comma), *after]
    if before:
        last = before[-1]
        before[-1] = last.with_changes(comma=comma, whitespace_after_arg=cst.SimpleWhitespace(""))
        new = new.with_changes(comma=last.comma, whitespace_after_arg=last.whitespace_after_arg)
    return [*before, new]


def _decorator(tree: Tree, use: Dotted, spelling: str, successor: Successor) -> Replace:
    if successor.passed is not Device.KEYWORD:
        raise CannotRepair(f"@{tree.code(use)} without parentheses replaces the function; write @{spelling}(...)")
    return replace_by(use, f"{spelling}(device_type={tree.quote}{successor.device}{tree.quote})")


def _base_class(tree: Tree, holder: cst.ClassDef, successor: Successor) -> list[Change]:
    """A subclass hands its arguments to the base: as keywords they mean the same to both."""
    init = next((f for f in tree.functions_of(holder) if f.name.value == "__init__"), None)
    calls = list(tree.calls(init.body, "super().__init__")) if init is not None else []
    if not calls or not successor.is_class:
        raise CannotRepair(f"{holder.name.value} inherits the constructor, whose arguments moved")
    return [_call(tree, call, 0, successor) for call in calls]


def _as_value(tree: Tree, use: Dotted, spelling: str, successor: Successor, renamed: list[Change]) -> list[Change]:
    """The name itself is kept in a variable: the device is bound to it, and calls of the variable may stay."""
    node: cst.CSTNode = use
    parent = tree.parent(node)
    while isinstance(parent, (cst.IfExp, cst.BooleanOperation)) and getattr(parent, "test", None) is not node:
        node, parent = parent, tree.parent(parent)
    if isinstance(parent, cst.Assign) and parent.value is node:
        targets = [target.target for target in parent.targets]
    elif isinstance(parent, cst.AnnAssign) and parent.value is node:
        targets = [parent.target]
    else:
        raise CannotRepair(f"{tree.code(use)} is used in a way that this repair does not follow")
    for target in targets:
        _refuse_positional_calls(tree, target)
    if successor.name == "amp.GradScaler" and successor.device == "cuda":
        return renamed  # "cuda" is the default of its first parameter
    keyword = f"{successor.passed.value}=" if successor.passed is Device.KEYWORD else ""
    partial = global_name(tree, "functools.partial")
    bound = f"{partial or 'functools.partial'}({spelling}, {keyword}{tree.quote}{successor.device}{tree.quote})"
    if partial is not None:
        return [replace_by(use, bound)]
    return [Before(tree.first_import(), "import functools"), replace_by(use, bound)]


def _refuse_positional_calls(tree: Tree, target: cst.BaseExpression) -> None:
    name = dotted(target)[-1:]
    if not name:
        raise CannotRepair("the name is unpacked or stored in a container, where its calls cannot be found")
    for node in tree.walk(tree.module):
        if not isinstance(node, cst.Call) or dotted(node.func)[-1:] != name:
            continue
        if any(argument.keyword is None and argument.star != "**" for argument in node.args):
            raise CannotRepair(f"{name[0]} is called with positional arguments, whose places moved")
