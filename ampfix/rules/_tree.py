"""The words of all rules as a tree: in which order a file is searched for them, so that few searches tell that it holds
none of their groups."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from typing import NamedTuple

from ampfix.rules._listing import Listed

PATTERN = "re:"
"""What a word begins with that is a regular expression."""

NEAR = "near:"
"""What a word begins with that is a plain word, a colon, and a regular expression for the text around that word: from
the beginning of its line, which `\\A` matches, as far as the arguments of a call reach."""

# Parts of several words, each of which is looked for where the part occurs.
_STEMS = (
    *("amp", ".amp", "cale", "caler", "backward", "float16", "half", "autocast", ".step(", "_checkpoint("),
    *("state_dict", "rain", "train_"),
)
# Words of most files, or of many: that one occurs says little, so that the others of its groups are asked first.
_COMMON = frozenset({"import", "eval", "test"})

Ends = tuple[tuple[str, ...], ...]
"""Of the groups that are complete with a word: what has to be found around their words, each a tuple of `near:`."""

Tree = tuple[tuple[bytes, Ends, "Tree"], ...]
"""Words to look for; where one occurs: the groups it completes, and the words that others need besides."""


class _Group(NamedTuple):
    """Plain words that all must occur, and what must be found around some of them."""

    words: frozenset[str]
    near: frozenset[str]


@cache
def plain_part(word: str) -> tuple[str, ...]:
    """The plain word that a text with this word holds; none for an expression."""
    if word.startswith(NEAR):
        return (word.split(":", 2)[1],)
    return () if word.startswith(PATTERN) else (word,)


@cache
def parts(word: str) -> tuple[str, ...]:
    """The plain word behind the stems that others share with it."""
    plain = plain_part(word)
    return (*(stem for stem in _STEMS for part in plain if stem in part and stem != part), *plain)


def tree_of(rules: Iterable[Listed]) -> Tree:
    """The words of these rules."""
    groups = {
        _Group(
            frozenset(part for word in group for part in plain_part(word)),
            frozenset(word for word in group if word.startswith(NEAR)),
        )
        for rule in rules
        for group in rule.mentions
    }
    return _grown([_Group(group.words | _stems(group.words), group.near) for group in _needed(groups)])


def _stems(words: frozenset[str]) -> frozenset[str]:
    return frozenset(stem for stem in _STEMS if any(stem in word for word in words))


def _needed(groups: set[_Group]) -> list[_Group]:
    """Without groups that occur only where a shorter one does: ("autocast", "cuda") says no more than ("autocast",)."""
    kept: list[_Group] = []
    for group in sorted(groups, key=_length):
        if not any(_says_less(other, group) for other in kept):
            kept.append(group)
    return kept


def _length(group: _Group) -> tuple[object, ...]:
    return len(group.near), len(group.words), sum(map(len, group.words)), sorted(group.words), sorted(group.near)


def _says_less(one: _Group, other: _Group) -> bool:
    """Whether the first occurs wherever the second does."""
    return one.near <= other.near and all(any(word in longer for longer in other.words) for word in one.words)


def _grown(groups: Sequence[_Group]) -> Tree:
    """The word that most groups share comes first, of those that are not common, and those groups hang below it."""
    branches: dict[str, list[_Group]] = {}
    left = list(groups)
    while left:
        shared = _most_shared(left)
        branches[shared] = [group._replace(words=group.words - {shared}) for group in left if shared in group.words]
        left = [group for group in left if shared not in group.words]
    return tuple((word.encode(), _ends(below), _below(below)) for word, below in _cheapest_first(branches))


def _ends(groups: Sequence[_Group]) -> Ends:
    return tuple(sorted(tuple(sorted(group.near)) for group in groups if not group.words))


def _below(groups: Sequence[_Group]) -> Tree:
    """What to look for where a word occurs and completes no group; nothing where it completes one by itself."""
    return () if _Group(frozenset(), frozenset()) in groups else _grown([group for group in groups if group.words])


def _most_shared(groups: Iterable[_Group]) -> str:
    counts = Counter(word for group in groups for word in group.words)
    return min(counts, key=lambda word: (word in _COMMON, -counts[word], word))


def _cheapest_first(branches: Mapping[str, list[_Group]]) -> list[tuple[str, list[_Group]]]:
    """Words that decide alone come first: most files that are worth it say one of them."""
    return sorted(branches.items(), key=lambda item: (() not in _ends(item[1]), item[0]))
