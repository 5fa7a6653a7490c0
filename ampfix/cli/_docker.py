"""How commands reach the container engine: every error of it becomes one line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ampfix.cli._common import CommandError

if TYPE_CHECKING:
    from ampfix.lab.docker_engine import Engine
    from ampfix.lab.docker_runner import DockerRunner


def docker_runner(device: str, image: str | None) -> DockerRunner:
    """The docker runner. Raises CommandError where it cannot work here."""
    from ampfix.lab.docker_engine import DEFAULT_IMAGE, EngineError
    from ampfix.lab.docker_runner import DockerRunner

    try:
        return DockerRunner(device, image or DEFAULT_IMAGE)
    except EngineError as error:
        raise CommandError(str(error)) from error


def engine() -> Engine:
    """A connection to the engine. Raises CommandError where none answers."""
    from ampfix.lab.docker_engine import Engine, EngineError

    try:
        return Engine()
    except EngineError as error:
        raise CommandError(str(error)) from error
