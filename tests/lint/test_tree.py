"""The index of a tree agrees with what ast says about it."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from ampfix.program.tree import TreeIndex, children, unparsed, walk

SHARED = (ast.expr_context, ast.operator, ast.unaryop, ast.boolop, ast.cmpop)
SAMPLES = sorted((Path(__file__).parents[2] / "ampfix" / "lint").glob("*.py"))[:12]


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_walks_see_the_nodes_that_ast_sees(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    plain = {id(node): [id(child) for child in walk(node)] for node in ast.walk(tree)}  # not indexed yet
    index = TreeIndex(tree)
    for node in index.order:
        expected = {id(inner) for inner in ast.walk(node) if not isinstance(inner, SHARED)}
        assert {id(inner) for inner in walk(node)} == expected
        assert [id(inner) for inner in walk(node)] == plain[id(node)]
        assert {id(child) for child in children(node)} == {
            id(child) for child in ast.iter_child_nodes(node) if not isinstance(child, SHARED)
        }
        assert all(index.parents[child] is node for child in children(node))
    assert sum(len(nodes) for nodes in index.by_type().values()) == len(index.order)


def test_decorators_defaults_and_bases_belong_to_the_scope_around() -> None:
    tree = ast.parse("@deco\ndef f(a=default):\n    inside\nclass C(base):\n    body = lambda x=outer: inner\n")
    index = TreeIndex(tree)
    owner = {node.id: index.owners[node] for node in index.order if isinstance(node, ast.Name)}
    function, class_ = tree.body
    assert owner["deco"] is owner["default"] is owner["base"] is tree
    assert owner["inside"] is function
    assert owner["outer"] is class_
    assert isinstance(owner["inner"], ast.Lambda)


def test_source_in_canonical_form() -> None:
    node = ast.parse("f( x ,y )", mode="eval").body
    assert unparsed(node) == unparsed(node) == "f(x, y)"
