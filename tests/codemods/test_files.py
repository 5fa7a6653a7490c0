"""What is written differs from what was read only by the repair."""

from __future__ import annotations

import codecs
import os
from pathlib import Path

import pytest

from ampfix.codemods.files import WriteError, encode_as, write_source


@pytest.mark.parametrize(
    ("original", "text"),
    [
        (codecs.BOM_UTF8 + "é = 1\n".encode(), "é = 1\n"),
        ("# -*- coding: latin-1 -*-\né = 1\r\n".encode("latin-1"), "# -*- coding: latin-1 -*-\né = 1\r\n"),
        ("#!x\n# vim: set fileencoding=cp1252 :\n‘\n".encode("cp1252"), "#!x\n# vim: set fileencoding=cp1252 :\n‘\n"),
        ("é = 1".encode(), "é = 1"),
    ],
)
def test_encoding_and_byte_order_mark_survive(original: bytes, text: str) -> None:
    assert encode_as(original, text) == original


def test_text_that_the_encoding_lacks_is_refused() -> None:
    with pytest.raises(WriteError, match="encoding"):
        encode_as(b"# coding: latin-1\n", "# coding: latin-1\n\u2014\n")


def test_mode_survives_and_no_draft_is_left(tmp_path: Path) -> None:
    file = tmp_path / "train.py"
    file.write_bytes(b"a\n")
    file.chmod(0o751)
    write_source(file, b"a\n", "b\n")
    assert file.read_bytes() == b"b\n"
    assert file.stat().st_mode & 0o7777 == 0o751
    assert os.listdir(tmp_path) == ["train.py"]


def test_a_symlink_stays_and_its_target_is_written(tmp_path: Path) -> None:
    target, link = tmp_path / "real" / "a.py", tmp_path / "a.py"
    target.parent.mkdir()
    target.write_bytes(b"a\n")
    link.symlink_to(target)
    write_source(link, b"a\n", "b\n")
    assert link.is_symlink()
    assert target.read_bytes() == b"b\n"


def test_a_file_that_changed_meanwhile_is_left_alone(tmp_path: Path) -> None:
    file = tmp_path / "a.py"
    file.write_bytes(b"newer\n")
    with pytest.raises(WriteError, match="run the command again"):
        write_source(file, b"older\n", "repaired\n")
    assert file.read_bytes() == b"newer\n"


def test_an_interrupted_write_leaves_the_old_file_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "a.py"
    file.write_bytes(b"old\n")

    def interrupt(_: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_source(file, b"old\n", "new\n")
    assert file.read_bytes() == b"old\n"
    assert os.listdir(tmp_path) == ["a.py"]


def test_a_read_only_file_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "a.py"
    file.write_bytes(b"old\n")
    monkeypatch.setattr(os, "access", lambda *_: False)  # the tests may run as root, who may write anything
    with pytest.raises(WriteError, match="read-only"):
        write_source(file, b"old\n", "new\n")
