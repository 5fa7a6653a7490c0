"""Runs the suite on a CUDA device and sets its verdicts beside the emulated ones, scenario by scenario.

    python benchmarks/gpu/suite_on_gpu.py [ID...] [--output FILE] [--chunk N] [--budget-s N] [--no-timing]

Emulated verdicts are those of scenarios.lock. Scenarios run in chunks; after each the result is written whole, and a
second run goes on where the first was stopped. Prints convergence, skipped steps and the speedup over IEEE fp32 and
TF32 with its interval. Without a CUDA device it prints status "not_measured" and exits with 0.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from ampfix import atomic
from ampfix.lab.causes import InfraError
from ampfix.lab.gpu import Gpu, misfit
from ampfix.lab.lockfile import LOCK_FILE, Lock, LockedVariant, outcome, read
from ampfix.lab.process import ProcessRunner
from ampfix.lab.spec import ScenarioSpec, all_specs, find, scenarios_root
from ampfix.lab.stopwatch import is_wanted
from ampfix.lab.suite import ScenarioReport, run_suite
from ampfix.lab.verdict import Verdict

COLUMNS = "{:<36} {:<10} {:<28} {:<28} {:>20} {:>9}  {}"


def figures(verdict: Verdict, locked: LockedVariant | None) -> dict[str, Any]:
    """One variant on the device beside its emulated self."""
    checks = {check.name: check for check in verdict.checks}
    emulated = list(locked.outcomes) if locked else None
    now = outcome(verdict.status.value, verdict.reason)
    gap = checks["converges"].measured if "converges" in checks else None
    then = locked.checks["converges"].measured if locked and "converges" in locked.checks else None
    return {
        "cuda": now,
        "emulated": emulated,
        "agrees": None if emulated is None else now in emulated,
        "detail": verdict.detail,
        "gap": gap,
        "gap_emulated": then,
        "skipped": verdict.figures.skipped,
        "attempted": verdict.figures.attempted,
        "half_precision": verdict.figures.half_precision,
        "speedup": _said(checks.get("speedup")),
        "memory": _said(checks.get("memory")),
        "wall_s": verdict.wall_s,
    }


def _said(check: Any) -> dict[str, Any] | None:
    if check is None:
        return None
    return {"measured": check.measured, "status": check.status.value, "detail": check.detail}


def entry(scenario: ScenarioReport, spec: ScenarioSpec, lock: Lock | None) -> dict[str, Any]:
    """One scenario's part of the result."""
    locked = lock.scenarios.get(scenario.id) if lock else None
    variants = {
        one.variant: figures(one.verdict, locked.variants.get(one.variant) if locked else None)
        for one in scenario.verdicts
    }
    return {
        "content_sha256": spec.content_hash,
        "valid": scenario.valid,
        "problems": list(scenario.problems),
        "isolation": scenario.verdicts[0].verdict.isolation.level,
        "variants": variants,
    }


def rows(name: str, found: dict[str, Any]) -> Iterator[str]:
    for variant, one in found["variants"].items():
        emulated = "-" if one["emulated"] is None else " or ".join(one["emulated"])
        mark = "" if one["agrees"] in (True, None) else "  DIFFERS"
        gaps = f"{_number(one['gap'])} ({_range(one['gap_emulated'])})"
        skipped = "-" if one["attempted"] is None else f"{one['skipped']:.0f}/{one['attempted']:.0f}"
        speed = (one["speedup"] or {}).get("detail", "")
        yield COLUMNS.format(name, variant, emulated, one["cuda"], gaps, skipped, speed) + mark
    for problem in found["problems"]:
        yield f"  {name}: {problem}"


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3g}"


def _range(values: Sequence[float | None] | None) -> str:
    return "-" if not values else " to ".join(dict.fromkeys(_number(value) for value in values))


def chunks(specs: Sequence[ScenarioSpec], runner: ProcessRunner, size: int) -> Iterator[list[ScenarioSpec]]:
    """Scenarios that are timed come last and alone: their runs need the device to themselves."""
    timed = [spec for spec in specs if is_wanted(spec, runner)]
    rest = [spec for spec in specs if spec not in timed]
    for start in range(0, len(rest), size):
        yield rest[start : start + size]
    for spec in timed:
        yield [spec]


