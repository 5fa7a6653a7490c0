"""Where the time of a watched step goes: microseconds of watch's own work, by part.

    python benchmarks/watch_budget.py [--steps 120]

Runs the loop of watch_overhead.py with a clock around each wrapper of torch's functions and around the parts below. A
clock stands still while another one runs, or torch's own function does. The clocks themselves are in what they show, 1
to 4 us a call. What ops cost in steps that are counted or looked at happens inside torch, and is not seen here: the
last line tells it by the difference of steps.
"""

from __future__ import annotations

import argparse
import functools
import itertools
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import torch

from ampfix.watch import Watch, clipping, gradients
from ampfix.watch.bad_ops import BadOps
from ampfix.watch.clipping import ClipOracle
from ampfix.watch.health import Health
from ampfix.watch.journal import Journal
from ampfix.watch.judge import Judge
from ampfix.watch.log import Log
from ampfix.watch.monitor import Watch as Monitor
from ampfix.watch.optimizers import OptimizerObserver
from ampfix.watch.patches import Patches
from ampfix.watch.position import Locator
from ampfix.watch.setting import Setting
from ampfix.watch.usage import GradientUse
from benchmarks.watch_overhead import model, training

_PARTS: dict[str, tuple[tuple[Any, str], ...]] = {
    "positions in the code": ((Locator, "__call__"),),
    "protocol": ((Judge, "__call__"),),
    "record on disk": ((Log, "write"),),
    "norms": ((gradients, "norm"),),
    "fingerprints of gradients": ((gradients, "marks"), (gradients, "arrived"), (gradients, "versions")),
    "optimizers' steps": ((OptimizerObserver, "_nested"), (ClipOracle, "before_step"), (Journal, "attempted")),
    "loop": ((clipping, "_materialise"),),  # parameters() is walked in any case
    "use of gradients": ((GradientUse, "open"), (GradientUse, "settle"), (GradientUse, "close")),
    "health and settings": ((Health, "__call__"), (Setting, "stepped"), (BadOps, "end")),
    "other listeners": ((Monitor, "_event"), (Monitor, "_stepped")),
}


class Ledger:
    """Exclusive seconds by part."""

    def __init__(self) -> None:
        self.spent: Counter[str] = Counter()
        self.calls: Counter[str] = Counter()
        self._open = ["loop"]
        self._since = time.perf_counter()

    def _switch(self) -> None:
        now = time.perf_counter()
        self.spent[self._open[-1]] += now - self._since
        self._since = now

    def around(self, part: str, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def clocked(*args: Any, **kwargs: Any) -> Any:
            self._switch()
            self._open.append(part)
            self.calls[part] += 1
            try:
                return function(*args, **kwargs)
            finally:
                self._switch()
                self._open.pop()

        return clocked

    def take(self) -> tuple[Counter[str], Counter[str]]:
        """What was spent since the last call, and the calls."""
        self._switch()
        spent, self.spent = self.spent, Counter()
        calls, self.calls = self.calls, Counter()
        return spent, calls


def install(ledger: Ledger) -> None:
    for part, functions in _PARTS.items():
        for owner, name in functions:
            setattr(owner, name, ledger.around(part, vars(owner)[name]))
    wrap = Patches._wrapper

    def _wrapper(patches: Patches, original: Callable[..., Any], replacement: Callable[..., Any]) -> Callable[..., Any]:
        owner = type(getattr(getattr(replacement, "func", replacement), "__self__", None)).__name__
        clocked = ledger.around(f"wrappers: {owner}", replacement)
        return wrap(patches, ledger.around("loop", original), clocked)

    Patches._wrapper = _wrapper  # type: ignore[method-assign]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=120)
    steps = parser.parse_args().steps
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        with Watch(folder):
            list(itertools.islice(training(*model()), 3))
        ledger = Ledger()
        install(ledger)
        net, inputs = model()
        watch, taken, closer = Watch(folder), [], [True]
        with watch:
            ledger.take()
            for _ in itertools.islice(training(net, inputs), steps):
                taken.append(ledger.take())
                closer.append(watch._flops.running or watch._bad_ops._tracer is not None)
    spans = {"first": range(1), "next 23": range(1, 24), "later": range(24, steps)}
    for name, span in spans.items():
        plain = [taken[step] for step in span if name == "first" or not closer[step]]
        print(f"{name} ({len(plain)} steps)")
        parts = sorted({part for spent, _ in plain for part in spent} - {"loop"})
        means = {part: statistics.mean(spent[part] for spent, _ in plain) * 1e6 for part in parts}
        for part, mean in sorted(means.items(), key=lambda item: -item[1]):
            print(f"  {part:32} {mean:8.0f} us, {statistics.mean(calls[part] for _, calls in plain):6.1f} calls")
        print(f"  {'together':32} {sum(means.values()):8.0f} us")
    loop = [spent["loop"] for spent, _ in taken]
    close, quiet = ([loop[step] for step in range(1, steps) if closer[step] is which] for which in (True, False))
    print(f"ops of steps looked at closer: {1e3 * (statistics.median(close) - statistics.median(quiet)):.1f} ms more")


if __name__ == "__main__":
    main()
