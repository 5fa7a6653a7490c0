"""Places that a repair names in its arguments, and the nodes there."""

from __future__ import annotations

import libcst as cst

from ampfix.codemods.errors import CannotRepair
from ampfix.codemods.tree import Tree
from ampfix.findings import Position, Span


def span_of(place: str) -> Span:
    """ "line:column-line:column" as a span."""
    start, end = (Position(*map(int, corner.split(":"))) for corner in place.split("-"))
    return Span(start, end)


def expressions_at(tree: Tree, places: str) -> list[cst.BaseExpression]:
    """The expressions at places separated by semicolons."""
    found: list[cst.BaseExpression] = []
    for place in filter(None, places.split(";")):
        node = tree.at(span_of(place))
        if not isinstance(node, cst.BaseExpression):
            raise CannotRepair("no expression lies where the tensor was seen")
        found.append(node)
    return found


_ATOMS = (cst.Name, cst.Attribute, cst.Call, cst.Subscript)


def as_float(node: cst.CSTNode) -> cst.BaseExpression:
    """`node.float()`, in parentheses where it needs them."""
    expression = cst.ensure_type(node, cst.BaseExpression)  # type: ignore[type-abstract]
    if not isinstance(expression, _ATOMS) and not expression.lpar:
        expression = expression.with_changes(lpar=[cst.LeftParen()], rpar=[cst.RightParen()])
    return cst.Call(cst.Attribute(expression, cst.Name("float")))
