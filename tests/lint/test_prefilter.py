"""The prefilter asks what the rules' groups of words ask, whatever order it asks in, and of code alone."""

from __future__ import annotations

import io
import re
import tokenize
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import ampfix.lint
from ampfix.lint import prefilter
from ampfix.lint.prefilter import code_of, has_words, is_worth_checking, mentions_amp
from ampfix.lint.settings import Settings
from ampfix.rules import all_rules, listed
from ampfix.rules._tree import NEAR, PATTERN, plain_part, tree_of
from ampfix.rules._words import TREE

WORDS = st.text(alphabet="ab(.", min_size=1, max_size=3)
GROUPS = st.lists(st.lists(WORDS, min_size=1, max_size=3).map(tuple), max_size=6).map(tuple)
Groups = tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Asking:
    """A rule that looks at files with some words."""

    mentions: Groups
    needs: Groups = ()

    def may_find_in(self, code: str) -> bool:
        return "blank" not in code


def plain(groups: Groups) -> Groups:
    return tuple(tuple(part for word in group for part in plain_part(word)) for group in groups)


def concerned(text: str, rules: Iterable[Any]) -> list[Any]:
    return prefilter.concerned(code_of(text), rules)


def wanted(text: str, mentions: Groups) -> bool:
    return any(all(word in text for word in group) for group in mentions)


def concerns(text: str, rule: Asking) -> bool:
    return wanted(text, rule.mentions) and all(any(word in text for word in group) for group in rule.needs)


@given(st.lists(st.tuples(GROUPS, GROUPS), max_size=4), st.text(alphabet="ab(. ", max_size=20))
def test_a_rule_is_concerned_where_a_group_and_all_its_needs_occur(
    rules: list[tuple[Groups, Groups]], text: str
) -> None:
    asking = [Asking(*groups) for groups in rules]
    assert has_words(text.encode(), asking) is any(wanted(text, rule.mentions) for rule in asking)  # type: ignore[arg-type]
    assert concerned(text, asking) == [rule for rule in asking if concerns(text, rule)]


def own_words() -> Iterable[str]:
    return sorted({word for rule in all_rules() for group in rule.mentions for word in group})


@given(st.lists(st.sampled_from(own_words())))
def test_the_rules_own_words(words: list[str]) -> None:
    text = "\n".join(words)
    has_all = any(wanted(text, plain(rule.mentions)) for rule in all_rules())
    assert is_worth_checking(text.encode(), "book.ipynb", Settings()) is has_all
    assert has_words(text.encode(), listed()) <= has_all
    assert has_words(text.encode(), listed()) >= bool(concerned(text, listed()) or mentions_amp(code_of(text)))


def test_the_tree_that_comes_with_the_table_is_that_of_all_rules() -> None:
    assert tree_of(listed()) == TREE


def test_bytes_are_asked_for_what_stands_around_a_word() -> None:
    asking = [Asking(((rf"{NEAR}b:\Aab(?! off)", "c"),)), Asking((("d",),))]
    for text in ("ab\nc", "ab off\nd", "é\nab\nc"):
        assert has_words(text.encode(), asking)  # type: ignore[arg-type]
    for text in ("ab off\nc", "ab", "# ab\nc"):
        assert not has_words(text.encode(), asking)  # type: ignore[arg-type]


def test_rules_are_remembered_by_what_they_are() -> None:
    for word in ("a", "b"):  # the first list is gone, and its place may be taken, when the second is asked about
        asking = [Asking(((word,),))]
        assert has_words(word.encode(), asking)  # type: ignore[arg-type]
        del asking


def test_what_concerns_a_rule_has_its_words_in_the_bytes_too() -> None:
    for rule in all_rules():
        for example in rule.INVALID:
            assert rule.code in {each.code for each in concerned(example.code, listed())}, example.code
            assert has_words(example.code.encode(), listed())


def test_a_pattern_is_searched_for() -> None:
    asking = [Asking(((f"{PATTERN}a+b",),)), Asking((("c",),), ((f"{PATTERN}^x", "d"),))]
    assert concerned("aab", asking) == asking[:1]
    assert concerned("cd", asking) == asking[1:]
    assert concerned("c x", asking) == []


def test_a_rule_may_tell_by_more_than_words() -> None:
    asking = [Asking((("a",),))]
    assert concerned("a blank", asking) == []
    assert concerned("a  # blank", asking) == asking


def test_an_expression_is_searched_for_around_its_word() -> None:
    asking = [Asking(((rf"{NEAR}b:\Aab(?! off)",),))]
    assert concerned("x\nab on", asking) == asking
    assert concerned("ab off", asking) == []
    assert concerned("x ab", asking) == []
    assert concerned("ab  # off", asking) == asking
    assert concerned("# ab", asking) == []
    assert concerned("ab off\nab", asking) == asking


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("a  # b", "a  "),
        ("'# a'  # b", "'# a'  "),
        ('"""a # b"""; c', "; c"),
        ("'''a\n\"\"\"b'''; c", "; c"),
        ('"\\"#"; c', '"\\"#"; c'),
        ('f"""{a}"""', 'f"""{a}"""'),
        ('"""a\\"""b"""', ""),
        ("'a\\\n# b'; c", "'a\\\n# b'; c"),
        ('"" "# a"', '"" "# a"'),
    ],
)
def test_code_is_what_is_left_of_comments_and_documentation(text: str, code: str) -> None:
    assert code_of(text) == code


def names(text: str) -> list[str]:
    tokens = tokenize.generate_tokens(io.StringIO(text).readline)
    return [token.string for token in tokens if token.type in (tokenize.NAME, tokenize.OP, tokenize.NUMBER)]


@pytest.mark.parametrize("path", sorted(Path(ampfix.lint.__file__).parent.glob("*.py")), ids=lambda path: path.name)
def test_nothing_but_strings_and_comments_is_taken_from_real_code(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    code = code_of(text)
    wanted_names = set(re.findall(r"\w+", " ".join(names(text))))
    assert wanted_names <= set(re.findall(r"\w+", code))
