"""Exceptions that mixed precision raises, by the words torch uses, and the rules they belong to."""

from __future__ import annotations

import re

CAUSES: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), code)
    for pattern, code in (
        (r"binary_cross_entropy and .*unsafe to autocast", "AMP403"),
        (r"cannot be converted to type (c10|at)::(Half|BFloat16) without overflow", "AMP405"),
        (r"Closure use is not currently supported if GradScaler is enabled", "AMP119"),
        (r"No module named 'apex", "AMP603"),
        (r"source state dict is empty, possibly because it was saved from a disabled instance", "AMP203"),
        (r"Attempting to unscale FP16 gradients", "AMP301"),
        (r"has no attribute 'custom_fwd'", "AMP604"),
    )
)
"""Checked against torch 2.4 to 2.13: these messages have not changed."""

DTYPES_MEET = re.compile(
    r"(same dtype|expected scalar type|dtype.* but (got|found)).*(Half|BFloat16|Float|float|c10::)", re.DOTALL
)
"""Two dtypes meet in one op: an op outside of a region, or in a custom Function that autocast does not reach."""


def code_of(message: str, in_function: bool) -> str:
    """The rule an exception's message belongs to, "" for none. `in_function`: raised inside an autograd.Function."""
    for pattern, code in CAUSES:
        if pattern.search(message):
            return code
    if DTYPES_MEET.search(message):
        return "AMP408" if in_function else "AMP303"
    return ""
