"""How a run's results travel: frames over the jail's one pipe, files in the job's folder on the other side.

A frame is a kind (1 byte), a length (8 bytes, big-endian) and that many bytes. The sender runs beside the submission,
so the receiver believes nothing: it checks kinds, order and lengths, and writes bytes to files without reading them.
"""

from __future__ import annotations

import enum
import os
import struct
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from graders.jail_types import Refused

_HEADER = struct.Struct(">BQ")


class Kind(enum.IntEnum):
    EVENTS = 1
    SNAPSHOT = 2
    WEIGHTS = 3
    SUMMARY = 4
    READY = 5


FILES = {
    Kind.EVENTS: "events.jsonl",
    Kind.SNAPSHOT: "snapshot.safetensors",
    Kind.WEIGHTS: "weights.safetensors",
    Kind.SUMMARY: "summary.json",
}
"""READY has no file: it says that the loop asks for what lies behind the gate, see gate.py."""

_MANY = frozenset({Kind.EVENTS})
_LARGEST_SUMMARY = 1 << 20


class Sender:
    """Writes frames to a file descriptor."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def send(self, kind: Kind, payload: bytes) -> None:
        self._write(_HEADER.pack(kind, len(payload)))
        self._write(payload)

    def _write(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[os.write(self._descriptor, view) :]


class Collector:
    """A sink for the bytes that arrive: each kind of frame goes to its file in `folder`.

    Raises Refused for an unknown kind, a second snapshot, weights or summary, anything behind the summary, and a
    summary or a single tensor file larger than it may be. on_frame: told of each frame when its header is complete.
    """

    def __init__(self, folder: Path, tensor_bytes: int, on_frame: Callable[[Kind], None] | None = None) -> None:
        self._folder = folder
        self._on_frame = on_frame
        self._limits = {Kind.SUMMARY: _LARGEST_SUMMARY, Kind.SNAPSHOT: tensor_bytes, Kind.WEIGHTS: tensor_bytes}
        self._limits[Kind.READY] = 0
        self._header = b""
        self._kind: Kind | None = None
        self._missing = 0
        self._seen: set[Kind] = set()
        self._files: dict[Kind, BinaryIO] = {}

    def __call__(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            if self._kind is None:
                view = self._read_header(view)
            else:
                part, view = view[: self._missing], view[self._missing :]
                self._file(self._kind).write(part)
                self._missing -= len(part)
            if self._kind is not None and self._missing == 0:
                self._kind = None

    def close(self) -> bool:
        """Flush the files; whether the stream ended between two frames, the last being a summary."""
        for file in self._files.values():
            file.close()
        return self._kind is None and not self._header and Kind.SUMMARY in self._seen

    def _read_header(self, view: memoryview) -> memoryview:
        wanted = _HEADER.size - len(self._header)
        self._header += bytes(view[:wanted])
        if len(self._header) == _HEADER.size:
            number, length = _HEADER.unpack(self._header)
            self._header = b""
            self._begin(number, length)
        return view[wanted:]

    def _begin(self, number: int, length: int) -> None:
        try:
            kind = Kind(number)
        except ValueError:
            raise Refused(f"a frame of unknown kind {number}") from None
        if Kind.SUMMARY in self._seen:
            raise Refused("a frame behind the summary")
        if kind in self._seen and kind not in _MANY:
            raise Refused(f"a second {kind.name.lower()}")
        if length > self._limits.get(kind, length):
            raise Refused(f"a {kind.name.lower()} of {length} bytes")
        self._seen.add(kind)
        if kind in FILES:
            self._file(kind)
        if self._on_frame is not None:
            self._on_frame(kind)
        self._kind, self._missing = kind, length

    def _file(self, kind: Kind) -> BinaryIO:
        if kind not in self._files:
            self._files[kind] = (self._folder / FILES[kind]).open("wb")
        return self._files[kind]
