"""Programs put together at random, and every input that once broke something."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from .oracles import bytes_are_checked, ignore_file_is_read, notebook_is_checked, text_is_checked, text_is_fixed
from .programs import examples, notebook, program, spliced

REGRESSIONS = sorted((Path(__file__).parent / "regressions").glob("*.txt"))


def often(examples: int) -> settings:
    slow = [HealthCheck.too_slow, HealthCheck.data_too_large]
    return settings(max_examples=examples, deadline=None, suppress_health_check=slow)


DATA = st.binary(max_size=120)


@often(150)
@given(st.one_of(st.binary(max_size=300), st.sampled_from(examples()).map(str.encode).map(lambda text: text[7:])))
def test_any_bytes_are_checked_or_refused(data: bytes) -> None:
    bytes_are_checked(b"import torch, torch.cuda.amp as amp\n" + data)


@pytest.mark.parametrize("make", [program, spliced])
@often(120)
@given(data=DATA)
def test_findings_belong_to_the_text_and_move_with_it(make: Callable[[bytes], str], data: bytes) -> None:
    text_is_checked(make(data))


@pytest.mark.parametrize("make", [program, spliced])
@often(60)
@given(data=DATA)
def test_repairs_parse_come_to_an_end_and_keep_comments(make: Callable[[bytes], str], data: bytes) -> None:
    text_is_fixed(make(data))


@often(60)
@given(st.text(st.sampled_from("*?[]!#/\\\\abxyz.\n py-^"), max_size=40))
def test_any_ignore_file_is_read(text: str) -> None:
    ignore_file_is_read(text)


@often(60)
@given(DATA)
def test_any_notebook_is_checked_or_refused(data: bytes) -> None:
    notebook_is_checked(notebook(data))


@pytest.mark.parametrize("path", REGRESSIONS, ids=lambda path: path.stem)
def test_what_once_broke_holds(path: Path) -> None:
    text = path.read_bytes().decode()
    text_is_checked(text)
    text_is_fixed(text)
