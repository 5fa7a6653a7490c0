"""`ampfix ops`: what autocast does with each op, read from the installed torch."""

from __future__ import annotations

import argparse
import json
import sys
from typing import Any

from ampfix.cli._common import CommandError, Exit

_MEANING = {
    "lower": "run in the region's dtype",
    "fp32": "run in float32",
    "promote": "run in the widest dtype of their inputs",
    "set_dtype": "keep their inputs and give float32",
    "banned": "raise: unsafe to autocast",
    "unknown": "intercepted by this torch, and not known to ampfix",
}


def add_parser(subparsers: Any) -> None:
    """Register the command."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "ops",
        help="show what autocast does with each op on a backend",
        description="Show which ops autocast intercepts on a backend, read from the installed torch, and what it does "
        "with each. An op that is not listed runs in the dtype of its inputs.",
    )
    parser.add_argument("names", nargs="*", metavar="OP", help="only ops of these names, such as softmax")
    parser.add_argument("--backend", choices=("cuda", "cpu"), default="cuda", help="default: cuda")
    parser.add_argument("--output-format", choices=("text", "json"), default="text", help="default: text")


def run(args: argparse.Namespace) -> int:
    """Print the policy."""
    from ampfix.emulate.policy import op_policy

    policy = {op.removeprefix("aten::"): category.value for op, category in op_policy(args.backend).items()}
    chosen = {op: category for op, category in policy.items() if not args.names or _base(op) in args.names}
    missing = sorted(set(args.names) - {_base(op) for op in chosen})
    if missing and not chosen:
        raise CommandError(
            f"{missing[0]}: autocast does not intercept it on {args.backend}: it runs in its inputs' dtype"
        )
    if args.output_format == "json":
        sys.stdout.write(json.dumps({"schema": 1, "backend": args.backend, "ops": chosen}, indent=2) + "\n")
        return Exit.OK
    for category, meaning in _MEANING.items():
        ops = sorted(op for op, its in chosen.items() if its == category)
        if ops:
            sys.stdout.write(f"{meaning} ({len(ops)}):\n")
            sys.stdout.writelines(f"  {op}\n" for op in ops)
    for name in missing:
        sys.stdout.write(f"not intercepted: {name} runs in the dtype of its inputs\n")
    return Exit.OK


def _base(op: str) -> str:
    return op.partition(".")[0]
