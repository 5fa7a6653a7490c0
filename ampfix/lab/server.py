"""A warm server process and the requests to it. It knows the wire format and nothing of scenarios."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import subprocess
import sys
import threading
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeoutError
from pathlib import Path
from typing import Any, Literal, Protocol

import ampfix
from ampfix import assets
from ampfix.lab.causes import InfraError
from ampfix.lab.scratch import is_full, scratch_folder

Role = Literal["submission", "judge"]

_START_TIMEOUT_S = 120.0
_STOP_TIMEOUT_S = 5.0
_PASSED_ON = ("PATH", "HOME", "LANG", "LC_ALL", "LD_LIBRARY_PATH", "CUDA_VISIBLE_DEVICES")
_BOOT = "import sys; sys.path[:0] = {paths!r}; from graders import serve; serve.main()"


class SubmissionServer(Protocol):
    """What has jobs done near the submissions: `Server` on this machine, or one in containers."""

    def start(self) -> None: ...

    def call(self, job: str, arguments: dict[str, Any], timeout_s: float) -> Any: ...

    def close(self) -> None: ...


class Server:
    """One server process of a role. Thread-safe; started by the first request, and again after it died."""

    def __init__(self, role: Role, device: str = "cpu") -> None:
        self._role = role
        self._device = device
        self._lock = threading.Lock()
        self._ids = itertools.count()
        self._process: subprocess.Popen[str] | None = None
        self._waiting: dict[int, tuple[subprocess.Popen[str], Future[int]]] = {}
        self._closed = False
        self._owned = contextlib.ExitStack()
        self._folder = self._owned.enter_context(scratch_folder())

    def start(self) -> None:
        """Begin to warm up, without waiting for it."""
        with self._lock:
            self._ensure_process()

    def call(self, job: str, arguments: dict[str, Any], timeout_s: float) -> Any:
        """Have one job done. Returns its result.

        Raises InfraError where the server died, the job broke, or no answer came within `timeout_s` seconds.
        """
        number = next(self._ids)
        reply = self._folder / f"{number}.json"
        future = self._send({"id": number, "job": job, "reply": str(reply), "arguments": arguments})
        try:
            status = future.result(timeout=timeout_s)
        except FutureTimeoutError:
            self.kill()
            detail = f"the {self._role} server did not answer in {timeout_s:.0f} s"
            raise InfraError("server_timeout", detail) from None
        try:
            return _result(reply, status, f"{job} on the {self._role} server")
        finally:
            reply.unlink(missing_ok=True)

    def close(self) -> None:
        """End the server and whatever it has running. Calls that wait, and later ones, raise InfraError."""
        with self._lock:
            self._closed = True
            process, self._process = self._process, None
        with self._owned:
            if process is not None:
                _end(process)

    def kill(self) -> None:
        """End the server at once; its jobs raise InfraError."""
        with self._lock:
            if self._process is not None:
                self._process.kill()

    def _send(self, request: dict[str, Any]) -> Future[int]:
        with self._lock:
            process = self._ensure_process()
            number = request["id"]
            future: Future[int] = Future()
            self._waiting[number] = (process, future)
            line = json.dumps(request) + "\n"
            try:
                assert process.stdin is not None
                process.stdin.write(line)
                process.stdin.flush()
            except OSError as error:
                self._waiting.pop(number, None)
                raise InfraError("server_died", f"the {self._role} server is gone: {error}") from error
            return future

    def _ensure_process(self) -> subprocess.Popen[str]:
        if self._closed:
            raise InfraError("closed", f"the {self._role} server was closed")
        if self._process is None or self._process.poll() is not None:
            self._process = _launch(self._role, self._device, self._folder)
            threading.Thread(target=self._listen, args=(self._process,), daemon=True).start()
        return self._process

    def _listen(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            message = json.loads(line)
            if "id" in message:
                with self._lock:
                    _, future = self._waiting.pop(message["id"])
                future.set_result(message["exit"])
        code = process.wait()
        with self._lock:
            orphans = [number for number, (owner, _) in self._waiting.items() if owner is process]
            futures = [self._waiting.pop(number)[1] for number in orphans]
        for future in futures:
            future.set_exception(InfraError("server_died", f"the {self._role} server ended with code {code}"))


def _end(process: subprocess.Popen[str]) -> None:
    with contextlib.suppress(OSError):
        assert process.stdin is not None
        process.stdin.close()
    try:
        process.wait(_STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _launch(role: Role, device: str, folder: Path) -> subprocess.Popen[str]:
    """Start a server whose temporary files go to `folder`."""
    paths = [str(Path(ampfix.__file__).resolve().parent.parent), str(assets.path("graders").parent)]
    environment = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    environment["TMPDIR"] = str(folder)
    environment |= {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "PYTHONDONTWRITEBYTECODE": "1"}
    environment["PYTORCH_NVML_BASED_CUDA_CHECK"] = "1"  # to ask whether there is a GPU must not start CUDA: it forks
    if "PYTHONPATH" in os.environ:
        environment["PYTHONPATH"] = os.environ["PYTHONPATH"]
    return subprocess.Popen(
        [sys.executable, "-c", _BOOT.format(paths=paths), "--role", role, "--device", device],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
        start_new_session=True,  # Ctrl-C reaches this process alone, which then ends its servers in order
    )


def _result(path: Path, status: int, what: str) -> Any:
    try:
        reply = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        code = os.waitstatus_to_exitcode(status)
        if is_full(code):  # which the job exits with where it cannot write its reply
            raise InfraError("no_space", f"{what}: {os.strerror(code)} in {path.parent}") from None
        raise InfraError("job_died", f"{what} ended with status {status} and no reply") from None
    if not reply["ok"]:
        raise InfraError("no_space" if is_full(reply["errno"]) else "job_failed", f"{what}: {reply['error']}")
    return reply["result"]
