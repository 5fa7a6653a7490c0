"""What a measured gain means for the choice of a precision."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ampfix.hardware.profile.arms import COMPILED, FLOAT32, TF32
from ampfix.hardware.profile.results import Gain
from ampfix.lab.timing import CLAIM_FROM, NOISY, TOO_NOISY, ratio

BANDS = (
    (2.5, "excellent", "use it"),
    (1.5, "good", "use it"),
    (1.1, "modest", "worth it only if training stays as good: check with `ampfix watch` first"),
    (0.0, "none", "stay with what it is compared with"),
)
"""From which speedup on a band holds: the matrix that guides to mixed precision give."""
_MODEST = BANDS[-2][0]


def gains(times: Mapping[str, Sequence[float]]) -> tuple[Gain, ...]:
    """Every arm against its bases: float32, TF32 for halves, and its own eager self for what is compiled.

    times: milliseconds of each pass by arm; all arms ran in each pass.
    """
    pairs = ((arm, base) for arm in times for base in _bases(arm) if base in times)
    return tuple(_gain(arm, base, times[arm], times[base]) for arm, base in pairs)


def _bases(arm: str) -> tuple[str, ...]:
    if arm == FLOAT32:
        return ()
    eager = (arm.removesuffix(COMPILED),) if arm.endswith(COMPILED) else ()
    others = (FLOAT32,) if arm in (TF32, FLOAT32 + COMPILED) else (FLOAT32, TF32)
    return tuple(dict.fromkeys((*others, *eager)))


def _gain(arm: str, base: str, passes: Sequence[float], others: Sequence[float]) -> Gain:
    measured = ratio(others, passes)
    if measured.noise >= TOO_NOISY:
        return Gain(arm=arm, base=base, ratio=measured, claimed=False, band="too noisy", advice="measure again, alone")
    claimed = measured.low > CLAIM_FROM
    band, do = next((name, advice) for least, name, advice in BANDS if measured.ratio >= least)
    if not claimed and measured.ratio >= _MODEST:
        band, do = "none", "no gain is shown: measure longer"
    if band == "none" and measured.ratio < _MODEST:
        do = f"stay with {base}"
    return Gain(arm=arm, base=base, ratio=measured, claimed=claimed, band=band, advice=do)


def verdict(found: Sequence[Gain], reasons: Mapping[str, str]) -> str:
    """One sentence: the precision to train in, by what was measured. reasons: arms that were not."""
    eager = [gain for gain in found if gain.base == FLOAT32 and not gain.arm.endswith(COMPILED) and gain.claimed]
    if not found:
        return f"no two precisions could be compared: {next(iter(reasons.values()), 'nothing was measured')}"
    if not eager:
        noisy = any(gain.band == "too noisy" for gain in found)
        return "the times spread too much to conclude anything" if noisy else "no precision is shown to be faster"
    best = max(eager, key=lambda gain: gain.ratio.low)
    warning = " (the times are noisy)" if best.ratio.noise >= NOISY else ""
    left = f"; not measured: {', '.join(reasons)}" if reasons else ""
    return f"{best.arm} is {best.ratio} as fast as fp32, gain {best.band}: {best.advice}{warning}{left}"
