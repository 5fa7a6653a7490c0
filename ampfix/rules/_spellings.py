"""How regions and halves are written, for the tests on words that keep most files unparsed.

What begins with `re:` is a regular expression (`Rule.mentions`); those here begin with a plain word, or follow few
characters, so that a search passes over a text in one go.
"""

from __future__ import annotations

import re

# `autocast(enabled=False)`, `autocast(False)`: the argument list of a region that is off.
_OFF = r"\s*\((?:\s*False\b|[^()]*(?:\([^()]*\)[^()]*)*\benabled\s*=\s*False\b)"
# Functions that ask for the state, or set it, are no regions; a helper that opens one says so.
_ASKS = r"(?<!is_autocast)(?<!get_autocast)(?<!set_autocast)"
_HELPER = r"(?:_?\w*(?:ctx|context|scope|region|manager)\w*)?"

AUTOCAST = rf"re:autocast{_ASKS}{_HELPER}\b"
"""autocast itself, or what is named like a helper that opens it: neither a question about it nor a setting."""

REGION_ON: tuple[str, ...] = (
    rf"re:autocast(?<!def autocast){_ASKS}{_HELPER}(?!{_OFF})\s*\(|autocast as \w",
    r"re:(?:[=(@]|\belse|\breturn|\bwith|\blambda:)\s*[\w.]*autocast\b(?!\s*\()|\bwith\s[\w.]*autocast\w*\s*[:,]",
)
"""An autocast region that may be on: a call that does not switch it off, or the class as a value or a decorator."""

IN_STEPS: tuple[str, ...] = ("GradScaler", ".scale(", ".unscale_")
"""Of a step with a scaler, whose regions may be opened by helpers of other files, under any name."""

_HALF = r"torch\.(?:b?float16|half)\b"
_GIVEN = rf"(?:\w\(|(?<![=!<>])=\s*|\belse |\breturn |(?<!oat16)(?<!oat32)(?<!half), ){_HALF}|{_HALF} if "
HALF_MADE: tuple[tuple[str, ...], ...] = (
    (".half()",),
    (".bfloat16()",),
    *((word, f"re:{_GIVEN}") for word in ("float16", "torch.half")),
)
"""Groups of words: a half dtype that is given to something, neither compared with nor one of a list of dtypes."""

_MODULE = r"\s*[\w.]+\.(?:half\(\)|bfloat16\(\)|to\((?:dtype=)?torch\.\w+\))[ \t]*$"
HALF_TENSOR = rf"re:(?m)^(?!{_MODULE})[^\n]*(?:\.half\(\)|\.bfloat16\(\)|{_GIVEN})"
"""The same, unless it is a statement of its own, which changes a module in place and makes no tensor."""

CASTS: tuple[str, ...] = (
    ".half()",
    ".bfloat16()",
    r"re:\.(?:to|type)\((?!\s*(?:\w+\.)*_?device\s*(?:,\s*non_blocking=\w+\s*)?\)|[\"'])",
)
"""Casts: `half()`, and `to` with more than a device."""

# What a call of autocast takes without raising, by its text alone: a device as a text or as a device's type, and the
# rest by name. The classes of one device take no device; their first argument is a flag.
_NAMED = (
    r"(?:enabled\s*=\s*(?![\"'])(?![\w.]*dtype)[^,()=\"']+|dtype\s*=\s*[\w.]*(?:dtype|float16|half)\b"
    r"|cache_enabled\s*=\s*\w+)\s*"
)
_DEVICE = r"(?:device_type\s*=\s*)?(?:\"\w+\"|'\w+'|[\w.]+\.type\b|[\w.]*device_(?:type|str)\b)\s*"
_GENERAL = rf"\(\s*{_DEVICE}(?:,\s*{_NAMED})*,?\s*\)"
_OF_ONE_DEVICE = rf"\(\s*(?:(?:{_NAMED}|(?:self\.)?(?!\w*dtype)\b[a-zA-Z_]\w*\s*)(?:,\s*{_NAMED})*,?\s*)?\)"
_QUALIFIED = ("torch.", "torch.amp.", "cuda.amp.", "cpu.amp.")
_BARE = r"(?<!\wautocast)(?<!def autocast)" + "".join(rf"(?<!{re.escape(package)}autocast)" for package in _QUALIFIED)


def _not(right: str, which: str) -> str:
    """Calls of autocast, told by what stands before it, with other arguments than these."""
    return rf"autocast{which}\s*(?!{right})\("


_UNCALLED = r"@[\w.]*\bautocast\b(?!\s*\()|\bwith\b[^\n:]*\bautocast\b\s*(?:[:,]|as\b)|autocast as \w"
_WRONG = (
    _not(_GENERAL, r"(?:(?<=torch\.autocast)|(?<=torch\.amp\.autocast))"),
    _not(_OF_ONE_DEVICE, r"(?:(?<=cuda\.amp\.autocast)|(?<=cpu\.amp\.autocast))"),
    _not(rf"{_GENERAL}|{_OF_ONE_DEVICE}", _BARE),
    _UNCALLED,
)
REGION_MISUSED: tuple[tuple[str, ...], ...] = (
    ("autocast", f"re:{'|'.join(_WRONG)}"),
    *(("autocast", where, f"re:{_not(_GENERAL, _BARE)}") for where in ("torch.amp", "torch import")),
    *(("autocast", where, f"re:{_not(_OF_ONE_DEVICE, _BARE)}") for where in ("cuda.amp", "cpu.amp", "import amp")),
    ("autocast", ".scale(", rf"re:autocast{_OFF}"),
)
"""Regions that may be given what they do not take, groups of words: what a bare name is depends on its import."""
