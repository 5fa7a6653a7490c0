"""The jail as a sandbox of Inspect AI: no container engine, no network, no host files.

A sample's files lie in a folder of ours. Each command sees a copy of them inside a fresh jail, and what it leaves
there is copied back as regular files; processes do not outlive their command.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import json
import os
import shutil
import signal
import sys
import tarfile
import tempfile
from pathlib import Path, PurePosixPath
from typing import Any, Literal, overload

from inspect_ai.util import (
    ExecResult,
    SandboxEnvironment,
    SandboxEnvironmentConfigType,
    sandboxenv,
)
from inspect_ai.util import (
    concurrency as throttled,
)

from ampfix import assets

NAME = "ampfix_jail"
_WORK = PurePosixPath("/agent/work")
_MEMORY_MB = 4096
_WALL_S = 600.0
_GRACE_S = 20.0  # for the jail's own start and end
_LARGEST_FILE = 100 << 20


@sandboxenv(name=NAME)
class JailSandbox(SandboxEnvironment):
    """One sample's folder. Commands run in it one at a time."""

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp(prefix="ampfix-sandbox-"))
        self.folder.chmod(0o755)
        self._lock = asyncio.Lock()

    @classmethod
    async def sample_init(
        cls, task_name: str, config: SandboxEnvironmentConfigType | None, metadata: dict[str, str]
    ) -> dict[str, SandboxEnvironment]:
        del task_name, config, metadata
        return {"default": cls()}

    @classmethod
    async def sample_cleanup(
        cls,
        task_name: str,
        config: SandboxEnvironmentConfigType | None,
        environments: dict[str, SandboxEnvironment],
        interrupted: bool,
    ) -> None:
        del task_name, config, interrupted
        for environment in environments.values():
            shutil.rmtree(environment.as_type(JailSandbox).folder, ignore_errors=True)

    async def exec(
        self,
        cmd: list[str],
        input: str | bytes | None = None,
        cwd: str | None = None,
        env: dict[str, str] | None = None,
        user: str | None = None,
        timeout: int | None = None,
        timeout_retry: bool = True,
        concurrency: bool = True,
    ) -> ExecResult[str]:
        """Run a command. One that times out is not retried: it would see what the first attempt left."""
        del timeout_retry
        if user is not None:
            raise PermissionError(f"the jail has one user; {user!r} is not available")
        given = input.encode() if isinstance(input, str) else input or b""
        request = {
            "command": cmd,
            "folder": str(self.folder),
            "cwd": str(self._inside(cwd or ".")),
            "environment": env or {},
            "wall_s": float(timeout or _WALL_S),
            "memory_mb": _MEMORY_MB,
            "stdin": len(given),
        }
        limit = throttled("ampfix_jail", os.cpu_count() or 1) if concurrency else contextlib.nullcontext()
        async with self._lock, limit:
            head, rest = await _jailed(request, given)
            if head["outcome"] == "timeout":
                raise TimeoutError(f"the command did not end within {request['wall_s']:g} s")
            if head["outcome"] == "setup_failed":
                raise RuntimeError(f"the jail could not be set up: {head['detail']}")
            out, errors = head["stdout"], head["stderr"]
            if head["complete"]:
                self._take_back(rest[out + errors :])
        code = head["exit_code"] if head["exit_code"] is not None else 137  # what held it ended it
        said = rest[out : out + errors].decode("utf-8", errors="replace")
        if not head["complete"]:
            said += f"\nended by its jail: {head['outcome']} {head['detail']}".rstrip()
        return ExecResult(code == 0, code, rest[:out].decode("utf-8", errors="replace"), said)

    async def write_file(self, file: str, contents: str | bytes) -> None:
        path = self.folder / self._inside(file)
        if path.is_dir():
            raise IsADirectoryError(f"{file} is a folder")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(contents.encode() if isinstance(contents, str) else contents)

    @overload
    async def read_file(self, file: str, text: Literal[True] = True) -> str: ...

    @overload
    async def read_file(self, file: str, text: Literal[False]) -> bytes: ...

    async def read_file(self, file: str, text: bool = True) -> str | bytes:
        path = self.folder / self._inside(file)
        if path.is_dir():
            raise IsADirectoryError(f"{file} is a folder")
        raw = path.read_bytes()
        return raw.decode("utf-8") if text else raw

    def _inside(self, name: str) -> PurePosixPath:
        """A path below the sample's folder, from one that is relative or below _WORK. Raises PermissionError."""
        path = PurePosixPath(name)
        if path.is_absolute():
            if not path.is_relative_to(_WORK):
                raise PermissionError(f"{name} lies outside {_WORK}")
            path = path.relative_to(_WORK)
        if ".." in path.parts:
            raise PermissionError(f"{name} leads out of {_WORK}")
        return path

    def _take_back(self, packed: bytes) -> None:
        """The folder becomes what the command left: regular files and folders, whose names are checked again."""
        fresh = Path(tempfile.mkdtemp(prefix="ampfix-sandbox-"))
        with tarfile.open(fileobj=io.BytesIO(packed)) as archive:
            for member in archive:
                place = fresh / self._inside(member.name)
                content = archive.extractfile(member) if member.isreg() and member.size <= _LARGEST_FILE else None
                if member.isdir():
                    place.mkdir(parents=True, exist_ok=True)
                elif content is not None:
                    place.parent.mkdir(parents=True, exist_ok=True)
                    place.write_bytes(content.read())
                    place.chmod(0o755 if member.mode & 0o100 else 0o644)
        fresh.chmod(0o755)
        shutil.rmtree(self.folder)
        fresh.rename(self.folder)


async def _jailed(request: dict[str, Any], given: bytes) -> tuple[dict[str, Any], bytes]:
    """The reply of graders/run_command.py. Raises RuntimeError where there is none."""
    root = assets.path("graders").parent
    package = Path(__file__).resolve().parents[3]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "graders.run_command",
        cwd=root, env={"PATH": os.defpath, "PYTHONPATH": f"{root}{os.pathsep}{package}"},
        stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )  # fmt: skip
    try:
        message = json.dumps(request).encode() + b"\n" + given
        reply, errors = await asyncio.wait_for(process.communicate(message), request["wall_s"] + _GRACE_S)
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()
    head, _, rest = reply.partition(b"\n")
    if not head:
        said = " ".join(errors.decode("utf-8", errors="replace").split())[-300:]
        raise RuntimeError(f"the jail ended without a reply: {said}")
    found: dict[str, Any] = json.loads(head)
    return found, rest
