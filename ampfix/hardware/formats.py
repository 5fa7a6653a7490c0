"""The number formats of mixed precision: ranges and precision, computed from their bits."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Format:
    """A binary floating-point format with one sign bit, and subnormals.

    ieee: the largest exponent is kept for infinities and NaN. Otherwise, as in OCP's e4m3, only the bit pattern of all
    ones is NaN and there is no infinity (OCP 8-bit Floating Point Specification, revision 1.0).
    stored: bits in memory, where that is more than the bits used: TF32 is how tensor cores read float32.
    """

    name: str
    exponent_bits: int
    mantissa_bits: int
    ieee: bool = True
    stored: int = 0

    @property
    def bits(self) -> int:
        return self.stored or 1 + self.exponent_bits + self.mantissa_bits

    @property
    def bias(self) -> int:
        return (1 << (self.exponent_bits - 1)) - 1

    @property
    def largest(self) -> float:
        top = (1 << self.exponent_bits) - 1 - self.bias
        if self.ieee:
            return math.ldexp(2 - math.ldexp(1.0, -self.mantissa_bits), top - 1)
        return math.ldexp(2 - math.ldexp(1.0, 1 - self.mantissa_bits), top)

    @property
    def smallest_normal(self) -> float:
        return math.ldexp(1.0, 1 - self.bias)

    @property
    def smallest_subnormal(self) -> float:
        return math.ldexp(self.smallest_normal, -self.mantissa_bits)

    @property
    def epsilon(self) -> float:
        """The step from 1 to the next number."""
        return math.ldexp(1.0, -self.mantissa_bits)

    @property
    def digits(self) -> float:
        """Decimal digits, log10(2 ** (mantissa bits + 1))."""
        return (self.mantissa_bits + 1) * math.log10(2)

    @property
    def integers_up_to(self) -> int:
        """Up to this every integer has a number of its own."""
        return 1 << (self.mantissa_bits + 1)

    def figures(self) -> dict[str, float | int | str]:
        """JSON-able."""
        return {
            "name": self.name,
            "bits": self.bits,
            "exponent_bits": self.exponent_bits,
            "mantissa_bits": self.mantissa_bits,
            "largest": self.largest,
            "smallest_normal": self.smallest_normal,
            "smallest_subnormal": self.smallest_subnormal,
            "epsilon": self.epsilon,
            "digits": round(self.digits, 1),
            "integers_up_to": self.integers_up_to,
        }


FORMATS = (
    Format("float32", 8, 23),
    Format("tfloat32", 8, 10, stored=32),
    Format("float16", 5, 10),
    Format("bfloat16", 8, 7),
    Format("float8_e4m3fn", 4, 3, ieee=False),
    Format("float8_e5m2", 5, 2),
)
