"""The index of a tree agrees with what ast says about it."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from ampfix.lint.scopes import Definition, ScopeBuilder
from ampfix.program.tree import TreeIndex, children, unparsed, walk

SHARED = (ast.expr_context, ast.operator, ast.unaryop, ast.boolop, ast.cmpop)
ROOT = Path(__file__).parents[2]
TEXTS = {
    path: path.read_text(encoding="utf-8") for folder in ("ampfix", "tests") for path in (ROOT / folder).rglob("*.py")
}
PARSED = [
    *sorted(path for path, text in TEXTS.items() if "lambda" in text or ":=" in text)[::3],
    *sorted(path for path, text in TEXTS.items() if "lambda" not in text and ":=" not in text)[::12],
]
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


def _scopes(text: str, *, looked_at: str) -> list[object]:
    """What a text defines, where the expressions on some lines are looked at."""
    built = ScopeBuilder(ast.parse(text), looked_at)
    return [
        (type(node), getattr(node, "lineno", 0), _told(scope.names), _told(scope.attributes), scope.outer_names)
        for node, scope in built.scope_of.items()
    ]


def _told(names: dict[str, list[Definition]]) -> dict[str, list[tuple[int, int]]]:
    return {name: [(one.line, len(one.tests)) for one in found] for name, found in names.items()}


@pytest.mark.parametrize("path", PARSED, ids=lambda path: path.stem)
def test_few_lines_tell_the_same_scopes_as_the_whole_tree(path: Path) -> None:
    text = TEXTS[path]
    everywhere = "lambda\n" * (text.count("\n") + 1)
    assert _scopes(text, looked_at=text) == _scopes(text, looked_at=everywhere)


def test_what_an_expression_defines_is_seen_wherever_it_stands() -> None:
    text = """
@deco(
    lambda a: a)
class C(base(lambda b: b)):
    def f(self, x=(y := 1),
          z=lambda c: [
              c for _ in (d := c)
          ]):
        if (n := x):
            return lambda: (m := n)
        with open(q := x) as r, open(lambda s: s):
            pass
"""
    built = ScopeBuilder(ast.parse(text), text)
    defined = {(type(node).__name__, *scope.names) for node, scope in built.scope_of.items()}
    assert {("Lambda", name) for name in "abs"} | {("Lambda", "c", "d"), ("Lambda", "m")} <= defined
    assert ("ClassDef", "f", "y") in {(kind, *sorted(names)) for kind, *names in defined}
    assert ("FunctionDef", "n", "q", "r", "self", "x", "z") in {(kind, *sorted(names)) for kind, *names in defined}
