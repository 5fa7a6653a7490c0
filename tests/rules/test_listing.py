"""The table of the rules says what the rules say, and loading by it loads no more than is asked for."""

from __future__ import annotations

import subprocess
import sys

from ampfix.rules import all_rules, listed
from ampfix.rules._table import FILE, rows, table


def test_the_table_is_that_of_the_rules() -> None:
    assert FILE.read_text(encoding="utf-8") == table(), "run python -m ampfix.rules._table"
    assert listed() == tuple(rows())


def test_a_row_asks_for_the_words_of_its_rule() -> None:
    for each, rule in zip(listed(), all_rules(), strict=True):
        assert [sorted(group) for group in each.mentions] == [sorted(group) for group in rule.mentions]
        assert each.needs == rule.needs


def test_each_row_loads_its_rule() -> None:
    assert tuple(each.load() for each in listed()) == all_rules()


def test_the_table_loads_no_rule() -> None:
    code = "import sys; from ampfix.rules import listed; listed(); print(*[m for m in sys.modules if 'ampfix' in m])"
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert set(shown.split()) == {f"ampfix{rest}" for rest in ("", ".rules", ".rules._listing", ".rules._words")}
