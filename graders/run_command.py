"""Runs one command in the jail, in a folder whose files come from outside and are given back: an agent's shell.

    python -m graders.run_command < request > reply

The request is one line of JSON (fields of Request) followed by the bytes of stdin for the command. The reply is one
line of JSON (exit code, sizes) followed by stdout, stderr and a tar of the folder as the command left it. Nothing of
what the command wrote is interpreted here.
"""

from __future__ import annotations

import io
import json
import os
import stat
import subprocess
import sys
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ampfix
from graders import jail

WORK, GIVEN = "/agent/work", "/agent/given"  # names that no installation lies under
_MIB = 1 << 20
_OUTPUT = 10 * _MIB
_FOLDER = 256 * _MIB


@dataclass(frozen=True)
class Request:
    """command: words. folder: on the host, its files are shown and then copied. cwd: below it. stdin: bytes to come."""

    command: list[str]
    folder: str
    cwd: str
    environment: dict[str, str]
    wall_s: float
    memory_mb: int
    stdin: int


def main() -> int:
    """Run what stdin asks for. Exit code 1 where the jail could not be set up."""
    request = Request(**json.loads(sys.stdin.buffer.readline()))
    given = sys.stdin.buffer.read(request.stdin)
    packages = (Path(ampfix.__file__).parent, Path(__file__).parent)
    shown = [(request.folder, GIVEN), *((str(folder.resolve()), str(folder.resolve())) for folder in packages)]
    limits = jail.Limits(
        wall_s=request.wall_s, memory_bytes=request.memory_mb * _MIB, processes=256, file_bytes=_FOLDER,
        output_bytes=2 * _FOLDER, tmp_bytes=_FOLDER,
    )  # fmt: skip
    arrived = bytearray()
    # The system's own folder for programs is all of PATH: no variable of this process reaches the command.
    report = jail.run(
        lambda descriptor: _inside(request, given, descriptor),
        jail.View(readonly=tuple(shown), workdir=WORK), limits, arrived.extend,
    )  # fmt: skip
    head, _, rest = bytes(arrived).partition(b"\n")
    reply: dict[str, Any] = {"outcome": report.outcome.value, "detail": report.detail, "complete": bool(head)}
    reply |= json.loads(head) if head else {"exit_code": None, "stdout": 0, "stderr": 0}
    sys.stdout.buffer.write(json.dumps(reply).encode() + b"\n" + rest)
    sys.stdout.buffer.flush()
    return int(report.outcome is jail.Outcome.SETUP_FAILED)


def _inside(request: Request, given: bytes, descriptor: int) -> None:
    """In the jail: fill the folder, run the command, send what it said and what the folder holds."""
    _copy(Path(jail.resolve(GIVEN)), Path(jail.resolve(WORK)))
    folder = Path(jail.resolve(WORK))
    cwd = folder / request.cwd
    cwd.mkdir(parents=True, exist_ok=True)
    environment = {"PATH": f"{Path(sys.executable).parent}:/usr/local/bin:/usr/bin:/bin", "HOME": str(folder)}
    try:
        done = subprocess.run(
            request.command, cwd=cwd, env=environment | request.environment, input=given, capture_output=True
        )
        code, out, errors = done.returncode, done.stdout, done.stderr
    except OSError as error:
        code, out, errors = 127, b"", f"{request.command[0]}: {error.strerror}\n".encode()
    out, errors = out[-_OUTPUT:], errors[-_OUTPUT:]
    head = json.dumps({"exit_code": code, "stdout": len(out), "stderr": len(errors)})
    with os.fdopen(descriptor, "wb") as result:
        result.write(head.encode() + b"\n" + out + errors + _packed(folder))


def _copy(source: Path, target: Path) -> None:
    for path in sorted(source.rglob("*")):
        place = target / path.relative_to(source)
        if path.is_dir():
            place.mkdir(exist_ok=True)
        elif path.is_file():
            place.write_bytes(path.read_bytes())
            place.chmod(0o755 if os.access(path, os.X_OK) else 0o644)


def _packed(folder: Path) -> bytes:
    """Regular files and folders only: a link means something else outside."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for path in sorted(folder.rglob("*")):
            status = path.lstat()
            info = tarfile.TarInfo(str(path.relative_to(folder)))
            info.mode = status.st_mode & 0o777
            if stat.S_ISDIR(status.st_mode):
                info.type = tarfile.DIRTYPE
                archive.addfile(info)
            elif stat.S_ISREG(status.st_mode):
                content = path.read_bytes()
                info.size = len(content)
                archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


if __name__ == "__main__":
    sys.exit(main())
