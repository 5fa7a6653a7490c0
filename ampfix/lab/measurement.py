"""One run, measured: how it ended, what the judge found, and what the run says about itself."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from ampfix.emulate.profiles import profile_named
from ampfix.lab.curves import Curve
from ampfix.lab.models import Model
from ampfix.lab.problem import Problem
from ampfix.lab.recording import (
    EVENTS,
    SUMMARY,
    Account,
    Breach,
    Malformed,
    one_line,
    output_tail,
    read_account,
    read_breaches,
)
from ampfix.lab.runner import Execution, Inputs, Runner
from ampfix.lab.spec import ScenarioSpec
from ampfix.lab.verdict import Isolation

_HALF = frozenset({"float16", "bfloat16", "float8_e4m3fn", "float8_e5m2"})

_ALLOCATION_FAILED = "can't allocate memory"  # torch's CPU allocator raises RuntimeError, not MemoryError

_ENDINGS = {
    "timeout": "timeout",
    "memory": "memory",
    "output_overflow": "output_overflow",
    "refused": "malformed_output",
    "killed_by_signal": "killed",
}
"""The jail's outcomes that end a run, as causes."""


class Measurement(Model):
    """One run on one seed. A figure is None where the run did not get that far.

    ended: why the run did not end by itself. weights: what is wrong with its weights. events: why its record is no use.
    loss: held-out. trajectory, fp32_distance, travelled: distances of snapshot and weights, see graders/judge.py.
    flops: of matrix products and convolutions, estimated. aligned: share of the half-precision products.
    peak_bytes: of the GPU's memory, held by tensors.
    output: the end of what the loop printed. curve: loss and scale by step, as the run told them.
    """

    seed: int
    isolation: Isolation
    wall_s: float
    ended: Problem | None = None
    weights: Problem | None = None
    events: Problem | None = None
    loss: float | None = None
    trajectory: float | None = None
    fp32_distance: float | None = None
    travelled: float | None = None
    attempts: int | None = None
    skipped: int | None = None
    flops: float | None = None
    half_share: float | None = None
    final_scale: float | None = None
    aligned: float | None = None
    breaches: tuple[Breach, ...] = ()
    peak_bytes: int | None = None
    unsupported: str = ""
    output: str = ""
    curve: Curve = Curve()


def measure(
    runner: Runner, spec: ScenarioSpec, inputs: Inputs, execution: Execution, reference: Path | None
) -> Measurement:
    """Judge what an execution left, against the fp32 reference's folder (None where this is it). Raises InfraError."""
    figures: dict[str, Any] = {"output": output_tail(execution.output)}
    account, ended = _ending(spec, execution)
    if account is not None:
        figures |= _self_reported(runner, spec, account)
    with ThreadPoolExecutor(1) as beside:  # the judge is another process: the record is replayed while it computes
        judged = beside.submit(runner.judge, inputs, execution.folder, reference) if ended is None else None
        figures |= _recorded(execution.folder / EVENTS)
        if judged is not None:
            figures |= _judged(judged.result())
    return Measurement(seed=inputs.seed, isolation=execution.isolation, wall_s=execution.wall_s, ended=ended, **figures)


def _ending(spec: ScenarioSpec, execution: Execution) -> tuple[Account | None, Problem | None]:
    """The run's account where it left one, and why the run did not end as it should."""
    if execution.outcome in _ENDINGS:
        return None, Problem(cause=_ENDINGS[execution.outcome], detail=execution.detail)
    if not execution.complete:
        return None, Problem(cause="ended_early", detail=execution.detail)
    try:
        account = read_account(execution.folder / SUMMARY)
    except Malformed as error:
        return None, Problem(cause="malformed_output", detail=str(error))
    if account.failure is not None:
        failure = account.failure
        place = f" ({failure.place})" if failure.place else ""
        cause = "memory" if failure.type == "MemoryError" or _ALLOCATION_FAILED in failure.message else "crashed"
        return account, Problem(cause=cause, detail=f"{failure.type}: {failure.message}{place}")
    if not account.completed or execution.exit_code != 0:
        return account, Problem(cause="ended_early", detail=execution.detail)
    if account.batches < spec.steps:
        return account, Problem(cause="fewer_steps", detail=f"{account.batches} of {spec.steps} batches taken")
    return account, None


def _self_reported(runner: Runner, spec: ScenarioSpec, account: Account) -> dict[str, Any]:
    accelerated = runner.gpu.accelerated if runner.gpu else profile_named(spec.device.profile).accelerated & _HALF
    total = sum(account.flops.values())
    half = sum(flops for dtype, flops in account.flops.items() if dtype in accelerated)
    return {
        "attempts": account.attempts,
        "skipped": account.skipped,
        "flops": total,
        "half_share": half / total if total else None,
        "final_scale": account.final_scale,
        "aligned": account.aligned,
        "peak_bytes": account.peak_bytes,
        "curve": account.curve,
        "unsupported": account.failure.message if account.failure and account.failure.unsupported else "",
    }


def _recorded(events: Path) -> dict[str, Any]:
    try:
        return {"breaches": read_breaches(events)}
    except Malformed as error:
        return {"events": Problem(cause="malformed_events", detail=one_line(str(error)))}


def _judged(found: dict[str, Any]) -> dict[str, Any]:
    problem = Problem(cause=found["problem"], detail=one_line(found["detail"])) if found["problem"] else None
    names = ("loss", "trajectory", "fp32_distance", "travelled")
    return {"weights": problem, **{name: found.get(name) for name in names}}
