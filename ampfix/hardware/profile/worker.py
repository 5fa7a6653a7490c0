"""Runs a script once in one precision, timed, and leaves the figures in a file: `python -m` this module.

The time of a step is that between two attempts at one by the optimizer that steps most often: everything the loop does,
loading of data included.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

import torch
from torch.amp.grad_scaler import GradScaler
from torch.optim.optimizer import register_optimizer_step_post_hook

from ampfix import atomic
from ampfix.emulate.patches import Patches
from ampfix.hardware.place import here
from ampfix.hardware.profile import override, peak_memory
from ampfix.hardware.profile.arms import arms
from ampfix.hardware.profile.census import StepCensus
from ampfix.hardware.watching import Script, run_under
from ampfix.watch.monitor import TraceDone

AS_WRITTEN = "as-written"


class Clock:
    """Ends a script by TraceDone once one optimizer was stepped `warm_up + steps` times.

    A step that a scaler skips counts: its optimizer is not called, but its work was done. With a census, the last step
    of the warm-up is counted op by op.
    """

    def __init__(self, warm_up: int, steps: int, census: StepCensus | None) -> None:
        self._warm_up, self._steps, self._census = warm_up, steps, census
        self._patches = Patches()
        self._stepped: set[int] = set()
        self.attempts: dict[int, int] = {}
        self.began: float | None = None
        self.timed = 0
        self.seconds = 0.0

    def __enter__(self) -> Clock:
        handle = register_optimizer_step_post_hook(self._after_step)
        self._patches.on_undo(handle.remove)
        self._patches.set(GradScaler, "step", self._scaler_step(GradScaler.step))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._patches.undo()
        if self._census is not None and self._census.running:
            self._census.stop()

    def _after_step(self, optimizer: Any, _args: Any, _kwargs: Any) -> None:
        self._stepped.add(id(optimizer))
        self._attempted(optimizer)

    def _scaler_step(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def step(scaler: Any, optimizer: Any, *args: Any, **kwargs: Any) -> Any:
            self._stepped.discard(id(optimizer))
            result = original(scaler, optimizer, *args, **kwargs)
            if id(optimizer) not in self._stepped:
                self._attempted(optimizer)
            return result

        return step

    def _attempted(self, optimizer: Any) -> None:
        count = self.attempts[id(optimizer)] = self.attempts.get(id(optimizer), 0) + 1
        if count < max(self.attempts.values()):
            return
        if self._census is not None and count == self._warm_up - 1:
            self._census.start()
        elif count == self._warm_up:
            if self._census is not None:
                self._census.stop()
            self.began = _now()
        elif count >= self._warm_up + self._steps:
            self._read(count)
            raise TraceDone

    def _read(self, count: int) -> None:
        assert self.began is not None
        self.timed, self.seconds = count - self._warm_up, _now() - self.began

    def finish(self) -> None:
        """The script ended by itself: what was timed until then counts."""
        count = max(self.attempts.values(), default=0)
        if self.began is not None and not self.timed and count > self._warm_up:
            self._read(count)


def _now() -> float:
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return time.perf_counter()


def _peak() -> tuple[int | None, str]:
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated(), peak_memory.ALLOCATOR
    try:
        import resource
    except ImportError:
        return None, "not known on this system"
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit, peak_memory.PROCESS


def run(script: Script, arm: str, warm_up: int, steps: int, *, count_ops: bool) -> dict[str, Any]:
    """Figures of one run, JSON-able. problem: why it says nothing of its arm; empty where it does."""
    census = StepCensus() if count_ops else None
    clock = Clock(warm_up, steps, census)
    problem = ""
    if arm == AS_WRITTEN:
        code = run_under(script, clock)
    else:
        chosen = next(one for one in arms() if one.name == arm)
        with override.precision(chosen, here().kind) as regions:
            code = run_under(script, clock)
        problem = regions.problem(chosen)
    clock.finish()
    attempts = max(clock.attempts.values(), default=0)
    if not clock.timed:
        problem = problem or f"it ended with {code} after {attempts} steps; {warm_up} are warm-up: see --warm-up"
    peak, source = _peak()
    result = census.result(arm).model_dump(mode="json") if census is not None else None
    calls = [[vars(call), count] for call, count in census.calls.items()] if census is not None else None
    return {
        "problem": problem, "step_ms": clock.seconds / clock.timed * 1e3 if clock.timed else None, "steps": clock.timed,
        "peak_bytes": peak, "memory_from": source, "census": result, "calls": calls,
    }  # fmt: skip


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--arm", required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--warm-up", type=int, required=True)
    parser.add_argument("--steps", type=int, required=True)
    parser.add_argument("--census", action="store_true")
    parser.add_argument("--module", action="store_true")
    parser.add_argument("words", nargs=argparse.REMAINDER)
    args = parser.parse_args()
    words = args.words[1:] if args.words[:1] == ["--"] else args.words
    script = Script(words[0], tuple(words[1:]), args.module)
    found = run(script, args.arm, args.warm_up, args.steps, count_ops=args.census)
    atomic.write(args.out, json.dumps(found).encode())
    return 0


if __name__ == "__main__":
    sys.exit(main())
