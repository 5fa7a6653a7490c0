"""docs/coverage.md names, for every row, commands and tests that exist."""

from __future__ import annotations

import argparse
import importlib
import re
import shlex
from functools import cache
from pathlib import Path

import pytest

from ampfix.cli.main import COMMANDS
from ampfix.rules import listed

ROOT = Path(__file__).parents[2]
MATERIAL = {f"S{row:02}" for row in (*range(1, 19), *range(34, 74))} | {f"P{row:02}" for row in range(1, 16)}
ROWS = {
    cells[0]: cells[2:]
    for line in (ROOT / "docs" / "coverage.md").read_text().splitlines()
    if re.match(r"\| [SP]\d\d ", line)
    for cells in [[cell.strip() for cell in line.strip("|").split("|")]]
}


def test_every_row_is_there() -> None:
    assert set(ROWS) == MATERIAL


@cache
def options_of(command: str) -> frozenset[str]:
    parsers = argparse.ArgumentParser().add_subparsers()
    importlib.import_module(f"ampfix.cli.{command}").add_parser(parsers)
    return frozenset(parsers.choices[command]._option_string_actions)


@pytest.mark.parametrize("row", ROWS)
def test_what_a_row_names_exists(row: str) -> None:
    shown, executed = ROWS[row]
    for command in re.findall("`ampfix ([^`]+)`", shown):
        name, *arguments = shlex.split(command)
        assert name in COMMANDS
        for argument in arguments:
            known = options_of(name) if argument.startswith("-") else {rule.code for rule in listed()}
            assert argument in known or (ROOT / argument).exists(), command
    files = [*re.findall(r"benchmarks/\S+", shown), *executed.split(", ")]
    assert "`ampfix " in shown or len(files) > 1
    for file in files:
        assert (ROOT / file).is_file(), file
