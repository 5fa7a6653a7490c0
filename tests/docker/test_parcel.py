"""Parcels: what is sent arrives, and nothing that a stranger writes gets out of the folder or beyond the bound."""

from __future__ import annotations

import io
import json
import struct
import tempfile
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from ampfix import parcel

NAMES = st.text(st.characters(blacklist_categories=("Cs",), blacklist_characters="/\0\\"), min_size=1, max_size=12)
PATHS = st.lists(NAMES.filter(lambda name: name not in (".", "..")), min_size=1, max_size=3).map("/".join)


def prefix_free(files: dict[str, bytes]) -> bool:
    """Whether no file is where another needs a folder."""
    return not any(other.startswith(name + "/") for name in files for other in files)


@settings(max_examples=50, deadline=None)  # files are written, on a disk that others use
@given(
    st.dictionaries(st.text(max_size=5), st.none() | st.integers() | st.text(max_size=5), max_size=3),
    st.dictionaries(PATHS.filter(lambda path: len(path.encode()) < 120), st.binary(max_size=600), max_size=4).filter(
        prefix_free
    ),
    st.integers(1, 64),
)
def test_what_is_sent_arrives_however_the_stream_is_cut(
    message: dict[str, object], files: dict[str, bytes], piece: int
) -> None:
    with tempfile.TemporaryDirectory() as source, tempfile.TemporaryDirectory() as target:
        paths = {}
        for number, (name, data) in enumerate(files.items()):
            paths[name] = Path(source, str(number))
            paths[name].write_bytes(data)
        stream = io.BytesIO()
        parcel.send(stream.write, message, paths)
        stream.seek(0)
        got = parcel.receive(lambda size: stream.read(min(size, piece)), Path(target), 10_000)
        assert got == message
        assert {name: path.read_bytes() for name, path in parcel.files_below(Path(target)).items()} == files
        assert stream.read() == b""


def packed(header: object, content: bytes = b"") -> bytes:
    text = json.dumps(header).encode()
    return struct.pack(">I", len(text)) + text + content


@pytest.mark.parametrize("name", ["/etc/passwd", "../x", "a/../../x", "a/..", "", ".", "a\0b", "a\\b", 3, None])
def test_a_name_that_leads_out_is_refused(name: object, tmp_path: Path) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    stream = io.BytesIO(packed({"message": {}, "files": [[name, 1]]}, b"x"))
    with pytest.raises(parcel.Malformed):
        parcel.receive(stream.read, inside, 100)
    assert list(tmp_path.rglob("*")) == [inside]


def test_a_link_that_lies_there_is_not_followed(tmp_path: Path) -> None:
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    inside.mkdir()
    outside.write_text("mine")
    (inside / "a").symlink_to(outside)
    with pytest.raises(parcel.Malformed):
        parcel.receive(io.BytesIO(packed({"message": {}, "files": [["a", 1]]}, b"x")).read, inside, 100)
    assert outside.read_text() == "mine"


@pytest.mark.parametrize("sizes", [[101], [60, 60], [-1], [1.5], [True], ["1"], [1 << 70]])
def test_more_than_is_allowed_is_refused_before_a_byte_is_written(sizes: list[object], tmp_path: Path) -> None:
    header = {"message": {}, "files": [[f"f{number}", size] for number, size in enumerate(sizes)]}
    with pytest.raises(parcel.Malformed):
        parcel.receive(io.BytesIO(packed(header, b"x" * 200)).read, tmp_path, 100)
    assert list(tmp_path.iterdir()) == []


@settings(max_examples=50, deadline=None)
@given(st.binary(max_size=200))
@example(struct.pack(">I", 1 << 31))
@example(packed([]))
@example(packed({"message": 1, "files": []}))
@example(packed({"message": {}, "files": [["a"]]}))
@example(packed({"message": {}, "files": [["a", 1], ["a", 1]]}, b"xy"))
@example(packed({"message": {}, "files": [["a", 1], ["a/b", 1]]}, b"xy"))
@example(packed({"message": {}, "files": [[f"f{n}", 0] for n in range(2000)]}))
def test_noise_is_malformed_or_cut_short(noise: bytes) -> None:
    with tempfile.TemporaryDirectory() as folder, pytest.raises((parcel.Malformed, EOFError)):
        parcel.receive(io.BytesIO(noise).read, Path(folder), 100)
        raise EOFError  # an empty parcel may be well-formed by chance


def test_a_stream_that_ends_early_says_so(tmp_path: Path) -> None:
    whole = packed({"message": {}, "files": [["a", 10]]}, b"x" * 10)
    for length in range(len(whole)):
        folder = tmp_path / str(length)
        folder.mkdir()
        with pytest.raises(EOFError):
            parcel.receive(io.BytesIO(whole[:length]).read, folder, 100)
