"""A file that no rule looks at is not read again until it changes, and is never passed over wrongly."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ampfix.lint import Settings, check_paths, parallel, run
from ampfix.lint.cache import Cache
from ampfix.lint.config import Configuration
from tests.lint.test_engine import BUG

LONG_AGO = 1_700_000_000


@pytest.fixture
def reading(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The names of files read, in a folder with one dull file that has rested."""
    monkeypatch.chdir(tmp_path)
    Path("dull.py").write_text("x = 1\n")
    os.utime("dull.py", (LONG_AGO, LONG_AGO))
    names: list[str] = []
    real = run.read_bytes
    for reader in (run, parallel):
        monkeypatch.setattr(reader, "read_bytes", lambda path: names.append(Path(path).name) or real(path))
    return names


def check(reading: list[str], settings: Settings | None = None) -> tuple[list[str], int, int]:
    """Names read, number of findings and of files."""
    reading.clear()
    configuration = Configuration(isolated=True, override=lambda _: settings or Settings())
    report = check_paths(["."], configuration, Cache(Path("kept")))
    return list(reading), len(report.findings), report.files_checked


def test_an_unchanged_dull_file_is_read_once_and_still_counted(reading: list[str]) -> None:
    assert check(reading) == (["dull.py"], 0, 1)
    assert check(reading) == ([], 0, 1)


def test_a_change_is_seen(reading: list[str]) -> None:
    check(reading)
    Path("dull.py").write_text(BUG)
    assert check(reading)[:2] == (["dull.py"], 1)


def test_a_change_of_equal_length_is_seen(reading: list[str]) -> None:
    Path("dull.py").write_text("#" * len(BUG))
    os.utime("dull.py", (LONG_AGO, LONG_AGO))
    check(reading)
    Path("dull.py").write_text(BUG)
    os.utime("dull.py", (LONG_AGO + 1, LONG_AGO + 1))
    assert check(reading)[:2] == (["dull.py"], 1)


def test_a_file_that_was_written_just_now_is_read_again(reading: list[str]) -> None:
    """It may be written once more within the same tick of the file system's clock."""
    Path("dull.py").write_text("x = 2\n")
    check(reading)
    assert check(reading)[0] == ["dull.py"]


def test_other_rules_look_for_themselves(reading: list[str]) -> None:
    check(reading, Settings(select=("AMP101",)))
    assert check(reading)[0] == ["dull.py"]
    assert check(reading)[0] == []


def test_a_file_that_is_gone_is_not_counted(reading: list[str]) -> None:
    check(reading)
    Path("dull.py").unlink()
    assert check(reading) == ([], 0, 0)


@pytest.mark.parametrize("damage", [b"", b"[", b"[]", b'{"x": [1]}', b'{"x": ["a", 1, "b", 2]}', b"\xff"])
def test_a_damaged_file_counts_as_empty(reading: list[str], damage: bytes) -> None:
    check(reading)
    (file,) = Path("kept").glob("*.passed")
    file.write_bytes(damage)
    assert check(reading)[0] == ["dull.py"]
