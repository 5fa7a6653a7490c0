"""A container's first process: takes jobs from standard input, has the warm server do them, sends back what they left.

Jobs and results are parcels, one of each at a time, so nothing of the host has to be mounted. The end of input, of the
server or of patience ends this process, and with a container's first process the kernel ends all others.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import shutil
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from ampfix import parcel
from graders import jail_linux as linux

_IDLE_S = 900.0  # where the engine died, nobody closes our input
_BOOT = "from graders import serve; serve.main()"
_MOST_BYTES = 1 << 30
_RESULT, _REPLY = "out", "reply.json"


def main() -> None:
    linux.prctl(linux.PR_SET_DUMPABLE, 0)  # on the jail's weaker levels submissions run as the same user
    signal.signal(signal.SIGTERM, lambda _number, _frame: sys.exit(0))
    device = os.environ.get("AMPFIX_DEVICE", "cpu")
    server = subprocess.Popen(
        [sys.executable, "-c", _BOOT, "--role", "submission", "--device", device],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    try:
        Relay(server).serve()
    finally:
        server.kill()
        server.wait()


class Relay:
    """Between the container's standard streams and the server's."""

    def __init__(self, server: subprocess.Popen[bytes]) -> None:
        assert server.stdin is not None and server.stdout is not None
        self._to_server, self._from_server = server.stdin, server.stdout
        self._buffer = b""
        self._folder: Path | None = None  # of the job under way

    def serve(self) -> None:
        """Return at the end of input, when the server has ended, or after a quarter of an hour without a job."""
        selector = selectors.DefaultSelector()
        selector.register(0, selectors.EVENT_READ, self._take_job)
        selector.register(self._from_server, selectors.EVENT_READ, self._take_answers)
        while ready := selector.select(None if self._folder else _IDLE_S):
            if not all(key.data() for key, _ in ready):
                return

    def _take_job(self) -> bool:
        """Read one job and pass it on; False at the end of input, or where a job comes before the last is done."""
        if self._folder is not None:
            return False
        folder = Path(tempfile.mkdtemp())
        try:
            request = parcel.receive(_read, folder, _MOST_BYTES)
        except EOFError:
            shutil.rmtree(folder, ignore_errors=True)
            return False
        self._folder = folder
        (folder / _RESULT).mkdir()
        line = {"id": 0, "job": request["job"], "reply": str(folder / _REPLY), "arguments": _located(request, folder)}
        self._to_server.write(json.dumps(line).encode() + b"\n")
        self._to_server.flush()
        return True

    def _take_answers(self) -> bool:
        """Send back the results of jobs that ended; False where the server did."""
        data = os.read(self._from_server.fileno(), 1 << 16)
        *lines, self._buffer = (self._buffer + data).split(b"\n")
        for line in lines:
            message = json.loads(line)
            if "id" in message:
                self._send_result(message["exit"])
        return bool(data)

    def _send_result(self, status: int) -> None:
        folder, self._folder = self._folder, None
        assert folder is not None
        reply = None
        with contextlib.suppress(OSError):
            reply = (folder / _REPLY).read_text(encoding="utf-8")
        parcel.send(_write, {"exit": status, "reply": reply}, parcel.files_below(folder / _RESULT))
        shutil.rmtree(folder, ignore_errors=True)


def _located(request: dict[str, Any], folder: Path) -> dict[str, Any]:
    """A job's arguments, its folders being those of this container."""
    arguments: dict[str, Any] = request["arguments"]
    return arguments | {name: str(folder / name) for name in request["folders"]}


def _read(size: int) -> bytes:
    return os.read(0, size)


def _write(data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(1, view) :]


if __name__ == "__main__":
    main()
