"""The submission server in containers: takes the calls of `Server`, and has each done in a container of its own."""

from __future__ import annotations

import atexit
import contextlib
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ampfix import parcel
from ampfix.lab.causes import InfraError
from ampfix.lab.docker_box import Box, BoxEnded
from ampfix.lab.docker_engine import Engine, EngineError, Hold, Image
from ampfix.lab.scratch import scratch_folder

WARM, SINGLE_USE = "container+namespaces", "container"
"""Levels of isolation. Where the jail can make namespaces inside the container, one run after the other uses it; where
it cannot, the container is the jail and is thrown away after each run."""

_STARTUP_S = 150.0  # an import of torch on a busy machine
_FOLDERS_IN, _FOLDER_OUT = ("answer", "inputs"), "out"
_REPLY_BYTES = 1 << 20
_DEFAULT_MEMORY_BYTES = 2 << 30
_NEEDED_INSIDE = frozenset({"pid_namespace", "mount_namespace", "net_namespace", "user_namespace", "seccomp"})


class ContainerServer:
    """Warm containers with the submission server inside. Thread-safe; at most one job is in a container at a time.

    nested: whether to try for the level WARM.
    """

    def __init__(self, engine: Engine, image: Image, gpu: bool = False, nested: bool = True) -> None:
        self._engine, self._image, self._gpu, self._nested = engine, image, gpu, nested
        self._lock = threading.Lock()
        self._settling = threading.Lock()
        self._level: dict[str, Any] | None = None  # as the first container's probe found it
        self._idle: list[Box] = []
        self._all: set[Box] = set()
        self._closed = False
        engine.reap()
        atexit.register(self.close)

    def start(self) -> None:
        """Have a container warm up, without waiting for it. Raises EngineError where none can be started."""
        with self._lock:
            if self._closed or self._all:
                return
        self._idle.append(self._open(_DEFAULT_MEMORY_BYTES))

    def call(self, job: str, arguments: dict[str, Any], timeout_s: float) -> Any:
        """Have one job done. Returns its result; folders that `arguments` name are read and written here.

        Raises InfraError where the container or the engine died, the job broke, or no answer came in time.
        """
        limits = arguments.get("limits")
        with self._leased(limits["memory_bytes"] if limits else _DEFAULT_MEMORY_BYTES) as box:
            if job == "probe":
                return self._level
            return self._described(*_do(box, job, arguments, timeout_s))

    @property
    def versions(self) -> dict[str, str]:
        """Of Python and torch in the containers; empty before the first has answered."""
        return dict(self._level["versions"]) if self._level is not None else {}

    def kill(self) -> None:
        """End every container at once; their jobs raise InfraError."""
        with self._lock:
            boxes = list(self._all)
        for box in boxes:
            self._discard(box)

    def close(self) -> None:
        """End every container and return when they are gone. Calls that wait, and later ones, raise InfraError."""
        with self._lock:
            self._closed = True
        atexit.unregister(self.close)
        self.kill()
        self._engine.close()

    @contextlib.contextmanager
    def _leased(self, memory_bytes: int) -> Iterator[Box]:
        box = self._take(memory_bytes)
        try:
            yield box
        except TimeoutError:
            self._discard(box)
            raise InfraError("server_timeout", "the container did not answer in time") from None
        except BoxEnded as error:
            self._discard(box)
            raise InfraError("closed" if self._closed else "server_died", str(error)) from None
        except OSError as error:
            self._discard(box)
            raise InfraError("no_space", f"results of a container: {error.strerror}") from None
        except BaseException:
            self._discard(box)
            raise
        self._give_back(box)

    def _take(self, memory_bytes: int) -> Box:
        """A warm container with this limit that nobody else uses."""
        idle = self._pop_idle()
        try:
            if idle is not None:
                idle.limit_memory(memory_bytes)
            box = idle or self._open(memory_bytes)
            return box if box.ready else self._warm(box)
        except EngineError as error:
            if idle is not None:
                self._discard(idle)
            raise InfraError("server_died", str(error)) from None

    def _pop_idle(self) -> Box | None:
        """An idle container that still runs; the engine or its host may have ended others."""
        while True:
            with self._lock:
                if not self._idle:
                    return None
                box = self._idle.pop()
            if box.alive:
                return box
            self._discard(box)

    def _give_back(self, box: Box) -> None:
        reusable = box.hold.nested
        with self._lock:
            if reusable and not self._closed and box in self._all:
                self._idle.append(box)
                return
        self._discard(box)

    def _open(self, memory_bytes: int) -> Box:
        if self._closed:
            raise InfraError("closed", "the runner was closed")
        nested = self._nested and (self._level is None or self._level["name"] == WARM)
        box = Box(self._engine, self._image, Hold(memory_bytes, nested, self._gpu))
        with self._lock:
            self._all.add(box)
            closed = self._closed
        if closed:
            self._discard(box)
            raise InfraError("closed", "the runner was closed")
        return box

    def _warm(self, box: Box) -> Box:
        """Wait until a container is ready. The first one decides which level the others get."""
        try:
            with self._settling:
                level = _probe(box)
                if self._level is None:
                    self._level = level
            if box.hold.nested and self._level["name"] != WARM:
                self._discard(box)
                return self._warm(self._open(box.hold.memory_bytes))
        except TimeoutError:
            self._discard(box)
            raise InfraError("server_timeout", "the container was not ready in time") from None
        except BoxEnded as error:
            self._discard(box)
            raise InfraError("closed" if self._closed else "server_died", str(error)) from None
        box.ready = True
        return box

    def _described(self, result: dict[str, Any], wall_s: float) -> dict[str, Any]:
        """A run's report, its time by our own clock: that of the container is the container's word."""
        assert self._level is not None
        return result | {"wall_s": wall_s, "level": self._level}

    def _discard(self, box: Box) -> None:
        with self._lock:
            self._all.discard(box)
            if box in self._idle:
                self._idle.remove(box)
        box.close()


