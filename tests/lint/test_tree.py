"""The index of a tree agrees with what ast says about it."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from ampfix.lint.scopes import ScopeBuilder
from ampfix.program.tree import TreeIndex, children, unparsed, walk

SHARED = (ast.expr_context, ast.operator, ast.unaryop, ast.boolop, ast.cmpop)
ROOT = Path(__file__).parents[2]
TEXTS = {
    path: path.read_text(encoding="utf-8") for folder in ("ampfix", "tests") for path in (ROOT / folder).rglob("*.py")
}
PLAIN = sorted(path for path, text in TEXTS.items() if "lambda" not in text and ":=" not in text)[::6]
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


@pytest.mark.parametrize("path", PLAIN, ids=lambda path: path.stem)
def test_statements_tell_the_same_scopes_as_the_whole_tree(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    by_statements, by_tree = ScopeBuilder(tree, None), ScopeBuilder(tree, TreeIndex(tree))
    assert list(by_statements.scope_of) == list(by_tree.scope_of)
    for node, scope in by_tree.scope_of.items():
        other = by_statements.scope_of[node]
        assert (other.names, other.attributes, other.outer_names) == (scope.names, scope.attributes, scope.outer_names)
