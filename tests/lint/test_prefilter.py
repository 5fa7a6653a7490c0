"""The prefilter asks what the rules' groups of words ask, whatever order it asks in."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from ampfix.lint.prefilter import concerned, worth_parsing
from ampfix.rules import Rule, all_rules

WORDS = st.text(alphabet="ab(.", min_size=1, max_size=3)
GROUPS = st.lists(st.lists(WORDS, min_size=1, max_size=3).map(tuple), max_size=6).map(tuple)


class Asking(Rule):
    """A rule that looks at files with some words."""

    def __init__(self, mentions: tuple[tuple[str, ...], ...]) -> None:
        self.mentions = mentions  # type: ignore[misc]

    def check(self, source):  # type: ignore[no-untyped-def]
        return iter(())


def wanted(text: str, mentions: tuple[tuple[str, ...], ...]) -> bool:
    return any(all(word in text for word in group) for group in mentions)


@given(st.lists(GROUPS, max_size=4), st.text(alphabet="ab(. ", max_size=20))
def test_a_file_is_worth_it_if_all_words_of_a_group_occur(rules: list[tuple[tuple[str, ...], ...]], text: str) -> None:
    asking = [Asking(mentions) for mentions in rules]
    assert worth_parsing(text.encode(), asking) is any(wanted(text, mentions) for mentions in rules)
    assert concerned(text, asking) == [rule for rule in asking if wanted(text, rule.mentions)]


@given(st.lists(st.sampled_from(sorted({word for rule in all_rules() for group in rule.mentions for word in group}))))
def test_the_rules_own_words(words: list[str]) -> None:
    text = "\n".join(words)
    assert worth_parsing(text.encode(), all_rules()) is any(wanted(text, rule.mentions) for rule in all_rules())
