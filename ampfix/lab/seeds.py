"""Secret seeds: one random secret for each grading, and the seeds of its runs derived from it."""

from __future__ import annotations

import hashlib
import secrets

_BITS = 48  # fits every generator and JSON's exact integers


def new_secret() -> str:
    """63 random bits, as hexadecimal."""
    return f"{secrets.randbits(63):016x}"


def run_seed(secret: str, scenario_id: str, index: int) -> int:
    """The seed of one run: the first 48 bits of SHA-256 over secret, scenario and index."""
    digest = hashlib.sha256(f"{secret}/{scenario_id}/{index}".encode()).digest()
    return int.from_bytes(digest[: _BITS // 8], "big")
