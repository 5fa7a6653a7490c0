"""Repeats scenarios on fresh secret seeds and counts what did not come out the same: the suite must not flake.

    python benchmarks/suite_repeats.py [ID...] [--repeats N] [--runner process|docker] [--validate] [--output FILE]

Each repeat draws a secret of its own, so weights, data and every figure differ; outcomes must not. Prints JSON: for
each scenario its repeats, the variants with more than one outcome, and the range of every required figure beside its
threshold. Exits with 1 where an outcome differs or a repeat is not valid.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ampfix import atomic
from ampfix.cli._docker import docker_runner
from ampfix.lab.lockfile import check_outcome, outcome
from ampfix.lab.process import ProcessRunner
from ampfix.lab.spec import find
from ampfix.lab.suite import ScenarioReport, run_suite

SIX = (
    "accumulation-not-divided",
    "clip-before-unscale",
    "contrastive-loss",
    "dtype-choice",
    "fp16-without-scaler",
    "scheduler-on-skip",
)
"""Of each a different decisive check or kind of loop; they are among the oldest and the most answered."""


def outcomes(scenario: ScenarioReport) -> dict[str, set[str]]:
    """What each variant, and each of its required checks, came to in any repeat."""
    seen: dict[str, set[str]] = {}
    for one in scenario.verdicts:
        seen.setdefault(one.variant, set()).add(outcome(one.verdict.status.value, one.verdict.reason))
        for check in one.verdict.checks:
            if check.required:
                seen.setdefault(f"{one.variant} {check.name}", set()).add(check_outcome(check))
    return seen


def ranges(scenario: ScenarioReport) -> Iterator[dict[str, Any]]:
    """Each required figure of gold and the broken loop over the repeats, beside its threshold."""
    figures: dict[tuple[str, str], list[float]] = {}
    thresholds: dict[tuple[str, str], float] = {}
    for one in scenario.verdicts:
        for check in one.verdict.checks:
            if one.variant in ("gold", "broken") and check.required and None not in (check.measured, check.threshold):
                figures.setdefault((one.variant, check.name), []).append(check.measured or 0.0)
                thresholds[one.variant, check.name] = check.threshold or 0.0
    for (variant, name), values in figures.items():
        yield {
            "variant": variant,
            "check": name,
            "lowest": float(f"{min(values):.4g}"),
            "highest": float(f"{max(values):.4g}"),
            "threshold": thresholds[variant, name],
        }


def summary(scenario: ScenarioReport, repeats: int) -> dict[str, Any]:
    flaky = {name: sorted(seen) for name, seen in outcomes(scenario).items() if len(seen) > 1}
    return {
        "id": scenario.id,
        "repeats": repeats,
        "verdicts": len(scenario.verdicts),
        "valid": scenario.valid,
        "problems": list(scenario.problems),
        "flaky": flaky,
        "loops_s": round(sum(one.verdict.wall_s for one in scenario.verdicts), 1),
        "figures": list(ranges(scenario)),
    }


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("ids", nargs="*", default=list(SIX))
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--runner", choices=("process", "docker"), default="process")
    parser.add_argument("--validate", action="store_true", help="the recorded answers, too")
    parser.add_argument("--output", type=Path)
    args = parser.parse_args(argv)
    specs = [find(name) for name in args.ids]
    started = time.monotonic()
    with ProcessRunner() if args.runner == "process" else docker_runner("cpu", None) as runner:
        validate = args.ids if args.validate else []
        report = run_suite(specs, runner=runner, validate=validate, repeats=args.repeats)
    scenarios = [summary(scenario, args.repeats) for scenario in report.scenarios]
    result = {
        "schema": 1,
        "runner": args.runner,
        "versions": report.scenarios[0].verdicts[0].verdict.versions,
        "wall_s": round(time.monotonic() - started, 1),
        "flakes": sum(len(one["flaky"]) for one in scenarios),
        "scenarios": scenarios,
    }
    text = json.dumps(result, indent=2) + "\n"
    sys.stdout.write(text)
    if args.output is not None:
        atomic.write(args.output, text.encode())
    return 0 if report.ok and not result["flakes"] else 1


if __name__ == "__main__":
    sys.exit(main())
