"""The checks that a scenario may ask for, and their thresholds.

A threshold's meaning is written here once; whether it separates right from wrong is measured by `suite --calibrate`.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from ampfix.lab.models import Model


class Required(Model):
    required: bool = True


class Runs(Required):
    """The loop ends by itself, in time, and leaves well-formed weights."""

    name: Literal["runs"] = "runs"


class Converges(Required):
    """Held-out loss between the fp32 reference's (0) and the broken loop's (1), median over seeds.

    rel_tol bounds the excess over the reference's loss where the broken loop's is not finite, or so close to the
    reference's that max_gap of the difference is smaller: the larger of the two bounds holds.
    """

    name: Literal["converges"] = "converges"
    max_gap: float = Field(default=0.25, gt=0, lt=1)
    rel_tol: float = Field(default=0.05, gt=0)


class Trajectory(Required):
    """Distance of the early snapshot to the fp32 reference's over what that one travelled, median over seeds."""

    name: Literal["trajectory"] = "trajectory"
    max_distance: float = Field(default=0.13, gt=0)


class NotFp32(Required):
    """Distance of the final weights to the fp32 reference's over the distance those travelled, median over seeds.

    fp32 loops that only order their additions differently come within about 1e-6; half precision differs by its
    rounding, 1e-4 and more.
    """

    name: Literal["not_fp32"] = "not_fp32"
    min_distance: float = Field(default=1e-5, ge=0)


class HalfPrecision(Required):
    """Share of matmul and convolution FLOPs in a dtype that the device profile accelerates, median over seeds.

    max_share is for models on which half precision costs more than it gives.
    """

    name: Literal["half_precision"] = "half_precision"
    min_share: float = Field(default=0.4, ge=0, le=1)
    max_share: float = Field(default=1.0, ge=0, le=1)


class Aligned(Required):
    """Share of half-precision matrix products, by FLOPs, whose sizes are multiples of 8; median over seeds."""

    name: Literal["aligned"] = "aligned"
    min_share: float = Field(default=0.5, gt=0, le=1)


class Protocol(Required):
    """Recorded events break none of these rules (default: the scenario's own)."""

    name: Literal["protocol"] = "protocol"
    rules: tuple[str, ...] = ()


class SkippedSteps(Required):
    """Skipped over attempted optimizer steps, median over seeds."""

    name: Literal["skipped_steps"] = "skipped_steps"
    max_share: float = Field(default=0.1, ge=0, lt=1)


class Speedup(Required):
    """Full-step time of IEEE fp32 over the answer's. Measured on CUDA alone.

    min_ratio: by device class, what the interval's lower end must reach there. A class that is not listed has not been
    measured yet: the figure is reported, and not required. rel_tol: excess of the timed runs' held-out loss over the
    timed fp32 runs', beyond which they did other work.
    """

    name: Literal["speedup"] = "speedup"
    required: bool = False
    min_ratio: dict[str, Annotated[float, Field(gt=0)]] = {}
    rel_tol: float = Field(default=0.05, gt=0)


class Memory(Required):
    """Peak allocated memory over the fp32 reference's, median over seeds. Measured on CUDA alone.

    max_ratio: by device class, as `Speedup.min_ratio`.
    """

    name: Literal["memory"] = "memory"
    required: bool = False
    max_ratio: dict[str, Annotated[float, Field(gt=0)]] = {}


CheckSpec = Annotated[
    Runs | Converges | Trajectory | NotFp32 | HalfPrecision | Aligned | Protocol | SkippedSteps | Speedup | Memory,
    Field(discriminator="name"),
]
