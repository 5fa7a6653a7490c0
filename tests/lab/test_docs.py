"""docs/verdicts.md says what the code does."""

from __future__ import annotations

from pathlib import Path
from typing import get_args

from ampfix.lab.causes import CAUSES
from ampfix.lab.checkspec import CheckSpec

PAGE = (Path(__file__).parent.parent.parent / "docs" / "verdicts.md").read_text(encoding="utf-8")


def test_every_reason_stands_in_the_table_as_it_is() -> None:
    rows = [line for line in PAGE.split("## Reasons")[1].splitlines() if line.startswith("| `")]
    assert rows == [f"| `{cause.code}` | {cause.status.value} | {cause.meaning} |" for cause in CAUSES.values()]


def test_every_check_and_its_threshold_is_explained() -> None:
    for spec in get_args(get_args(CheckSpec)[0]):
        fields = spec.model_fields
        assert f"`{fields['name'].default}`" in PAGE
        for threshold in set(fields) - {"name", "required", "rules"}:
            assert f"`{threshold}" in PAGE or threshold in {"min_ratio", "max_ratio"}, threshold
