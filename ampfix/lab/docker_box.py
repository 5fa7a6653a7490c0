"""One container and its standard streams: parcels go in, parcels come out, and it ends with this object."""

from __future__ import annotations

import contextlib
import socket
import struct
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from docker.errors import DockerException
from requests.exceptions import RequestException

from ampfix import parcel
from ampfix.lab.docker_engine import Engine, EngineError, Hold, Image, reason
from ampfix.lab.scratch import is_full

_FRAME = struct.Struct(">BxxxL")  # stream and length, before each piece of an attached container's output
_STDERR = 2
_COMPLAINT_BYTES = 2000
_REMOVAL_S = 20.0


class BoxEnded(Exception):
    """The container ended, or sent what no relay sends; the message is one line."""


class Box:
    """A running container that does one job at a time. Raises EngineError where it cannot be started."""

    def __init__(self, engine: Engine, image: Image, hold: Hold) -> None:
        self.hold = hold
        self.ready = False
        """Whether it has answered once, so that nothing of its start falls into a run's time."""
        self._engine = engine
        self._complaints = b""
        self._left = 0  # of the frame being read
        self.id = engine.create(image, hold)
        try:
            attached = engine.client.api.attach_socket(
                self.id, params={"stdin": 1, "stdout": 1, "stderr": 1, "stream": 1}
            )
            self._attached, self._socket = attached, getattr(attached, "_sock", attached)
            engine.client.api.start(self.id)
        except (DockerException, RequestException) as error:
            engine.remove(self.id)
            raise EngineError(f"the engine cannot start a container: {reason(error)}") from None

    def exchange(
        self, message: Mapping[str, Any], files: Mapping[str, Path], folder: Path, most_bytes: int, timeout_s: float
    ) -> tuple[dict[str, Any], float]:
        """Hand a job over and wait for its results, whose files go below `folder`.

        Returns the message of the results and the seconds that passed until they began to arrive. Raises TimeoutError,
        OSError where this machine's disk is full, and BoxEnded where the container or the connection is gone.
        """
        deadline = time.monotonic() + timeout_s
        first: list[float] = []

        def read(size: int) -> bytes:
            data = self._read(size, deadline)
            if not first:
                first.append(time.monotonic())
            return data

        try:
            self._socket.settimeout(timeout_s)
            parcel.send(self._socket.sendall, message, files)
            handed_over = time.monotonic()
            reply = parcel.receive(read, folder, most_bytes)
        except (OSError, EOFError, ValueError) as error:
            if isinstance(error, OSError) and (isinstance(error, TimeoutError) or is_full(error.errno)):
                raise  # the disk is this machine's, and the container has no part in it
            raise BoxEnded(self._why(error)) from None
        return reply, first[0] - handed_over

    @property
    def alive(self) -> bool:
        """Whether the container still runs, as far as its idle stream shows."""
        try:
            self._socket.settimeout(0)
            return bool(self._socket.recv(1, socket.MSG_PEEK))
        except BlockingIOError:
            return True
        except OSError:
            return False

    def limit_memory(self, memory_bytes: int) -> None:
        """Give the next job another limit. Raises EngineError."""
        if memory_bytes != self.hold.memory_bytes:
            self._engine.limit_memory(self.id, memory_bytes)
            self.hold = replace(self.hold, memory_bytes=memory_bytes)

    def abandon(self) -> None:
        """Make a call that waits raise BoxEnded; the container then sees the end of its input."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(2)

    def close(self) -> None:
        """End the container and return when it is gone."""
        self.abandon()
        self._engine.remove(self.id)
        deadline = time.monotonic() + _REMOVAL_S
        while self._engine.exists(self.id) and time.monotonic() < deadline:
            time.sleep(0.02)
        with contextlib.suppress(OSError):
            self._attached.close()

    def _read(self, size: int, deadline: float) -> bytes:
        """Some of the container's standard output; none at its end."""
        while self._left == 0:
            header = self._exactly(_FRAME.size, deadline)
            if not header:
                return b""
            stream, length = _FRAME.unpack(header)
            if stream == _STDERR:
                self._complaints = (self._complaints + self._exactly(length, deadline))[-_COMPLAINT_BYTES:]
            else:
                self._left = length
        data = self._receive(min(size, self._left), deadline)
        self._left -= len(data)
        return data

    def _exactly(self, size: int, deadline: float) -> bytes:
        data = b""
        while len(data) < size:
            part = self._receive(size - len(data), deadline)
            if not part:
                return b""
            data += part
        return data

    def _receive(self, size: int, deadline: float) -> bytes:
        left = deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError
        self._socket.settimeout(left)
        data: bytes = self._socket.recv(size)
        return data

    def _why(self, error: Exception) -> str:
        last = self._complaints.decode(errors="replace").strip().rpartition("\n")[2]
        return f"the container ended: {last or error}"
