"""The further ranks of a distributed run: forks of the process that is rank 0, as torchrun would start them.

To each rank the machine looks like a node with one GPU: RANK counts, LOCAL_RANK is 0 everywhere.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NoReturn

GRACE_S = 5.0
"""How long a rank may go on when rank 0 has ended: one that waits for rank 0 would wait for ever."""

Failure = dict[str, Any]
"""How a loop failed, as run_loop describes it, and when (`at`, monotonic); empty where it did not."""

_CHUNK = 1 << 16


@dataclass(frozen=True)
class Peer:
    """A rank other than 0: its process, and the read end of the pipe that its report comes through."""

    rank: int
    pid: int
    report: int


def start(world: int, work: Callable[[int], Failure]) -> list[Peer]:
    """Fork ranks 1 to world - 1, each of which does work(rank) and ends; the caller goes on as rank 0."""
    if world == 1:
        return []
    address = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(_free_port()), "GLOO_SOCKET_IFNAME": "lo"}
    os.environ |= address | {"WORLD_SIZE": str(world), "LOCAL_WORLD_SIZE": "1", "LOCAL_RANK": "0"}
    peers = []
    for rank in range(1, world):
        reads, writes = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(reads)
            _be(rank, work, writes)
        os.close(writes)
        peers.append(Peer(rank, pid, reads))
    _number(0)
    return peers


def finish(peers: list[Peer], failure: Failure) -> Failure:
    """Wait for the other ranks, end those that hang, and return the failure that came first (of rank 0: `failure`)."""
    own = [(failure["at"], failure)] if failure else []
    deadline = time.monotonic() + GRACE_S
    found = own + [each for peer in peers if (each := _failure_of(peer, deadline)) is not None]
    return min(found, key=lambda each: each[0])[1] if found else {}


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _number(rank: int) -> None:
    os.environ |= {"RANK": str(rank), "GROUP_RANK": str(rank)}


def _be(rank: int, work: Callable[[int], Failure], report: int) -> NoReturn:
    code = 1
    try:
        _number(rank)
        failure = work(rank)
        os.write(report, json.dumps(failure).encode())
        code = 0
    finally:
        os._exit(code)


def _failure_of(peer: Peer, deadline: float) -> tuple[float, Failure] | None:
    """When and how a rank failed; None where it ended well."""
    text, hangs = _read(peer.report, deadline)
    if hangs:
        with contextlib.suppress(ProcessLookupError):
            os.kill(peer.pid, signal.SIGKILL)
    _, status = os.waitpid(peer.pid, 0)
    os.close(peer.report)
    if hangs:
        return time.monotonic(), _described(
            "TimeoutError", f"rank {peer.rank} was still waiting {GRACE_S:g} s after rank 0 had ended"
        )
    try:
        failure: Failure = json.loads(text)
    except ValueError:
        code = os.waitstatus_to_exitcode(status)
        # When it died nobody knows; the others' failures follow from it.
        return 0.0, _described("ChildProcessError", f"rank {peer.rank} ended with exit code {code}")
    if not failure:
        return None
    failure["message"] = f"rank {peer.rank}: {failure['message']}"
    return failure["at"], failure


def _read(descriptor: int, deadline: float) -> tuple[bytes, bool]:
    """What arrives until the other end closes, and whether the deadline came before that."""
    text = b""
    while True:
        ready, _, _ = select.select([descriptor], [], [], max(0.0, deadline - time.monotonic()))
        if not ready:
            return text, True
        chunk = os.read(descriptor, _CHUNK)
        if not chunk:
            return text, False
        text += chunk


def _described(kind: str, message: str) -> Failure:
    return {"type": kind, "message": message, "place": "", "unsupported": False}
