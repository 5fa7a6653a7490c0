"""Which rules a file is worth: the test on words that keeps most files unparsed.

It reads every byte of a project, so a word is looked for once, and only where the words it stands with occur.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache

from ampfix.lint.discover import is_notebook
from ampfix.lint.settings import Settings, per_object
from ampfix.rules import Listed
from ampfix.rules._spellings import AMP_WORDS

Group = tuple[str, ...]
"""Words of which all, or one, must occur."""

PATTERN = "re:"
"""What a word begins with that is a regular expression."""

NEAR = "near:"
"""What a word begins with that is a plain word, a colon, and a regular expression for the text around that word: from
the beginning of its line, which `\\A` matches, as far as the arguments of a call reach."""

_REACH = 400

# Parts of several words, each of which is looked for where the part occurs.
_STEMS = ("amp", ".amp", "abric", "scale", "backward", "float16", "half")


def is_worth_checking(data: bytes, path: str, settings: Settings) -> bool:
    """Whether any rule in force may look at a file with these bytes."""
    plain = data.replace(b'\\"', b'"') if is_notebook(path) else data
    return has_words(plain, settings.rules_for(path))


def has_words(data: bytes, rules: Sequence[Listed]) -> bool:
    """Whether the words of any of the rules occur in a file, be it in a comment."""
    return _reaches(data, _tree_of(rules))


def concerned(text: str, rules: Iterable[Listed]) -> list[Listed]:
    """The rules that look at this text. Taking comments out costs most, and is left to what little passes before."""
    plainly = _plainly(text)
    for question in (plainly, _nearly(text, plainly, _without_comments)):
        rules = _asking(question, rules)
        if not rules:
            return []
    return _asking(_exactly(code_of(text)), rules)


def mentions_amp(text: str) -> bool:
    """Whether a text says that it uses AMP, whatever the rules ask besides."""
    nearly = _nearly(text, _plainly(text), _without_comments)
    return any(all(map(nearly, group)) for group in AMP_WORDS)


Question = Callable[[str], bool]
"""Whether a word occurs."""


def _asking(occurs: Question, rules: Iterable[Listed]) -> list[Listed]:
    known: dict[str, bool] = {}
    mentioned: dict[int, bool] = {}  # by identity: most rules share theirs, and a tuple of groups takes long to hash
    needed: dict[int, bool] = {}

    def once(word: str) -> bool:
        found = known.get(word)
        if found is None:
            found = known[word] = occurs(word)
        return found

    def asks(rule: Listed) -> bool:
        mentions, needs = id(rule.mentions), id(rule.needs)
        if mentions not in mentioned:
            mentioned[mentions] = any(all(map(once, group)) for group in rule.mentions)
        if mentioned[mentions] and needs not in needed:
            needed[needs] = all(any(map(once, need)) for need in rule.needs)
        return mentioned[mentions] and needed[needs]

    return list(filter(asks, rules))


def _plainly(text: str) -> Question:
    """Takes every expression for found. A part that words share is looked for once."""
    known: dict[str, bool] = {}

    def occurs(word: str) -> bool:
        for part in _parts(word):
            found = known.get(part)
            if found is None:
                found = known[part] = part in text
            if not found:
                return False
        return True

    return occurs


def _nearly(text: str, plainly: Question, cleaned: Callable[[str], str] = str) -> Question:
    """Looks around plain words, and takes for found what may match anywhere."""
    return lambda word: plainly(word) and (not word.startswith(NEAR) or _is_near(word, text, cleaned))


def _exactly(code: str) -> Question:
    nearly = _nearly(code, _plainly(code))
    return lambda word: _expression(word).search(code) is not None if word.startswith(PATTERN) else nearly(word)


def _is_near(word: str, text: str, cleaned: Callable[[str], str]) -> bool:
    (plain,), expression = plain_part(word), _expression(word)
    at = text.find(plain)
    while at >= 0:
        line = text.rfind("\n", 0, at) + 1
        before = text[line:at]
        found = expression.search(cleaned(text[line : at + _REACH]))
        # What begins behind the word belongs to its next occurrence, and may be cut off here.
        if found is not None and (found.start() <= len(before) or "#" in before):
            return True
        at = text.find(plain, at + len(plain))
    return False


def _without_comments(text: str) -> str:
    return _COMMENT.sub("", text) if "#" in text else text


_COMMENT = re.compile(r"#[^\n\r]*")


@cache
def plain_part(word: str) -> tuple[str, ...]:
    """The plain word that a text with this word holds; none for an expression."""
    if word.startswith(NEAR):
        return (word.split(":", 2)[1],)
    return () if word.startswith(PATTERN) else (word,)


@cache
def _parts(word: str) -> tuple[str, ...]:
    """The plain word behind the stem that others share with it."""
    plain = plain_part(word)
    return (*(stem for stem in _STEMS for part in plain if stem in part and stem != part), *plain)


@cache
def _expression(word: str) -> re.Pattern[str]:
    return re.compile(word.split(":", 2)[2] if word.startswith(NEAR) else word[len(PATTERN) :])


_TRIPLE = r"""\"{3}[^"\\]*(?:(?:\\.|"(?!""))[^"\\]*)*\"{3}|'{3}[^'\\]*(?:(?:\\.|'(?!''))[^'\\]*)*'{3}"""
_SINGLE = r""""[^"\\\n]*(?:\\.[^"\\\n]*)*"|'[^'\\\n]*(?:\\.[^'\\\n]*)*'"""
# The group holds what is code: formatted texts too, and texts in single quotes, which hide what looks like the others.
_PART = re.compile(
    rf"""#[^\n\r]*|(?<![fF])(?:{_TRIPLE})|({_TRIPLE}|{_SINGLE}|[^#"']+|["'])""",
    re.DOTALL,
)


def code_of(text: str) -> str:
    """The text without comments, documentation and other texts in triple quotes."""
    return "".join(_PART.findall(text))


Tree = tuple[tuple[bytes, "Tree | None"], ...]
"""Words to look for; where one occurs, those that must occur besides, or None where nothing more is asked."""


def _reaches(data: bytes, tree: Tree) -> bool:
    for word, rest in tree:  # noqa: SIM110 -- once for every file of a project
        if word in data and (rest is None or _reaches(data, rest)):
            return True
    return False


@per_object
def _tree_of(rules: Sequence[Listed]) -> Tree:
    groups = {frozenset(group) for rule in rules for group in rule.mentions}
    plain = {frozenset(part for word in group for part in plain_part(word)) for group in groups}
    return _grown([group | _stems(group) for group in _needed(plain)])


def _stems(group: frozenset[str]) -> frozenset[str]:
    return frozenset(stem for stem in _STEMS if any(stem in word for word in group))


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
