"""A warm process that forks one child per job, so that a job starts in milliseconds with torch imported.

Two are started: one for submissions, whose jobs end in a jail, and one for the judge, which never runs submitted code.
Neither holds a secret. A job is one JSON line on stdin: {id, job, reply, arguments}. Its child writes the file
`reply`, and {id, exit} on stdout says that it has ended. End of input ends the server and its children. The next job's
child is forked ahead of it and waits for it on a pipe, which takes 5 ms off the job's start.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import json
import os
import selectors
import signal
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from graders import huge_pages

Job = Callable[..., dict[str, Any]]
_DONE = object()


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--role", choices=sorted(_ROLES), required=True)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    args = parser.parse_args()
    jobs = _ROLES[args.role](args.device)
    os.umask(0o022)  # what a job writes is shown in the jail, to another user
    gc.collect()
    gc.freeze()  # children then share the pages of everything imported so far
    Server(jobs).serve()


def _submission_jobs(device: str) -> Mapping[str, Job]:
    import torch
    import torch._dynamo

    torch.set_num_threads(1)
    from graders import gpu, jail, run_job

    jail.probe()  # remembered, so that no child has to find out again

    if device == "cpu":
        _warm_up()
    else:
        with contextlib.suppress(OSError):  # each run tells it
            run_job.gpu_level()
    return {"run": run_job.run, "probe": run_job.probe_level, "describe_gpu": gpu.describe}


def _warm_up() -> None:
    """One recorded step under emulation: what it imports and builds, every child inherits.

    Not where a GPU is used: an optimizer's step asks CUDA for its state, and CUDA does not survive the fork. Without
    backward, since autograd starts a thread for each GPU that it sees, and refuses to work in a fork of such a process.
    """
    import torch

    from ampfix.emulate import cuda
    from ampfix.emulate.kernels import keep_kernels
    from ampfix.watch import Recorder

    keep_kernels()
    with cuda(), Recorder(on_event=lambda _event: None):
        net = torch.nn.Linear(1, 1)
        optimizer, scaler = torch.optim.SGD(net.parameters(), lr=0.1), torch.amp.GradScaler("cuda")
        with torch.autocast("cuda"):
            scaler.scale(net(torch.zeros(1, 1)).sum())
        for parameter in net.parameters():
            parameter.grad = torch.zeros_like(parameter)
        scaler.unscale_(optimizer)
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        scaler.step(optimizer)
        scaler.update()


def _judge_jobs(_device: str) -> Mapping[str, Job]:
    import torch

    torch.set_num_threads(1)
    from graders import gpu, judge

    with contextlib.suppress(OSError):  # of a full disk, say, the first job tells
        judge.rehearse()
    return {"prepare": judge.prepare, "judge": judge.judge, "describe_gpu": gpu.describe}


_ROLES: dict[str, Callable[[str], Mapping[str, Job]]] = {"submission": _submission_jobs, "judge": _judge_jobs}


class Server:
    """Reads jobs, forks, reaps, answers; a single thread, since a fork keeps no other."""

    def __init__(self, jobs: Mapping[str, Job]) -> None:
        self._jobs = jobs
        self._running: dict[int, int] = {}  # pid -> job id
        self._next: tuple[int, int] | None = None  # the pid of the child forked ahead, and the pipe to it
        self._buffer = b""
        self._alarm, self._wake = os.pipe()
        for end in (self._alarm, self._wake):
            os.set_blocking(end, False)

    def serve(self) -> None:
        signal.signal(signal.SIGCHLD, lambda _number, _frame: None)  # a handler, so that the wakeup fd is written to
        signal.set_wakeup_fd(self._wake, warn_on_full_buffer=False)
        selector = selectors.DefaultSelector()
        selector.register(sys.stdin.fileno(), selectors.EVENT_READ)
        selector.register(self._alarm, selectors.EVENT_READ)
        self._say({"ready": True})
        tidying: Iterator[None] | None = huge_pages.collapse()
        try:
            while True:
                idle = tidying is not None and not self._running
                ready = selector.select(0 if idle else None)
                if not ready and tidying is not None and next(tidying, _DONE) is _DONE:
                    tidying = None
                for key, _ in ready:
                    if key.fd == self._alarm:
                        self._reap()
                    elif not self._read():
                        return
                if tidying is None:  # what is shared with a child cannot be moved
                    self._fork_ahead()
        finally:
            self._kill_children()

    def _read(self) -> bool:
        """Take what arrived on stdin; False at its end."""
        data = os.read(sys.stdin.fileno(), 1 << 16)
        *lines, self._buffer = (self._buffer + data).split(b"\n")
        for line in lines:
            self._start(json.loads(line))
        return bool(data)

    def _start(self, request: dict[str, Any]) -> None:
        while True:  # the child that waits may have been killed meanwhile
            pid, pipe = self._fork_ahead()
            self._next = None
            with (
                contextlib.suppress(BrokenPipeError),
                os.fdopen(pipe, "wb") as job,
            ):
                job.write(json.dumps(request).encode())
                job.flush()
                self._running[pid] = request["id"]
                return

    def _fork_ahead(self) -> tuple[int, int]:
        """The child that waits for the next job, and the pipe that the job goes through."""
        if self._next is None:
            read, write = os.pipe()
            pid = os.fork()
            if pid == 0:
                os.close(write)
                self._be_the_child(read)
            os.close(read)
            self._next = pid, write
        return self._next

    def _be_the_child(self, pipe: int) -> None:
        code = 1
        try:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            null = os.open(os.devnull, os.O_RDWR)
            os.dup2(null, 0)
            os.dup2(null, 1)
            for end in (self._alarm, self._wake, null):
                os.close(end)
            with os.fdopen(pipe, "rb") as job:
                line = job.read()
            if not line:  # the server has ended
                return
            request = json.loads(line)
            try:
                reply = {"ok": True, "result": self._jobs[request["job"]](**request["arguments"])}
            except Exception as error:
                reply = {
                    "ok": False,
                    "error": f"{type(error).__name__}: {error}",
                    "errno": error.errno if isinstance(error, OSError) else None,
                    "traceback": traceback.format_exc(),
                }
            code = _write(Path(request["reply"]), json.dumps(reply))
        finally:
            os._exit(code)

    def _reap(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while os.read(self._alarm, 4096):
                pass
        while self._running:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            if self._next is not None and pid == self._next[0]:
                os.close(self._next[1])
                self._next = None
            if pid in self._running:
                self._say({"id": self._running.pop(pid), "exit": status})

    def _kill_children(self) -> None:
        if self._next is not None:
            self._running[self._next[0]] = -1
        for pid in self._running:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGTERM)
        for pid in self._running:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, 0)

    def _say(self, message: dict[str, Any]) -> None:
        sys.stdout.write(json.dumps(message) + "\n")
        sys.stdout.flush()


def _write(path: Path, text: str) -> int:
    """0, or the system's error number, which as an exit code says what a reply cannot on a disk that is full."""
    try:
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        return error.errno or 1
    return 0


if __name__ == "__main__":
    main()