def kept(path: Path | None, specs: Iterable[ScenarioSpec], device: str) -> dict[str, Any]:
    """What an earlier run wrote of these very files on this device."""
    try:
        old = json.loads(path.read_text(encoding="utf-8")) if path else {}
    except (OSError, ValueError):
        return {}
    if old.get("device", {}).get("name") != device:
        return {}
    hashes = {spec.id: spec.content_hash for spec in specs}
    return {
        name: found
        for name, found in old.get("scenarios", {}).items()
        if name in hashes and found.get("content_sha256") == hashes[name]
    }


def write(result: dict[str, Any], path: Path | None) -> None:
    result["agreeing"], result["differing"] = _counts(result)
    if path is not None:
        atomic.write(path, (json.dumps(_finite(result), indent=2, allow_nan=False) + "\n").encode())


def _finite(value: Any) -> Any:
    """The value with numbers that JSON has not replaced by null."""
    if isinstance(value, dict):
        return {key: _finite(one) for key, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(one) for one in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _counts(result: dict[str, Any]) -> tuple[int, int]:
    agree = [one["agrees"] for found in result["scenarios"].values() for one in found.get("variants", {}).values()]
    return agree.count(True), agree.count(False)


def run(specs: Sequence[ScenarioSpec], runner: ProcessRunner, gpu: Gpu, args: argparse.Namespace) -> dict[str, Any]:
    """Every scenario that fits the device and the budget."""
    lock = read(scenarios_root() / LOCK_FILE)
    left_out = {spec.id: reason for spec in specs if (reason := misfit(spec, gpu))}
    result: dict[str, Any] = {
        "schema": 1,
        "status": "measured",
        "device": {"name": gpu.name, "class": gpu.device_class, "capability": list(gpu.capability), "cuda": gpu.cuda},
        "left_out": left_out,
        "scenarios": kept(args.output, specs, gpu.name),
        "errors": {},
        "unfinished": [],
    }
    fitting = [spec for spec in specs if spec.id not in left_out and spec.id not in result["scenarios"]]
    print(COLUMNS.format("scenario", "loop", "emulated", "cuda", "gap (emulated)", "skipped", "speedup"), flush=True)
    deadline = time.monotonic() + args.budget_s
    for chunk in chunks(fitting, runner, args.chunk):
        if time.monotonic() > deadline:
            result["unfinished"] += [spec.id for spec in chunk]
            continue
        try:
            report = run_suite(chunk, runner=runner)
        except (InfraError, OSError, ValueError, ArithmeticError) as error:  # one chunk less, and the rest goes on
            result["errors"] |= {spec.id: f"{type(error).__name__}: {error}" for spec in chunk}
            print(f"  {', '.join(spec.id for spec in chunk)}: {type(error).__name__}: {error}", flush=True)
            continue
        for spec, scenario in zip(chunk, report.scenarios, strict=True):
            result["scenarios"][spec.id] = entry(scenario, spec, lock)
            print("\n".join(rows(spec.id, result["scenarios"][spec.id])), flush=True)
        write(result, args.output)
    write(result, args.output)
    return result


def main(argv: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("ids", nargs="*")
    parser.add_argument("--output", type=Path)
    parser.add_argument("--chunk", type=int, default=8, help="scenarios that run together")
    parser.add_argument("--budget-s", type=float, default=float("inf"), help="start no further chunk after that long")
    parser.add_argument("--no-timing", action="store_true", help="verdicts alone")
    args = parser.parse_args(argv)
    specs = [find(name) for name in args.ids] or all_specs()
    with ProcessRunner("cuda") as runner:
        try:
            problem = runner.find_gpu()
        except InfraError as error:
            problem = str(error)
        if problem or runner.gpu is None:
            result = {"schema": 1, "status": "not_measured", "reason": problem}
            print(json.dumps(result))
            if args.output is not None:
                atomic.write(args.output, (json.dumps(result) + "\n").encode())
            return 0
        runner.can_time = not args.no_timing
        print(f"{runner.gpu.name}, capability {runner.gpu.capability}, CUDA {runner.gpu.cuda}", flush=True)
        print(f"isolation: {runner.isolation().level}", flush=True)
        result = run(specs, runner, runner.gpu, args)
    finished = f"{len(result['scenarios'])} scenarios, {len(result['left_out'])} left out"
    print(f"{finished}, {len(result['errors'])} errors, {len(result['unfinished'])} unfinished")
    print(f"{result['agreeing']} verdicts agree with the emulated ones, {result['differing']} differ")
    return 0


if __name__ == "__main__":
    sys.exit(main())
