"""What `ampfix profile` found out, as documents."""

from __future__ import annotations

from ampfix.lab.models import Document, Model
from ampfix.lab.timing import Ratio

MEASURED, NOT_MEASURED = "measured", "not_measured"


class ArmTime(Model):
    """One precision. passes: milliseconds a step, the median of each pass. reason: why it was not measured.

    peak_bytes: at most so many bytes of tensors at once during a step; memory_from says how that is known.
    """

    arm: str
    status: str
    reason: str = ""
    passes: tuple[float, ...] = ()
    step_ms: float | None = None
    spread: float | None = None
    peak_bytes: int | None = None
    memory_from: str = ""


class Gain(Model):
    """An arm's speed over a base's. band: of the decision matrix. claimed: whether the interval's lower end lies above
    the least that counts as a gain; no band but "none" holds without it."""

    arm: str
    base: str
    ratio: Ratio
    claimed: bool
    band: str
    advice: str


class Cast(Model):
    """Conversions between two dtypes in one step, and the bytes they read and write."""

    source: str
    target: str
    count: int
    bytes: int


class OpWork(Model):
    """Calls of one op in one dtype in one step. flops: multiply-adds count as two."""

    op: str
    dtype: str
    calls: int
    flops: int
    bytes: int


class Product(Model):
    """Half-precision matrix products of one shape (rows, inner, columns) that are not multiples of 8.

    gain: of the same product padded to them, on this device; reason: why that was not measured.
    """

    module: str
    dtype: str
    shape: tuple[int, int, int]
    calls: int
    gain: Ratio | None = None
    reason: str = ""


class Bound(Model):
    """The least time a step of an arm can take on a device: each op at the speed of its arithmetic or of memory.

    memory_share: how much of that time is the memory's. reached: bound over measured time, None where not measured.
    """

    arm: str
    device: str
    bound_ms: float
    memory_share: float
    reached: float | None = None


class Census(Model):
    """What one step of an arm consists of."""

    arm: str
    work: tuple[OpWork, ...]
    casts: tuple[Cast, ...]
    products: tuple[Product, ...] = ()


class Kernels(Model):
    """Whether an arm's kernels ran on tensor cores. share: of the GPU's time; names: the busiest, tensor core first."""

    arm: str
    status: str
    reason: str = ""
    share: float | None = None
    names: tuple[str, ...] = ()


class Rate(Model):
    """One square or odd matrix product. layout: N or T for each operand, as BLAS says it."""

    dtype: str
    layout: str
    shape: tuple[int, int, int]
    tflops: float | None = None
    reason: str = ""


class Conditions(Model):
    """What else may have moved the figures. throttled: reasons the driver gave; None where it cannot be asked."""

    device: str
    threads: int
    torch: str
    load: float | None = None
    drift: float | None = None
    throttled: tuple[str, ...] | None = None
    clocks_mhz: tuple[float, float] | None = None
    warnings: tuple[str, ...] = ()


class Profile(Document):
    """target: as it was named on the command line. parameters: None where the model is not known. whole_script: whether
    a step's time is that of a script's own loop, loading of data included."""

    target: str
    whole_script: bool
    parameters: int | None = None
    conditions: Conditions
    arms: tuple[ArmTime, ...] = ()
    gains: tuple[Gain, ...] = ()
    verdict: str = ""
    bounds: tuple[Bound, ...] = ()
    census: tuple[Census, ...] = ()
    kernels: tuple[Kernels, ...] = ()
    rates: tuple[Rate, ...] = ()
    notes: tuple[str, ...] = ()
