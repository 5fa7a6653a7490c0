"""AMP207."""

from __future__ import annotations

import ast
import math
from collections.abc import Iterator

from ampfix.findings import Applicability, Finding, Repair, Severity
from ampfix.program import ScalerBuilt, Source
from ampfix.rules import _places as places
from ampfix.rules._base import Invalid, Rule

_DEFAULTS = {"init_scale": 65536.0, "growth_factor": 2.0, "backoff_factor": 0.5, "growth_interval": 2000.0}

# Measured: a two-layer network under CUDA's op policy, 400 steps, 2 seeds, its scale settling near 2^17. Share of steps
# skipped in the second half, by growth_interval with torch's factors: 1 0.50, 2 0.33, 5 0.16, 10 0.08, 20 0.045,
# 50 0.02, 100 0.005, 200 and 2000 0.00: about k / (interval + k), k skips undoing one growth. With growth_interval 20
# and backoff_factor 0.9 0.13, 0.99 0.34-0.51.
_MOST_SKIPPED = 0.05
# Steps skipped before the first one is applied, by log2(init_scale): 20 4, 24 7, 28 11, 32 15, 40 23, 60 43, 127 110;
# at 24 with backoff_factor 0.9 42. 2^32 is what large language models start from, so that many must pass.
_MOST_SKIPPED_AT_FIRST = 20.0
_SETTLED = 2.0**16
# Held-out error of a network with faint targets after 180 steps, relative to torch's defaults, by init_scale: 1 6.4
# (nothing learnt, as without a scaler), 4 1.9, 16 1.09, 32 1.03, 64 1.01, 128 and more 1.00.
_SMALLEST, _ENOUGH = 16.0, 128.0
# Clean steps in which the scale regains what one overflow cost: 2000 with torch's defaults.
_MOST_STEPS_TO_REGAIN = 20_000.0


class BadScalerConfig(Rule):
    """A GradScaler's settings make the scale thrash or stall.

    ## What it does
    Works out how the scale moves under the numbers given to GradScaler, and reports settings with which it skips more
    than one step in twenty for good, skips more than twenty steps at the start, begins too low to help and climbs too
    slowly, or needs more than 20,000 clean steps to regain what one overflow cost. So does a factor that torch refuses.

    ## Why is this bad
    Each growth ends in an overflow and a skipped step, so growing every few steps, or backing off by little, skips a
    large part of them. A scale that starts near 1 leaves small gradients at zero until it has grown, which takes
    `growth_interval` clean steps for each doubling.

    ## Example
    ```python
    scaler = torch.amp.GradScaler("cuda", growth_interval=2)
    ```

    ## Use instead
    ```python
    scaler = torch.amp.GradScaler("cuda")
    ```

    ## Fix safety
    Unsafe: the repair returns to torch's default for the setting at fault, which changes when the scale moves.

    ## References
    - https://pytorch.org/docs/stable/amp.html#torch.amp.GradScaler
    """

    code, name, severity = "AMP207", "bad-scaler-config", Severity.WARNING
    fix = Applicability.UNSAFE
    scenarios = ("initial-scale-too-large", "thrashing-scaler")
    mentions = (
        ("GradScaler", "init_scale"),
        ("GradScaler", "growth_"),
        ("GradScaler", "backoff_factor"),
        ("GradScaler", "GradScaler("),
    )

    VALID = (
        """\
import torch

scaler = torch.amp.GradScaler("cuda", init_scale=2.0**14, growth_interval=100)
""",
        """\
import torch

WINDOW = 1000
scaler = torch.cuda.amp.GradScaler(128.0, growth_interval=WINDOW, backoff_factor=0.25)
""",
    )
    INVALID = (
        Invalid(
            """\
import torch

scaler = torch.amp.GradScaler("cuda", growth_interval=2, enabled=True)
""",
            """\
import torch

scaler = torch.amp.GradScaler("cuda", enabled=True)
""",
        ),
        Invalid(
            """\
import torch

scaler = torch.amp.GradScaler("cuda", init_scale=1.0)
""",
            """\
import torch

scaler = torch.amp.GradScaler("cuda")
""",
        ),
        Invalid(
            """\
import torch

scaler = torch.amp.GradScaler("cuda", backoff_factor=2)
""",
            """\
import torch

scaler = torch.amp.GradScaler("cuda")
""",
        ),
    )

    def check(self, source: Source) -> Iterator[Finding]:
        for scaler in source.scalers:
            if _is_for_a_test(places.function_of(scaler.node, source)):
                continue
            values = _values(scaler, source)
            found = fault(**values) if values is not None else None
            if found is not None:
                culprit, message = found
                node = (scaler.arguments or {}).get(culprit, scaler.node)
                yield self.finding(
                    source,
                    source.span(node),
                    message,
                    repair=Repair(
                        "default_setting",
                        Applicability.UNSAFE,
                        f"Leave {culprit} at torch's default, {_DEFAULTS[culprit]:g}",
                        source.span(scaler.node),
                        {"value": source.segment(node), "keyword": culprit},
                    ),
                )