def _probe(box: Box) -> dict[str, Any]:
    """What holds a submission in this container."""
    level, _ = _do(box, "probe", {}, _STARTUP_S)
    strong = box.hold.nested and _NEEDED_INSIDE.issubset(level["features"])
    return level | {"name": WARM if strong else SINGLE_USE}


def _do(box: Box, job: str, arguments: dict[str, Any], timeout_s: float) -> tuple[dict[str, Any], float]:
    """One job in a container: its result, and the seconds it took."""
    folders = {name: Path(arguments[name]) for name in _FOLDERS_IN if name in arguments}
    files = {
        f"{name}/{place}": path for name, top in folders.items() for place, path in parcel.files_below(top).items()
    }
    named = [*folders, *(name for name in (_FOLDER_OUT,) if name in arguments)]
    kept = {name: value for name, value in arguments.items() if name not in named}
    message = {"job": job, "arguments": kept, "folders": named}
    most = arguments["limits"]["output_bytes"] + _REPLY_BYTES if "limits" in arguments else 0
    with contextlib.ExitStack() as stack:
        out = Path(arguments[_FOLDER_OUT]) if _FOLDER_OUT in arguments else stack.enter_context(scratch_folder())
        answer, wall_s = box.exchange(message, files, out, most, timeout_s)
    return _result(answer, f"{job} in a container"), wall_s


def _result(answer: dict[str, Any], what: str) -> dict[str, Any]:
    try:
        reply = json.loads(answer["reply"])
    except (KeyError, TypeError, ValueError):
        raise InfraError("job_died", f"{what} ended with status {answer.get('exit')} and no reply") from None
    if not reply["ok"]:
        raise InfraError("job_failed", f"{what}: {reply['error']}")
    result: dict[str, Any] = reply["result"]
    return result
