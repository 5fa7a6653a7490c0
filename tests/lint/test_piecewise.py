"""Neighbours that are parsed piece by piece say what they would say parsed at once."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import ampfix
from ampfix.lint.files import SourceFile
from ampfix.lint.piecewise import PiecewiseFile, neighbour
from ampfix.lint.scopes import Definition

FILES = sorted(Path(ampfix.__file__).parent.glob("l*/*.py"))
BODY = "".join(f"    value_{number} = make({number})\n" for number in range(20))  # long enough to be put off

PARTS = (
    f"def plain(a, b=1):\n{BODY}    return a\n",
    f"async def plain(a):\n{BODY}    return a\n",
    f"@wrap(\n    lambda x: x\n)\n@other\ndef decorated():\n{BODY}\n    # the end\n",
    f"class Base(Other):\n    kept: int = 3\n    def __init__(self, x):\n        self.x, self.y = x, 2\n{BODY}",
    f"class Inner(\n    Base\n):\n    def run(self):\n        def deeper(): pass\n    {BODY.strip()}\n",
    f"def changes():\n    global made\n    made = 3\n{BODY}",
    f'def speaks():\n    """Use it\nlike this:\n\ndef example():\n    pass\n    """\n{BODY}',
    f"def open_bracket():\n{BODY}    return [\n1, 2\n]\n",
    f"def joined():\n{BODY}    return 1 + \\\n2\n",
    f"def flags(x):\n{BODY}    if (y := x): print(y)\n",
    "def short(): return 1\n",
    "plain = 3\nfrom other import Base as Base, more\n",
    "try:\n    import fast\nexcept ImportError:\n    fast = None\n\n    def decorated(): pass\n",
    "text = '''\ndef hidden():\n    pass\n'''\n",
    "# a comment with ''' in it\n",
    "if True:\n    class Base: pass\n",
)


def told(file: SourceFile) -> object:
    """Everything a neighbour is asked for, in its order."""
    assert file.index.order[0] is file.tree  # all of it is parsed
    scopes = [
        (scope.qualname, _names(scope.names), _names(scope.attributes), sorted(scope.outer_names))
        for scope in file.scopes.scope_of.values()
    ]
    return ast.dump(file.tree, include_attributes=True), scopes


def _names(names: Mapping[str, list[Definition]]) -> list[object]:
    return [
        (name, [(each.symbol, each.line, each.item, _place(each.node), _place(each.value)) for each in held])
        for name, held in names.items()
    ]


def _place(node: ast.AST | None) -> object:
    return node and (type(node).__name__, getattr(node, "lineno", 0), getattr(node, "col_offset", 0))


def pieces_of(text: str) -> PiecewiseFile:
    file = neighbour(text, "file.py")
    assert isinstance(file, PiecewiseFile)
    return file


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.stem}-{path.stem}")
def test_a_file_parsed_in_pieces_is_the_file_parsed_at_once(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert told(neighbour(text, "file.py")) == told(SourceFile(text, "file.py"))


@given(st.lists(st.sampled_from(PARTS), max_size=7), st.lists(st.sampled_from(["plain", "decorated", "Base", "made"])))
def test_any_order_of_questions_ends_in_the_same(parts: list[str], asked: list[str]) -> None:
    text = "".join(parts)
    file, whole = neighbour(text, "file.py"), SourceFile(text, "file.py")
    names = whole.scopes.root.names
    for name in asked:
        assert _names({name: file.scopes.root.names.get(name, [])}) == _names({name: names.get(name, [])})
        assert (name in file.scopes.root.names) == (name in names)
    assert told(file) == told(whole)


def _calls(file: SourceFile, name: str) -> list[object]:
    return [(_place(call), file.scope_at(call).qualname) for call in file.calls_to(name)]


@pytest.mark.parametrize("path", FILES[::12], ids=lambda path: f"{path.parent.stem}-{path.stem}")
def test_calls_are_found_in_pieces_as_they_are_in_the_whole(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    file, whole = neighbour(text, "file.py"), SourceFile(text, "file.py")
    for name in list(whole.calls)[::9]:
        assert _calls(file, name) == _calls(whole, name)
    assert told(file) == told(whole)


@given(st.lists(st.sampled_from(PARTS), max_size=7), st.lists(st.sampled_from(["make", "wrap", "print", "plain"])))
def test_calls_are_found_in_any_order_of_questions(parts: list[str], asked: list[str]) -> None:
    text = "".join(parts)
    file, whole = neighbour(text, "file.py"), SourceFile(text, "file.py")
    for name in asked:
        assert _calls(file, name) == _calls(whole, name)
    assert told(file) == told(whole)


def test_of_what_calls_nothing_of_the_name_nothing_is_parsed() -> None:
    file = pieces_of(f"{PARTS[0]}{PARTS[3]}{PARTS[9]}")
    (call,) = file.calls_to("print")
    assert file.scope_at(call).qualname == "flags"
    assert file.puts_off("plain")
    assert file.puts_off("Base")
    assert not file.puts_off("flags")


def test_what_nobody_asks_for_is_not_parsed() -> None:
    file = pieces_of(
        f"{PARTS[0]}{PARTS[3]}{PARTS[11].partition('from')[1]} other import more\n".replace("plain", "first")
    )
    assert list(file.scopes.root.names) == ["more", "first", "Base"]
    assert file.puts_off("first")
    assert file.puts_off("Base")
    (definition,) = file.scopes.root.names["first"]
    assert definition.node is not None
    assert definition.line == 1
    assert not file.puts_off("first")
    assert file.puts_off("Base")


def test_a_name_that_the_rest_sets_too_is_not_put_off() -> None:
    file = pieces_of(f"{PARTS[0]}plain = 3\n")
    assert not file.puts_off("plain")
    assert [each.line for each in file.scopes.root.names["plain"]] == [1, PARTS[0].count("\n") + 1]


def test_a_piece_that_is_not_python_is_a_name_of_which_nothing_is_known() -> None:
    file = pieces_of(f"{PARTS[0]}def old():\n{BODY}    print 'x'\n")
    (definition,) = file.scopes.root.names["old"]
    assert (definition.node, definition.value, definition.symbol) == (None, None, "")
    assert file.scopes.root.names["plain"][0].node is not None


@pytest.mark.parametrize("text", ["def f(:\n", "x = (\n", 'text = """\n'])
def test_a_rest_that_is_not_python_raises(text: str) -> None:
    with pytest.raises(SyntaxError):
        neighbour(text, "file.py")


@pytest.mark.parametrize("text", [PARTS[0].replace("\n", "\r\n"), PARTS[0] + "\f" + PARTS[3]])
def test_unusual_lines_are_parsed_at_once(text: str) -> None:
    file = neighbour(text, "file.py")
    assert not isinstance(file, PiecewiseFile)
    assert file.scopes.root.names["plain"][0].line == 1


def test_letting_go_of_a_file_lets_go_of_its_trees() -> None:
    file = pieces_of(PARTS[0] + PARTS[9])
    (definition,) = file.scopes.root.names["flags"]
    assert definition.node is not None
    file.index_around(definition.node)
    tree = definition.node.ampfix_tree  # type: ignore[union-attr]
    file.release()
    assert not tree.order
