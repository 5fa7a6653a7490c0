"""The result stream: whatever is sent arrives whole, whatever else arrives is refused."""

from __future__ import annotations

import os
import struct
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graders.exchange import FILES, Collector, Kind, Sender
from graders.jail_types import Refused

PAYLOADS = st.tuples(st.lists(st.binary(max_size=50), max_size=4), st.binary(max_size=50), st.binary(max_size=50))
LIMIT = 1000


def frame(kind: int, payload: bytes) -> bytes:
    return struct.pack(">BQ", kind, len(payload)) + payload


def feed(stream: bytes, folder: Path, chunk: int = 7) -> bool:
    collector = Collector(folder, tensor_bytes=LIMIT)
    try:
        for start in range(0, len(stream), chunk):
            collector(stream[start : start + chunk])
    finally:
        complete = collector.close()
    return complete


@given(PAYLOADS, st.integers(1, 100))
def test_what_is_sent_arrives_however_the_pipe_cuts_it(payloads: tuple[list[bytes], bytes, bytes], chunk: int) -> None:
    events, weights, summary = payloads
    frames = [(Kind.EVENTS, event) for event in events] + [(Kind.WEIGHTS, weights), (Kind.SUMMARY, summary)]
    with tempfile.TemporaryDirectory() as folder:
        assert feed(b"".join(frame(*one) for one in frames), Path(folder), chunk)
        arrived = {kind: Path(folder, name).read_bytes() for kind, name in FILES.items() if Path(folder, name).exists()}
    expected = {Kind.WEIGHTS: weights, Kind.SUMMARY: summary} | ({Kind.EVENTS: b"".join(events)} if events else {})
    assert arrived == expected


@given(st.binary(max_size=300), st.integers(1, 50))
def test_any_bytes_are_refused_or_incomplete_or_well_formed(stream: bytes, chunk: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        try:
            complete = feed(stream, Path(folder), chunk)
        except Refused:
            return
        assert not complete or Path(folder, FILES[Kind.SUMMARY]).exists()


@pytest.mark.parametrize(
    "stream",
    [
        frame(0, b""),
        frame(9, b"x"),
        frame(Kind.WEIGHTS, b"a") + frame(Kind.WEIGHTS, b"b"),
        frame(Kind.SNAPSHOT, b"") + frame(Kind.SNAPSHOT, b""),
        frame(Kind.SUMMARY, b"{}") + frame(Kind.EVENTS, b"late"),
        struct.pack(">BQ", Kind.WEIGHTS, LIMIT + 1),
        struct.pack(">BQ", Kind.SUMMARY, 1 << 40),
    ],
)
def test_what_the_recorder_never_sends_is_refused(stream: bytes, tmp_path: Path) -> None:
    with pytest.raises(Refused):
        feed(stream, tmp_path)


@pytest.mark.parametrize(
    "stream", [b"", frame(Kind.WEIGHTS, b"a"), frame(Kind.SUMMARY, b"{}")[:-1], frame(Kind.SUMMARY, b"{}")[:4]]
)
def test_a_stream_that_breaks_off_is_not_complete(stream: bytes, tmp_path: Path) -> None:
    assert not feed(stream, tmp_path)


def test_the_sender_writes_what_the_collector_reads(tmp_path: Path) -> None:
    read, write = os.pipe()
    Sender(write).send(Kind.SUMMARY, b'{"completed": true}')
    os.close(write)
    with os.fdopen(read, "rb") as stream:
        assert feed(stream.read(), tmp_path)
    assert (tmp_path / "summary.json").read_bytes() == b'{"completed": true}'
