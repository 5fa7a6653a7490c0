"""`ampfix eval`: ask an agent about scenarios, grade its answers, and say what they add up to."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ampfix.cli._common import CommandError, Exit
from ampfix.cli._lab import (
    add_executor_options,
    add_options,
    checked_secret,
    new_executor,
    output,
    show_progress,
)

if TYPE_CHECKING:
    from ampfix.agents.evaluation import Plan
    from ampfix.agents.solvers import Solver
    from ampfix.lab.spec import ScenarioSpec


def add_parser(subparsers: Any) -> None:
    """Register the command."""
    parser: argparse.ArgumentParser = subparsers.add_parser(
        "eval",
        help="ask an agent about scenarios and grade its answers",
        description="Ask an agent about scenarios, grade what it answers by execution, and print pass rates. The same "
        "command goes on where an interrupted one stopped. Exits with 0 where all was judged, 2 where not.",
    )
    parser.add_argument(
        "--agent",
        required=True,
        metavar="NAME|CMD",
        help="nop, gold, codemod or folklore; or a command that is run in a folder with PROMPT.md (also on its stdin) "
        "and answers on stdout, or with --mode workspace by editing the files there",
    )
    parser.add_argument("--name", metavar="NAME", help="what the agent is called in reports (default: --agent)")
    parser.add_argument("--scenario", action="append", metavar="ID", help="only this one; may be repeated")
    parser.add_argument(
        "--pressure",
        action="append",
        metavar="NAME",
        help="a name, or all; may be repeated (default: neutral)",
    )
    parser.add_argument("--mode", choices=("review", "patch", "workspace"), default="review", help="default: review")
    parser.add_argument("--samples", type=_positive, default=1, metavar="K", help="answers to each (default: 1)")
    parser.add_argument("--jobs", type=_positive, default=os.cpu_count() or 1, metavar="N", help="agents at a time")
    parser.add_argument("--timeout", type=float, default=600.0, metavar="S", help="seconds an agent has (default: 600)")
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="where answers and results are kept")
    parser.add_argument(
        "--ask-again", action="store_true", help="ask again where the agent failed or did not answer in time"
    )
    parser.add_argument("--no-grade", action="store_true", help="only gather answers; grade DIR/answers.jsonl later")
    add_options(parser)
    add_executor_options(parser)


def run(args: argparse.Namespace) -> int:
    """Ask, grade, print."""
    from ampfix.agents import evaluation
    from ampfix.lab.spec import SpecError, all_specs

    try:
        specs = {spec.id: spec for spec in all_specs(args.scenarios_dir)}
    except SpecError as error:
        raise CommandError(str(error)) from error
    solver, command = _solver(args)
    plan = _plan(args, solver.name, command, specs)
    secret = checked_secret(args)
    try:
        evaluation.open_run(args.out, plan)
        if args.ask_again:
            evaluation.forget_failures(args.out)
        evaluation.ask(args.out, plan, solver, specs, args.jobs, show_progress)
    except evaluation.PlanError as error:
        raise CommandError(str(error)) from error
    except OSError as error:
        raise CommandError(f"--out {args.out}: {error.strerror or error}") from error
    if args.no_grade:
        return Exit.OK
    return _grade(args, plan, specs, secret)


def _grade(args: argparse.Namespace, plan: Plan, specs: dict[str, ScenarioSpec], secret: str | None) -> int:
    from ampfix.agents.evaluation import ANSWERS
    from ampfix.agents.executors import ExecutorError
    from ampfix.agents.results import grade_file, read_results
    from ampfix.agents.summary import INFRA, summarise
    from ampfix.report import eval_text

    try:
        with new_executor(args) as executor:
            grade_file(args.out / ANSWERS, args.out, executor, secret, args.scenarios_dir, show_progress)
    except ExecutorError as error:
        raise CommandError(str(error)) from error
    graded = list(read_results(args.out))
    summary = summarise(plan.agent, graded, {name: spec.family for name, spec in specs.items()})
    with output(args) as stream:
        if args.output_format == "json":
            stream.write(summary.to_json() + "\n")
        else:
            eval_text.write_summary(summary, stream)
    return Exit.ERROR if any(each.verdict.status.value == INFRA for each in graded) else Exit.OK


def _solver(args: argparse.Namespace) -> tuple[Solver, str]:
    """The agent, and the command that it is (empty for a reference agent). Raises CommandError."""
    from ampfix.agents.solvers import REFERENCE_AGENTS, CommandSolver, reference_agent

    if args.agent in REFERENCE_AGENTS:
        return reference_agent(args.agent), ""
    try:
        solver = CommandSolver(args.agent, args.name or args.agent, args.timeout)
    except ValueError as error:
        raise CommandError(f"--agent {args.agent}: {error}") from error
    return solver, args.agent


def _plan(args: argparse.Namespace, name: str, command: str, specs: dict[str, ScenarioSpec]) -> Plan:
    """What to ask. Raises CommandError."""
    from ampfix.agents.answers import Mode
    from ampfix.agents.evaluation import Plan
    from ampfix.agents.pressures import NEUTRAL, PRESSURES

    pressures = args.pressure or [NEUTRAL]
    if "all" in pressures:
        pressures = list(PRESSURES)
    scenarios = args.scenario or list(specs)
    for option, given, known in (("--scenario", scenarios, specs), ("--pressure", pressures, PRESSURES)):
        for each in given:
            if each not in known:
                raise CommandError(f"{option} {each}: expected one of {', '.join(known)}")
    return Plan(
        agent=name,
        command=command,
        mode=Mode(args.mode),
        scenarios=tuple(dict.fromkeys(scenarios)),
        pressures=tuple(dict.fromkeys(pressures)),
        samples=args.samples,
    )


def _positive(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{text}: expected at least 1")
    return value
