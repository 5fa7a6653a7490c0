"""Which rules a file is worth: the test on words that keeps most files unparsed.

It reads every byte of a project, so a word is looked for once, and only where the words it stands with occur.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from functools import cache

from ampfix.lint.discover import is_notebook
from ampfix.lint.settings import Settings, per_object
from ampfix.rules import Listed, listed
from ampfix.rules._spellings import AMP_WORDS
from ampfix.rules._tree import NEAR, PATTERN, Tree, parts, plain_part, tree_of

_REACH = 400


def is_worth_checking(data: bytes, path: str, settings: Settings) -> bool:
    """Whether any rule in force may look at a file with these bytes."""
    rules = settings.rules_for(path)
    if not is_notebook(path):
        return has_words(data, rules)
    # The lines of a notebook are texts in another text: what stands around a word is not told here.
    return _reaches(data.replace(b'\\"', b'"'), _tree_of(rules), _anywhere)


def has_words(data: bytes, rules: Sequence[Listed]) -> bool:
    """Whether the words of any of the rules occur in a file, be it in another file's way to write them."""
    return _reaches(data, _tree_of(rules), _Around(data))


def concerned(code: str, rules: Iterable[Listed]) -> list[Listed]:
    """The rules that look at a text, of which this is the code."""
    return [rule for rule in _asking(_exactly(code), rules) if rule.may_find_in(code)]


def mentions_amp(code: str) -> bool:
    """Whether code uses AMP, whatever the rules ask besides."""
    nearly = _nearly(code, _plainly(code))
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
        for part in parts(word):
            found = known.get(part)
            if found is None:
                found = known[part] = part in text
            if not found:
                return False
        return True

    return occurs


def _nearly(code: str, plainly: Question) -> Question:
    """Looks around plain words, and takes for found what may match anywhere."""
    return lambda word: plainly(word) and (not word.startswith(NEAR) or _is_near(word, code, str))


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


class _Around:
    """Tells what stands around the words of a file; its text is made when that is asked first."""

    __slots__ = ("_data", "_known", "_text")

    def __init__(self, data: bytes) -> None:
        self._data, self._text, self._known = data, "", dict[str, bool]()

    def __call__(self, word: str) -> bool:
        known = self._known.get(word)
        if known is None:
            # What is not ASCII becomes other letters, which no rule asks for.
            self._text = self._text or self._data.decode("latin-1")
            known = self._known[word] = _is_near(word, self._text, _without_comments)
        return known


def _anywhere(word: str) -> bool:  # noqa: ARG001
    return True


def _reaches(data: bytes, tree: Tree, near: Question) -> bool:
    for word, ends, below in tree:
        if word in data:
            for end in ends:
                if all(map(near, end)):
                    return True
            if below and _reaches(data, below, near):
                return True
    return False


@per_object
def _tree_of(rules: Sequence[Listed]) -> Tree:
    """The words of the rules; those of all rules come with their table."""
    if len(rules) < len(listed()) or tuple(rules) != listed():
        return tree_of(rules)
    from ampfix.rules._words import TREE

    return TREE
