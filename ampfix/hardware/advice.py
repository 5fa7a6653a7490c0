"""Which dtype to train in on a device, and with what settings: it follows from what its tensor cores multiply."""

from __future__ import annotations

from dataclasses import dataclass, field

TINY_PARAMETERS = 1_000_000
"""Below this a step is launch overhead and casts; rule AMP504 warns of the same."""

_BFLOAT16, _FLOAT16, _TF32 = "bfloat16", "float16", "tfloat32"


@dataclass(frozen=True)
class Traits:
    """What is known of the model. parameters: None where there is none."""

    parameters: int | None = None
    has_complex: bool = False
    is_scientific: bool = False
    has_float16_checkpoint: bool = False


@dataclass(frozen=True)
class Advice:
    """dtype: of the autocast region, "float32" for none. scaler: whether a GradScaler is needed. confidence: "high",
    "medium" or "low". exclusions: what was left out, and why."""

    dtype: str
    scaler: bool
    tf32: bool
    confidence: str
    reasons: tuple[str, ...]
    exclusions: tuple[str, ...] = field(default=())

    @property
    def headline(self) -> str:
        """The advice in a few words."""
        if self.dtype == "float32":
            return "float32, without autocast"
        return f"autocast in {self.dtype}, {'with' if self.scaler else 'without'} a GradScaler"

    @property
    def settings(self) -> tuple[str, ...]:
        """What to write, as lines of Python."""
        lines = ['torch.set_float32_matmul_precision("high")'] if self.tf32 else []
        if self.dtype != "float32":
            lines.append(f'autocast = torch.autocast("cuda", dtype=torch.{self.dtype})')
        if self.scaler:
            lines.append('scaler = torch.amp.GradScaler("cuda")')
        return tuple(lines)


def advise(device: str, accelerated: frozenset[str], traits: Traits) -> Advice:
    """Advice for a device whose tensor cores multiply the dtypes `accelerated`."""
    exclusions = _exclusions(device, accelerated)
    tf32 = _TF32 in accelerated and not traits.is_scientific
    if traits.has_complex:
        reason = "complex numbers have no autocast: their ops run as they are, or raise"
        return Advice("float32", False, tf32, "high", (reason,), exclusions)
    if traits.is_scientific:
        reason = "results are wanted to more digits than half formats hold (3.3 in float16, 2.4 in bfloat16)"
        return Advice("float32", False, False, "medium", (reason,), exclusions)
    if not accelerated & {_BFLOAT16, _FLOAT16}:
        return Advice("float32", False, tf32, "high", (f"{device} has no fast half arithmetic",), exclusions)
    tiny = traits.parameters is not None and traits.parameters < TINY_PARAMETERS
    if tiny:
        reason = f"{traits.parameters:,} parameters: a step is mostly launches and casts, which autocast adds to"
        return Advice("float32", False, tf32, "medium", (reason,), exclusions)
    confidence = "high" if traits.parameters is not None else "medium"
    if _BFLOAT16 in accelerated:
        reasons = [
            f"{device} multiplies bfloat16 at full speed, and its range is float32's: no loss scale is needed",
            "guard against a bad batch yourself: no scaler skips it",
        ]
        if traits.has_float16_checkpoint:
            reasons.append("weights trained in float16 lose three bits when they are run in bfloat16: evaluate again")
        return Advice(_BFLOAT16, False, tf32, confidence, tuple(reasons), exclusions)
    reason = f"{device} multiplies float16 at full speed; gradients below 6e-8 vanish there without a GradScaler"
    return Advice(_FLOAT16, True, tf32, confidence, (reason,), exclusions)


def _exclusions(device: str, accelerated: frozenset[str]) -> tuple[str, ...]:
    told = []
    if _BFLOAT16 not in accelerated:
        told.append(
            f"bfloat16: {device} emulates it, slower than float32; torch.cuda.is_bf16_supported() may still say yes"
        )
    if "float8_e4m3fn" in accelerated:
        told.append("float8: autocast does not use it; it needs scaled matrix products of their own")
    return tuple(told)
