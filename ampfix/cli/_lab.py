"""What `suite` and `grade` share: their options, the runner those ask for, and where results go."""

from __future__ import annotations

import argparse
import importlib.util
import io
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from ampfix import atomic
from ampfix.cli._common import CommandError
from ampfix.cli._docker import docker_runner

if TYPE_CHECKING:
    from ampfix.agents.executors import Executor
    from ampfix.lab.process import ProcessRunner
    from ampfix.lab.runner import Runner


def add_options(parser: argparse.ArgumentParser, formats: Sequence[str] = ("text", "json")) -> None:
    """The options of every command that runs loops. formats: what its result can be written as, the default first."""
    parser.add_argument(
        "--runner", choices=("process", "docker"), default="process", help="what runs the loops (default: process)"
    )
    parser.add_argument(
        "--image", metavar="NAME", help="the image of --runner docker (default: what `ampfix image build` makes)"
    )
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu", help="default: cpu, which emulates CUDA")
    parser.add_argument(
        "--policy",
        choices=("cuda", "native"),
        help="autocast's op policy: emulated cuda (--device cpu), or the device's",
    )
    parser.add_argument(
        "--scenarios-dir", type=Path, metavar="DIR", help="where the scenarios lie (default: ampfix's own)"
    )
    parser.add_argument("--secret", metavar="HEX", help="repeat a grading: the secret that its verdict names")
    parser.add_argument("--output-format", choices=formats, default=formats[0], help=f"default: {formats[0]}")
    parser.add_argument("--output-file", type=Path, metavar="FILE", help="write the result there instead of stdout")


def new_runner(args: argparse.Namespace) -> Runner:
    """The runner that the options ask for. Raises CommandError where it cannot work here."""
    for module in ("torch", "safetensors"):
        if importlib.util.find_spec(module) is None:
            raise ModuleNotFoundError(f"No module named {module!r}", name=module)
    policy = "cuda" if args.device == "cpu" else "native"
    if args.policy not in (None, policy):
        raise CommandError(f"--policy {args.policy} does not go with --device {args.device}, which has policy {policy}")
    from ampfix.lab.process import ProcessRunner

    runner = docker_runner(args.device, args.image) if args.runner == "docker" else ProcessRunner(args.device)
    if args.device == "cuda":
        _find_gpu(runner)
    return runner


def add_executor_options(parser: argparse.ArgumentParser) -> None:
    """Where many answers are graded."""
    parser.add_argument(
        "--executor", choices=("local", "ray"), default="local", help="this process, or a Ray cluster (default: local)"
    )
    parser.add_argument(
        "--ray-address", metavar="ADDRESS", help="a running cluster's (default: start one on this machine)"
    )


def new_executor(args: argparse.Namespace) -> Executor:
    """What grades many answers, as the options ask for. Raises CommandError."""
    from ampfix.agents.executors import ExecutorError, LocalExecutor

    if args.executor == "local":
        return LocalExecutor(lambda: new_runner(args))
    if args.runner != "process":
        raise CommandError(f"--executor ray runs loops with --runner process, not {args.runner}")
    from ampfix.agents.cluster import RayExecutor

    try:
        return RayExecutor(args.ray_address, args.device)
    except ExecutorError as error:
        raise CommandError(f"--executor ray: {error}") from error


def _find_gpu(runner: ProcessRunner) -> None:
    """Raise CommandError where loops cannot run on a CUDA device, before any of them is started."""
    from ampfix.lab.causes import InfraError

    try:
        problem = runner.find_gpu()
    except InfraError as error:
        problem = str(error)
    if problem:
        runner.close()
        raise CommandError(f"--device cuda: no device that can be used ({problem}); leave it out to emulate one")


def checked_secret(args: argparse.Namespace) -> str | None:
    """--secret, if it is one. Raises CommandError."""
    secret: str | None = args.secret
    if secret is not None and (len(secret) != 16 or not set(secret) <= set("0123456789abcdef")):
        raise CommandError(f"--secret {secret}: expected the 16 hexadecimal digits that a verdict names")
    return secret


@contextmanager
def output(args: argparse.Namespace) -> Iterator[TextIO]:
    """Where the result goes: a file gets it as a whole, at the end. Raises CommandError where that fails."""
    if args.output_file is None:
        yield sys.stdout
        return
    stream = io.StringIO()
    yield stream
    try:
        atomic.write(args.output_file, stream.getvalue().encode("utf-8", "backslashreplace"))
    except OSError as error:
        raise CommandError(f"--output-file {args.output_file}: {error.strerror or error}") from None


def show_progress(done: int, total: int) -> None:
    """How many runs are done: one line on stderr that is written over, on a terminal alone."""
    if sys.stderr.isatty():
        end = "\r\x1b[K" if done == total else "\r"
        sys.stderr.write(f"{done} of {total} runs{end}")
        sys.stderr.flush()
