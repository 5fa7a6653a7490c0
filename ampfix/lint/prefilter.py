"""Which rules a file is worth: the test on words that keeps most files unparsed.

It reads every byte of a project, so a word is looked for once, and only where the words it stands with occur.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import cache

from ampfix.rules import Rule

Group = tuple[str, ...]
"""Words that must all occur."""


def worth_parsing(data: bytes, rules: Iterable[Rule]) -> bool:
    """Whether any of the rules looks at a file with these bytes."""
    return _reaches(data, _tree(tuple(rule.mentions for rule in rules)))


def concerned(text: str, rules: Iterable[Rule]) -> list[Rule]:
    """The rules that look at this text."""
    known: dict[str, bool] = {}

    def occurs(word: str) -> bool:
        if word not in known:
            known[word] = word in text
        return known[word]

    return [rule for rule in rules if any(all(map(occurs, group)) for group in rule.mentions)]


Tree = tuple[tuple[bytes, "Tree | None"], ...]
"""Words to look for; where one occurs, those that must occur besides, or None where nothing more is asked."""


def _reaches(data: bytes, tree: Tree) -> bool:
    return any(word in data and (rest is None or _reaches(data, rest)) for word, rest in tree)


@cache
def _tree(mentions: tuple[tuple[Group, ...], ...]) -> Tree:
    return _grown(_needed({frozenset(group) for groups in mentions for group in groups}))


def _needed(groups: set[frozenset[str]]) -> list[frozenset[str]]:
    """Without groups that occur only where a shorter one does: ("autocast", "cuda") says no more than ("autocast",)."""
    kept: list[frozenset[str]] = []
    for group in sorted(groups, key=lambda group: (len(group), sum(map(len, group)), sorted(group))):
        if not any(all(any(word in longer for longer in group) for word in other) for other in kept):
            kept.append(group)
    return kept


def _grown(groups: Sequence[frozenset[str]]) -> Tree:
    """The word that most groups share comes first, and those groups hang below it."""
    branches: dict[str, list[frozenset[str]]] = {}
    left = list(groups)
    while left:
        shared = _most_shared(left)
        branches[shared] = [group - {shared} for group in left if shared in group]
        left = [group for group in left if shared not in group]
    return tuple((word.encode(), _below(below)) for word, below in _cheapest_first(branches))


def _below(groups: list[frozenset[str]]) -> Tree | None:
    return None if frozenset() in groups else _grown(groups)


def _most_shared(groups: Iterable[frozenset[str]]) -> str:
    counts = Counter(word for group in groups for word in group)
    return min(counts, key=lambda word: (-counts[word], word))


def _cheapest_first(branches: Mapping[str, list[frozenset[str]]]) -> list[tuple[str, list[frozenset[str]]]]:
    """Words that decide alone come first: most files that are worth it say one of them."""
    return sorted(branches.items(), key=lambda item: (frozenset() not in item[1], item[0]))
