"""The supervisor's watch over one run: reads the pipes within bounds, keeps the clock, decides why it ended.

Never runs submitted code. All that the submission can do to it is to send bytes, which are counted.
"""

from __future__ import annotations

import contextlib
import os
import select
import time
from collections.abc import Callable

from .jail_inside import ENDED, FAILED, READY
from .jail_types import Limits, Outcome, Refused

SETUP_S = 30.0
LOG_TAIL_BYTES = 64 * 1024
_CHUNK = 64 * 1024
_STATUS_BYTES = 8 * 1024


class Watch:
    """Follows one jail until its init has gone; `kill` is called at most once, with the run still alive."""

    def __init__(self, limits: Limits, sink: Callable[[bytes], None], kill: Callable[[], None]) -> None:
        self.cause: Outcome | None = None
        self.detail = ""
        self.log = bytearray()
        self.started: float | None = None
        self.wait_status: int | None = None
        self.submission: int | None = None
        self._limits, self._sink, self._kill = limits, sink, kill
        self._received = self._logged = 0
        self._status = b""

    def follow(self, result: int, log: int, status: int, cancel: int | None) -> None:
        """Return when the status pipe has closed, which only the end of init does."""
        handlers = {result: self._take_result, log: self._take_log, status: self._take_status}
        poll = select.poll()
        for descriptor in handlers:
            os.set_blocking(descriptor, False)
            poll.register(descriptor, select.POLLIN)
        if cancel is not None:
            poll.register(cancel, select.POLLIN)
        deadline = time.monotonic() + SETUP_S
        while True:
            if self.started is not None and self.cause is None:
                deadline = self.started + self._limits.wall_s
            left = deadline - time.monotonic()
            if left <= 0:
                self._stop(*self._late())
                deadline = float("inf")
            for descriptor, _ in poll.poll(None if deadline == float("inf") else max(1, int(left * 1000) + 1)):
                if descriptor == cancel:
                    self._stop(Outcome.CANCELLED, "the server asked for it")
                    poll.unregister(cancel)
                elif not self._read(descriptor, handlers[descriptor]):
                    if descriptor == status:
                        return
                    poll.unregister(descriptor)

    def drain(self, result: int, log: int) -> None:
        """Take what the dead left in the pipes, under the same bounds."""
        for descriptor, handler in ((result, self._take_result), (log, self._take_log)):
            while self.cause is None and self._read(descriptor, handler):
                pass

    def _read(self, descriptor: int, handler: Callable[[bytes], None]) -> bool:
        """One bounded read; False at the end of the pipe."""
        try:
            data = os.read(descriptor, _CHUNK)
        except BlockingIOError:
            return False
        if data:
            handler(data)
        return bool(data)

    def _late(self) -> tuple[Outcome, str]:
        if self.started is None:
            return Outcome.SETUP_FAILED, f"the jail was not ready within {SETUP_S:g} s"
        return Outcome.TIMEOUT, f"still running after {self._limits.wall_s:g} s"

    def _stop(self, cause: Outcome, detail: str) -> None:
        if self.cause is None:
            self.cause, self.detail = cause, detail
            self._kill()

    def _take_result(self, data: bytes) -> None:
        self._received += len(data)
        if self._received > self._limits.output_bytes:
            self._stop(Outcome.OUTPUT_OVERFLOW, f"more than {self._limits.output_bytes} bytes of result")
        if self.cause is not None:
            return
        try:
            self._sink(data)
        except Refused as refusal:
            self._stop(Outcome.REFUSED, str(refusal))

    def _take_log(self, data: bytes) -> None:
        self._logged += len(data)
        self.log += data
        del self.log[:-LOG_TAIL_BYTES]
        if self._logged > self._limits.output_bytes:
            self._stop(Outcome.OUTPUT_OVERFLOW, f"more than {self._limits.output_bytes} bytes printed")

    def _take_status(self, data: bytes) -> None:
        self._status = (self._status + data)[:_STATUS_BYTES]
        *lines, self._status = self._status.split(b"\n")
        for line in lines:
            kind, text = line[:1], line[1:].decode(errors="replace")
            if kind == READY:
                self.started = time.monotonic()
                self.submission = int(text)
            elif kind == FAILED and self.cause is None:
                self.cause, self.detail = Outcome.SETUP_FAILED, text
            elif kind == ENDED:
                with contextlib.suppress(ValueError):
                    self.wait_status = int(text)
