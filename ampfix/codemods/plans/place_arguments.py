"""Writes a call with its arguments in other places.

Span: the call, or a name that shall become one. Argument `layout`: JSON, a list of [place, keyword, text]: an old
argument by its place among all of them, or a new one by its text. A text `torch.X` is spelled as the file spells torch;
a quoted text takes the file's quotes. The line layout of arguments that stay is kept.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

import libcst as cst

from ampfix.codemods._imports import global_name
from ampfix.codemods.changes import Before, Change, Replace
from ampfix.codemods.errors import CannotRepair
from ampfix.codemods.tree import Tree
from ampfix.findings import Repair

_PLAIN = cst.AssignEqual(cst.SimpleWhitespace(""), cst.SimpleWhitespace(""))


def plan(tree: Tree, repair: Repair) -> list[Change]:
    node = tree.at(repair.span)
    changes: list[Change] = []
    layout = [(place, keyword, _spelled(tree, text, changes)) for place, keyword, text in _layout(repair)]
    if not isinstance(node, cst.Call):
        called = _bare(tree, node, [text for _, _, text in layout])
        return [*changes, Replace(node, lambda _: called, "call")]
    _refuse_lost_comments(tree, node, {place for place, _, _ in layout})

    def build(updated: cst.CSTNode) -> cst.CSTNode:
        call = cst.ensure_type(updated, cst.Call)
        return call.with_changes(args=_arranged(call, [_argument(call, *item) for item in layout]))

    return [*changes, Replace(node, build, repair.arguments["layout"])]


def _layout(repair: Repair) -> list[tuple[int | None, str, str]]:
    return [(place, keyword, text) for place, keyword, text in json.loads(repair.arguments["layout"])]


def _spelled(tree: Tree, text: str, changes: list[Change]) -> str:
    if text.startswith('"'):
        return tree.quote + text[1:-1] + tree.quote
    if text.startswith("torch."):
        name = global_name(tree, text)
        if name is None:
            if "torch" in tree.names() and not _only_in_imports(tree):
                raise CannotRepair("the name torch is used for something else here; import torch at module level")
            changes.append(Before(tree.first_import(), "import torch"))
        return name or text
    return text


def _only_in_imports(tree: Tree) -> bool:
    """Whether `torch` occurs as a part of imported modules' names alone."""
    return all(
        any(isinstance(around, (cst.Import, cst.ImportFrom)) for around in tree.ancestors(node))
        for node in tree.walk(tree.module)
        if isinstance(node, cst.Name) and node.value == "torch"
    )


def _bare(tree: Tree, node: cst.CSTNode, texts: list[str]) -> cst.BaseExpression:
    if not isinstance(node, (cst.Name, cst.Attribute)):
        raise CannotRepair("the region is not written as a name here")
    return cst.parse_expression(f"{tree.code(node)}({', '.join(texts)})")


def _refuse_lost_comments(tree: Tree, call: cst.Call, kept: set[int | None]) -> None:
    for place, argument in enumerate(call.args):
        if place not in kept and "#" in tree.code(argument):
            raise CannotRepair("a comment beside an argument would be lost; change the call by hand")


def _argument(call: cst.Call, place: int | None, keyword: str, text: str) -> cst.Arg:
    if place is None:
        made = cst.Arg(cst.parse_expression(text))
    else:
        made = call.args[place]
        if made.keyword is not None and made.keyword.value == keyword:
            return made
    if not keyword:
        return made.with_changes(keyword=None, equal=cst.MaybeSentinel.DEFAULT)
    return made.with_changes(keyword=cst.Name(keyword), equal=_PLAIN)


def _arranged(call: cst.Call, arguments: Sequence[cst.Arg]) -> list[cst.Arg]:
    """The arguments with commas between them, one a line where the call had them like that."""
    if not arguments:
        return []
    lines = call.whitespace_before_args
    between = cst.Comma(
        whitespace_after=lines if isinstance(lines, cst.ParenthesizedWhitespace) else cst.SimpleWhitespace(" ")
    )
    own = {id(argument.value): argument.comma for argument in call.args[:-1]}
    end = call.args[-1] if call.args else cst.Arg(cst.Name("_"))
    made = [
        argument.with_changes(
            comma=comma if isinstance(comma := own.get(id(argument.value)), cst.Comma) else between,
            whitespace_after_arg=cst.SimpleWhitespace(""),
        )
        for argument in arguments[:-1]
    ]
    last = arguments[-1].with_changes(comma=end.comma, whitespace_after_arg=end.whitespace_after_arg)
    return [*made, last]
