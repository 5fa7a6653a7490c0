"""The `ampfix` command: picks a command, imports only that one, and turns what goes wrong into one line and a code."""

from __future__ import annotations

import errno
import importlib
import os
import sys
from collections.abc import Sequence
from typing import Any

from ampfix import __version__
from ampfix.cli._common import CommandError, Exit, Parser, print_error
from ampfix.extras import DEBUG_VARIABLE, EXTRAS, remedy

# Command -> its line in `ampfix --help`. The module is ampfix.cli.<command>; listing them must import none.
COMMANDS = {
    "check": "find mixed-precision bugs in files and directories",
    "fix": "repair what check finds (--diff shows the changes and writes nothing)",
    "rule": "explain a rule",
    "server": "serve editors over the Language Server Protocol",
    "suite": "run the scenarios: broken, gold, repaired and reference loops",
    "grade": "run an answer to a scenario and judge it",
    "ops": "show what autocast does with each op on a backend",
    "formats": "show ranges and precision of the number formats",
    "memory": "compute what training a model takes in memory, by precision",
    "advise": "advise a dtype and settings for a device",
    "watch": "run a training script and say what goes wrong in it while it runs",
    "diagnose": "run a training script in several ways and name one cause",
    "profile": "measure what each precision gains a training step here",
    "prompt": "print what an agent is asked about a scenario",
    "eval": "ask an agent about scenarios and grade its answers",
    "report": "sum up graded runs and compare them",
    "image": "build the container image of --runner docker",
    "doctor": "show what this machine can run, and how to get what is missing",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code: 0 clean, 1 findings or a failing verdict, 2 error."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    for stream in (sys.stdout, sys.stderr):
        # A path or a source line may hold characters that the terminal's encoding lacks, and a diff its own line ends.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace", newline="\n")
    try:
        code = _dispatch(arguments)
        sys.stdout.flush()
        return code
    except CommandError as error:
        print_error(str(error))
        return Exit.ERROR
    except KeyboardInterrupt:
        print_error("interrupted")
        return Exit.INTERRUPTED
    except BrokenPipeError:
        # The reader (head, less) has gone. Point stdout elsewhere, or the interpreter complains while flushing it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.BROKEN_PIPE
    except Exception as error:
        return _internal_error(error)


def _dispatch(arguments: list[str]) -> int:
    # Only --help and --version come before a command, and neither takes a value.
    chosen = next((argument for argument in arguments if not argument.startswith("-")), None)
    module = importlib.import_module(f"ampfix.cli.{chosen}") if chosen in COMMANDS else None
    parser = Parser(
        prog="ampfix",
        description="Find mixed-precision bugs in PyTorch training loops, repair them, and prove it by running them.",
    )
    parser.add_argument("--version", action="version", version=f"ampfix {__version__}")
    subparsers = parser.add_subparsers(
        title="commands", metavar="COMMAND", dest="command", required=True, prog="ampfix"
    )
    is_first = arguments[:1] == [chosen]  # so that no --help before it lists the commands, each of which takes 1 ms
    for name, summary in COMMANDS.items():
        if module is not None and name == chosen:
            module.add_parser(subparsers)
        elif module is None or not is_first:
            subparsers.add_parser(name, help=summary)
    args = parser.parse_args(arguments)
    assert module is not None, "parse_args exits where no known command was chosen"
    code: Any = module.run(args)
    return int(code)


def _internal_error(error: Exception) -> int:
    missing = error.name.partition(".")[0] if isinstance(error, ModuleNotFoundError) and error.name else ""
    if missing in EXTRAS:
        print_error(f"{missing} is not installed, and this command needs it: {remedy(missing)}")
        return Exit.ERROR
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        print_error(f"{error.filename or 'output'}: {error.strerror}: free some, or let TMPDIR name another folder")
        return Exit.ERROR
    if os.environ.get(DEBUG_VARIABLE):
        sys.excepthook(type(error), error, error.__traceback__)
    print_error(f"internal error: {type(error).__name__}: {error} (set {DEBUG_VARIABLE}=1 to see where)")
    return Exit.ERROR
