"""Streams and events of the emulated GPU: one queue, always drained, and a real clock."""

# ruff: noqa: ARG002 (the parameters are those of torch.cuda.Stream and Event)
from __future__ import annotations

import time
from typing import Any

from ampfix.emulate.placement import CUDA


class EmulatedEvent:
    """A point in time. `elapsed_time` is measured in milliseconds by the host's monotonic clock."""

    def __init__(
        self, enable_timing: bool = False, blocking: bool = False, interprocess: bool = False, **_: Any
    ) -> None:
        self.enable_timing = enable_timing
        self._at: float | None = None

    device = CUDA

    def record(self, stream: Any = None) -> None:
        self._at = time.perf_counter()

    def query(self) -> bool:
        return True

    def wait(self, stream: Any = None) -> None:
        """Everything has run already."""

    def synchronize(self) -> None:
        """Everything has run already."""

    def elapsed_time(self, end_event: EmulatedEvent) -> float:
        if not (self.enable_timing and end_event.enable_timing):
            raise ValueError("Both events must be created with argument 'enable_timing=True'.")
        if self._at is None or end_event._at is None:
            raise ValueError("Both events must be recorded before calculating elapsed time.")
        return (end_event._at - self._at) * 1e3


class GenericEvent(EmulatedEvent):
    """`torch.Event`: names its device first, timing is keyword-only."""

    def __init__(self, device: Any = None, *, enable_timing: bool = False, **_: Any) -> None:
        super().__init__(enable_timing)


class EmulatedStream:
    """A queue on which work has always finished."""

    device, device_index, device_type, stream_id, cuda_stream = CUDA, 0, 1, 0, 0

    def __init__(self, device: Any = None, priority: int = 0, **_: Any) -> None:
        self.priority = priority

    def __enter__(self) -> EmulatedStream:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def is_capturing(self) -> bool:
        return False

    def record_event(self, event: Any = None) -> Any:
        event = EmulatedEvent() if event is None else event
        event.record(self)
        return event

    def query(self) -> bool:
        return True

    def wait_event(self, event: Any) -> None:
        """Everything has run already."""

    def wait_stream(self, stream: Any) -> None:
        """Everything has run already."""

    def synchronize(self) -> None:
        """Everything has run already."""


class StreamGuard:
    """`torch.cuda.stream(s)`: one queue, so nothing to switch."""

    def __init__(self, stream: Any) -> None:
        self.stream = stream

    def __enter__(self) -> None:
        return None

    def __exit__(self, *_: object) -> None:
        return None