def _is_for_a_test(function: ast.AST | None) -> bool:
    """Whether a function is a test, or makes what tests use."""
    decorators = map(ast.unparse, getattr(function, "decorator_list", ()))
    return getattr(function, "name", "").startswith("test_") or any("fixture" in one for one in decorators)


def _values(scaler: ScalerBuilt, source: Source) -> dict[str, float] | None:
    """The four numbers in effect; None where nothing is set, or something that is set is not known."""
    given = {name: node for name, node in (scaler.arguments or {}).items() if name in _DEFAULTS}
    known = {name: source.number(node) for name, node in given.items()}
    if not known or any(value is None for value in known.values()):
        return None
    return _DEFAULTS | {name: value for name, value in known.items() if value is not None}


def fault(
    init_scale: float, growth_factor: float, backoff_factor: float, growth_interval: float
) -> tuple[str, str] | None:
    """The setting at fault and what it does, None where the scale moves as it should."""
    scale, growth, backoff, interval = init_scale, growth_factor, backoff_factor, growth_interval
    if growth <= 1.0:
        return "growth_factor", f"growth_factor is {growth:g}, and torch raises unless it is above 1"
    if not 0.0 < backoff < 1.0:
        return "backoff_factor", f"backoff_factor is {backoff:g}, and torch raises unless it is below 1"
    if scale <= 0 or not math.isfinite(scale) or interval <= 0:
        return None
    fall, rise = -math.log2(backoff), math.log2(growth)
    return (
        _thrashing(rise / fall, interval, backoff)
        or _starting(scale, fall, rise, interval)
        or _stalling(interval * fall / rise, growth, backoff, interval)
    )


def _thrashing(skips: float, interval: float, backoff: float) -> tuple[str, str] | None:
    share = skips / (interval + skips)
    if share <= _MOST_SKIPPED:
        return None
    culprit = "backoff_factor" if backoff > _DEFAULTS["backoff_factor"] and skips > 1 else "growth_interval"
    return culprit, (
        f"the scale grows every {interval:g} clean steps and each growth costs {skips:.0f} skipped: "
        f"up to {share:.0%} of all steps are skipped"
    )


def _starting(scale: float, fall: float, rise: float, interval: float) -> tuple[str, str] | None:
    skipped = math.log2(scale / _SETTLED) / fall
    if skipped > _MOST_SKIPPED_AT_FIRST:
        return (
            "init_scale",
            f"from an init_scale of {scale:g} about {skipped:.0f} steps are skipped before one is applied",
        )
    steps = interval * math.log2(_ENOUGH / scale) / rise
    if scale < _SMALLEST and steps > _DEFAULTS["growth_interval"]:
        return "init_scale", (
            f"an init_scale of {scale:g} leaves small gradients at zero, and needs {steps:.0f} clean steps to reach "
            f"{_ENOUGH:g}"
        )
    return None


def _stalling(steps: float, growth: float, backoff: float, interval: float) -> tuple[str, str] | None:
    if steps <= _MOST_STEPS_TO_REGAIN:
        return None
    ratios = {
        "growth_interval": interval / _DEFAULTS["growth_interval"],
        "growth_factor": math.log(_DEFAULTS["growth_factor"]) / math.log(growth),
        "backoff_factor": math.log(backoff) / math.log(_DEFAULTS["backoff_factor"]),
    }
    culprit = max(ratios, key=lambda name: ratios[name])
    return (
        culprit,
        f"after one overflow the scale needs {steps:.0f} clean steps to return, so it practically only falls",
    )
