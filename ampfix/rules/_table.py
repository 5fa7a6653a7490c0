"""Writes the table of the rules: run `python -m ampfix.rules._table` after a code, a name or words of a rule change."""

from __future__ import annotations

import pprint
from collections import Counter
from pathlib import Path

from ampfix.rules import Listed, ProtocolRule, Rule, all_rules
from ampfix.rules._tree import tree_of

FILE = Path(__file__).with_name("_words.py")
_HEAD = '''"""What is known of the rules before they are loaded: `python -m ampfix.rules._table` writes it."""

from __future__ import annotations

# fmt: off
# ruff: noqa: E501
'''


def row(rule: Rule) -> Listed:
    """A rule's row."""
    asks_for_more = not isinstance(rule, ProtocolRule) or type(rule).check is not ProtocolRule.check
    violations = () if asks_for_more else tuple(sorted(violation.value for violation in rule.violations))
    module = type(rule).__module__.rpartition(".")[2]
    glances = type(rule).may_find_in.__func__ is not Rule.may_find_in.__func__  # type: ignore[attr-defined]
    return Listed(rule.code, rule.name, module, rule.mentions, rule.needs, violations, glances)


def rows() -> list[Listed]:
    """Every rule's row. In each group those words come first that most groups share: a text without them is not
    searched for the others."""
    found = [row(rule) for rule in all_rules()]
    shared = Counter(word for groups in {each.mentions for each in found} for group in groups for word in group)

    def ordered(group: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(sorted(group, key=lambda word: -shared[word]))

    return [each._replace(mentions=tuple(map(ordered, each.mentions))) for each in found]


def table() -> str:
    """The file's text. Groups of words that rules share are written once."""
    listed = rows()
    groups = list(dict.fromkeys(groups for each in listed for groups in (each.mentions, each.needs)))
    names = {groups_: f"_{number}" for number, groups_ in enumerate(groups)}
    lines = [_HEAD]
    lines += [f"{name} = {pprint.pformat(groups_, width=240, compact=True)}\n" for groups_, name in names.items()]
    lines += ["ROWS = (\n"]
    lines += [
        f'    ("{r.code}", "{r.name}", "{r.module}", {names[r.mentions]}, {names[r.needs]}, '
        f"{r.violations}, {r.glances}),\n"
        for r in listed
    ]
    tree = pprint.pformat(tree_of(listed), width=2000, compact=True)
    return "".join([*lines, ")\n", f"TREE = {tree}\n"])


if __name__ == "__main__":
    FILE.write_text(table(), encoding="utf-8")
