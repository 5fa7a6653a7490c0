"""A container as a sandbox of Inspect AI: the image of `ampfix image build`, hardened, without a network.

Inspect's own docker provider wants a compose file and an image with torch; this one needs an engine and the command
`docker`. A sample has one container, whose files lie in memory and go with it.
"""

from __future__ import annotations

import asyncio
import shutil
import time
from pathlib import PurePosixPath
from typing import Literal, overload

from inspect_ai.util import (
    ExecResult,
    SandboxEnvironment,
    SandboxEnvironmentConfigType,
    sandboxenv,
    subprocess,
)

from ampfix.lab.docker_engine import DEFAULT_IMAGE, OWNER_LABEL, Engine, EngineError, owner
from ampfix.lab.docker_image import content_hash

NAME = "ampfix_docker"
_WORK = PurePosixPath("/agent/work")
_USER = "65532:65532"
_HOLD = (
    "--rm", "--init", "--network", "none", "--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges",
    "--pids-limit", "256", "--memory", "4g", "--memory-swap", "4g", "--cpus", "2", "--user", _USER,
    "--tmpfs", "/tmp:rw,exec,nosuid,nodev,size=256m,mode=1777",
    "--tmpfs", f"{_WORK}:rw,exec,nosuid,nodev,size=256m,mode=0755,uid=65532,gid=65532",
    "--workdir", str(_WORK), "--env", f"HOME={_WORK}", "--entrypoint", "sleep",
)  # fmt: skip
_LONGEST_S = 24 * 3600  # a sample's container ends by itself, whatever becomes of us
_WALL_S = 600
_GRACE_S = 20
_LARGEST_FILE = 100 << 20
_IS_FOLDER, _IS_MISSING, _TOO_LARGE = 21, 22, 23
_ENDED = (124, 137)  # what `timeout` exits with, by TERM or KILL

_READ = f"""
test -d "$1" && exit {_IS_FOLDER}; test -f "$1" || exit {_IS_MISSING}
test "$(stat -Lc %s "$1")" -le {_LARGEST_FILE} || exit {_TOO_LARGE}; exec cat "$1"
"""
_WRITE = f'test -d "$1" && exit {_IS_FOLDER}; mkdir -p "$(dirname "$1")" && exec cat > "$1"'


@sandboxenv(name=NAME)
class ContainerSandbox(SandboxEnvironment):
    """One sample's container."""

    def __init__(self, container: str) -> None:
        super().__init__()
        self.container = container

    @classmethod
    async def task_init(cls, task_name: str, config: SandboxEnvironmentConfigType | None) -> None:
        """Raises EngineError where there is no engine, no image of this ampfix, or no command `docker`."""
        del task_name, config
        await asyncio.to_thread(_image)

    @classmethod
    async def sample_init(
        cls, task_name: str, config: SandboxEnvironmentConfigType | None, metadata: dict[str, str]
    ) -> dict[str, SandboxEnvironment]:
        del task_name, config, metadata
        image = await asyncio.to_thread(_image)
        label = f"{OWNER_LABEL}={owner()}"
        made = await subprocess(["docker", "run", "--detach", *_HOLD, "--label", label, image, str(_LONGEST_S)])
        if not made.success:
            raise EngineError(f"the engine cannot start a container: {' '.join(made.stderr.split())[-300:]}")
        return {"default": cls(made.stdout.strip())}

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
            box = environment.as_type(ContainerSandbox)
            await subprocess(["docker", "rm", "--force", "--volumes", box.container], concurrency=False)

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
        wall_s = timeout or _WALL_S
        options = [part for name, value in (env or {}).items() for part in ("--env", f"{name}={value}")]
        options += ["--workdir", str(_WORK / (cwd or "."))] + (["--user", user] if user is not None else [])
        began = time.monotonic()
        done = await self._inside(
            ["timeout", "--kill-after=1", str(wall_s), *cmd], input, options, wall_s + _GRACE_S, concurrency
        )
        if done.returncode in _ENDED and time.monotonic() - began >= wall_s:
            raise TimeoutError(f"the command did not end within {wall_s} s")
        out, errors = (text.decode("utf-8", errors="replace") for text in (done.stdout, done.stderr))
        return ExecResult(done.success, done.returncode, out, errors)

    async def write_file(self, file: str, contents: str | bytes) -> None:
        _check(await self._shell(_WRITE, file, contents), file)

    @overload
    async def read_file(self, file: str, text: Literal[True] = True) -> str: ...

    @overload
    async def read_file(self, file: str, text: Literal[False]) -> bytes: ...

    async def read_file(self, file: str, text: bool = True) -> str | bytes:
        raw = _check(await self._shell(_READ, file, b""), file)
        return raw.decode("utf-8") if text else raw

    async def _shell(self, script: str, file: str, given: str | bytes) -> ExecResult[bytes]:
        return await self._inside(["sh", "-c", script, "sh", str(_WORK / file)], given, [], _WALL_S, True)

    async def _inside(
        self, command: list[str], given: str | bytes | None, options: list[str], wall_s: int, concurrency: bool
    ) -> ExecResult[bytes]:
        given = given.encode() if isinstance(given, str) else given or b""
        words = ["docker", "exec", "--interactive", *options, self.container, *command]
        return await subprocess(
            words, text=False, input=given, timeout=wall_s, concurrency=concurrency, output_limit=_LARGEST_FILE
        )


def _check(done: ExecResult[bytes], file: str) -> bytes:
    """What a script gave, or the exception that its exit code stands for."""
    if done.success:
        return done.stdout
    if done.returncode == _IS_FOLDER:
        raise IsADirectoryError(f"{file} is a folder")
    if done.returncode == _IS_MISSING:
        raise FileNotFoundError(f"{file}: no such file")
    if done.returncode == _TOO_LARGE:
        raise ValueError(f"{file} is larger than {_LARGEST_FILE >> 20} MiB")
    raise PermissionError(f"{file}: {' '.join(done.stderr.decode(errors='replace').split())[-200:]}")


def _image() -> str:
    """The digest of the image that this ampfix makes. Containers that ended programs left are removed on the way."""
    if shutil.which("docker") is None:
        raise EngineError("the command `docker` is not installed: install Docker's command line, or use the jail")
    engine = Engine()
    try:
        engine.reap()
        return engine.image(DEFAULT_IMAGE, content_hash()).id
    finally:
        engine.close()
