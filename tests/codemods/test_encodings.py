"""A repaired file has the bytes it had, but for the repair: encoding, byte order mark, cookie, line ends."""

from __future__ import annotations

import codecs
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from ampfix.codemods.files import encode_as, write_source
from ampfix.codemods.fixpoint import fix_text
from ampfix.lint import check_source
from ampfix.lint.read import decode
from tests.codemods.inverse_edits import clip_scaled, unguarded_scheduler
from tests.codemods.loops import DRESSES, Dress, Shape, program, shapes, text

HEADS = {
    "utf-8": b"",
    "utf-8-sig": b"",
    "latin-1": b"# -*- coding: latin-1 -*-",
    "cp1252": b"#!/usr/bin/env python\n# vim: set fileencoding=cp1252 :",
}


def written(source: str, encoding: str, dress: Dress) -> bytes:
    head = HEADS[encoding].replace(b"\n", dress.newline.encode())
    return (codecs.BOM_UTF8 if encoding == "utf-8-sig" else b"") + (
        head + (dress.newline.encode() if head else b"") + source.encode(encoding.removesuffix("-sig"))
    )


@pytest.mark.parametrize("encoding", HEADS)
@given(shape=shapes(), dress=DRESSES)
@settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))
def test_only_the_repair_changes_bytes(encoding: str, shape: Shape, dress: Dress) -> None:
    right = program(shape)
    broken = clip_scaled(right, shape) or unguarded_scheduler(right, shape)
    assume(broken is not None)
    assert broken is not None
    before = written("# größer\n".replace("\n", dress.newline) + text(broken, dress), encoding, dress)
    source = decode(before)
    repaired = fix_text(source, lambda given: check_source(given, "loop.py")).text
    after = encode_as(before, repaired)
    assert after != before
    assert decode(after) == repaired
    assert after.startswith(before[: before.index("größer".encode(encoding.removesuffix("-sig")))])
    assert after.count(b"\r\n") == (after.count(b"\n") if dress.newline == "\r\n" else 0)
    kept = [line for line in before.splitlines() if b"step()" not in line]
    assert [line for line in after.splitlines() if line in kept] == kept


def test_the_file_on_disk_is_what_was_computed(tmp_path: Path) -> None:
    shape, dress = Shape(clip="norm", comments=True), Dress(newline="\r\n")
    broken = clip_scaled(program(shape), shape)
    assert broken is not None
    file = tmp_path / "train.py"
    before = written(text(broken, dress), "latin-1", dress)
    file.write_bytes(before)
    write_source(file, before, fix_text(decode(before), lambda given: check_source(given, "train.py")).text)
    assert file.read_bytes() == written(text(program(shape), dress), "latin-1", dress)


@given(shape=shapes(), dress=DRESSES, end=st.text(" \t\f\n", max_size=8))
@settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck))
@example(shape=Shape(clip="norm"), dress=Dress(), end="\n                \n\n   ")
def test_blank_lines_at_the_end_stay(shape: Shape, dress: Dress, end: str) -> None:
    broken = clip_scaled(program(shape), shape)
    assume(broken is not None)
    assert broken is not None
    source = text(broken, dress) + end.replace("\n", dress.newline)
    fixed = fix_text(source, lambda given: check_source(given, "loop.py"))
    assert fixed.text != source
    assert fixed.text.endswith(dress.newline + end.replace("\n", dress.newline))
