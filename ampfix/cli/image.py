"""`ampfix image build`: make the image that `--runner docker` uses."""

from __future__ import annotations

import argparse
import sys
from typing import Any

from ampfix.cli._common import CommandError, Exit
from ampfix.cli._docker import engine


def add_parser(subparsers: Any) -> None:
    """Register the command."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "image",
        help="build the container image of --runner docker",
        description="Build the container image of `suite --runner docker` and `grade --runner docker`.",
    )
    actions = parser.add_subparsers(title="actions", metavar="ACTION", dest="action", required=True)
    build: argparse.ArgumentParser = actions.add_parser(
        "build",
        help="build the image",
        description="Build the image on a base with Python 3.10 or newer, and print its digest. torch is installed "
        "where the base lacks it. The image of the same name that was there before is removed.",
    )
    build.add_argument("--base", metavar="IMAGE", help="default: the official CUDA runtime of PyTorch")
    build.add_argument(
        "--name", metavar="NAME", help="what to call the image (default: what --runner docker looks for)"
    )
    build.add_argument(
        "--network", metavar="MODE", help="network of the build's steps: host, none, ... (default: the engine's)"
    )
    build.add_argument("--quiet", action="store_true", help="do not show what the build prints")


def run(args: argparse.Namespace) -> int:
    """Build the image and print its digest."""
    from ampfix.lab import docker_image
    from ampfix.lab.docker_engine import DEFAULT_IMAGE, EngineError

    base = args.base or docker_image.default_base()
    client = engine()
    try:
        digest = docker_image.build(
            client, args.name or DEFAULT_IMAGE, base, args.network, _mute if args.quiet else _show
        )
    except EngineError as error:
        raise CommandError(str(error)) from error
    finally:
        client.close()
    sys.stdout.write(f"{digest}\n")
    return Exit.OK


def _show(line: str) -> None:
    sys.stderr.write(f"{line}\n")


def _mute(_: str) -> None:
    pass
