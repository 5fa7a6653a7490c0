"""How regions and halves are written, for the tests on words that keep most files unparsed (`Rule.mentions`)."""

from __future__ import annotations

import re

# `autocast(enabled=False)`, `autocast(False)`: the argument list of a region that is off.
_OFF = r"\s*\((?:\s*False\b|[^()]*(?:\([^()]*\)[^()]*)*\benabled\s*=\s*False\b)"
# Functions that ask for the state, or set it, are no regions; a helper that opens one says so.
_ASKS = r"(?<!is_autocast)(?<!get_autocast)(?<!set_autocast)"
_HELPER = r"(?:_?\w*(?:ctx|context|scope|region|manager)\w*)?"
_ENTERED = r"\bwith\s[\w.]*autocast_\w+\s*\("
_ENTERED_ON = r"\bwith\s[\w.]*autocast_(?!disabled|off)\w+\s*\("  # of a helper that does not say the contrary

AUTOCAST = rf"near:autocast:autocast{_ASKS}{_HELPER}\b|{_ENTERED}"
"""autocast itself, or what is named like a helper that opens it: neither a question about it nor a setting."""

# A region that is entered through a helper of another file: `with amp_context():`.
_HELPED = tuple(
    (rf"near:{word}:\bwith\s(?:[\w.]*[._])?{word}(?![a-z])\w*(?:\.\w+)*\s*\(",) for word in ("amp", "precision")
)

REGION_ELSEWHERE: tuple[tuple[str, ...], ...] = ((r"near:autocast:\bwith\s[^\n]*\b\w*autocast\w*\s*\(",), *_HELPED)
"""A region that is entered, maybe through a helper of another file that says its dtype."""

AMP_WORDS: tuple[tuple[str, ...], ...] = (
    (AUTOCAST,),
    (r"near:GradScaler:GradScaler\b",),
    (".unscale_",),
    ("cuda.amp",),
    ("cpu.amp",),
    ("torch.amp",),
    ("import amp",),
    ("custom_fwd",),
    (".scale(", ".backward("),
    *((*group, ".backward(") for group in _HELPED),
)
"""A file in which none of these groups occurs whole does not use AMP."""

_VALUE = r"(?:[=(@]|\belse|\breturn|\bwith|\blambda:)\s*[\w.]*autocast\b(?!\s*\()|\bwith\s[\w.]*autocast\w*\s*[:,]"
_VALUE = rf"{_VALUE}|{_ENTERED_ON}"
REGION_ON = rf"near:autocast:autocast(?<!def autocast){_ASKS}{_HELPER}(?!{_OFF})\s*\(|autocast as \w|{_VALUE}"
"""An autocast region that may be on: a call that does not switch it off, or the class as a value or a decorator."""

IN_STEPS: tuple[str, ...] = ("GradScaler", ".scale(", ".unscale_")
"""Of a step with a scaler, whose regions may be opened by helpers of other files, under any name."""

# A dtype that is given to something, neither compared with nor one of a list of dtypes.
_BEFORE = r"(?:\w\((?<!finfo\()|(?<![=!<>])=\s*|\belse |\breturn |(?<!oat16)(?<!oat32)(?<!half), )"
_HALF = r"torch\.(?:b?float16|half)\b"
_GIVEN = rf"{_BEFORE}{_HALF}|{_HALF} if "
HALF_GIVEN = f"near:float16:{_GIVEN}"
"""float16 or bfloat16, by these names, where something is made or cast with it."""

HALF_MADE: tuple[str, ...] = (".half()", ".bfloat16()", HALF_GIVEN, f"near:torch.half:{_GIVEN}")
"""A cast to a half, or its dtype where something is made or cast with it."""

HALF_LISTED = r"near:float16:[\"']\s*:\s*torch\.b?float16\b"
"""A half that a table has under a text: `{"bf16": torch.bfloat16}`."""

# A statement of its own changes a module in place and makes no tensor.
_MAKES_NONE = r"\A(?!\s*[\w.]+\.(?:half\(\)|bfloat16\(\)|to\((?:dtype=)?torch\.\w+\))[ \t]*[\r\n])[^\n]*"
HALF_TENSORS: tuple[str, ...] = (
    rf"near:.half():{_MAKES_NONE}\.half\(\)",
    rf"near:.bfloat16():{_MAKES_NONE}\.bfloat16\(\)",
    *(rf"near:{word}:{_MAKES_NONE}(?:{_GIVEN})" for word in ("float16", "torch.half")),
)
"""The same for tensors alone."""

FLOAT16_TENSORS = rf"near:torch.float16:{_MAKES_NONE}(?:{_BEFORE}torch\.float16\b|torch\.float16 if )"
"""float16, by this name, for tensors alone."""

CASTS: tuple[str, ...] = (
    ".half()",
    ".bfloat16()",
    *(
        rf"near:.{method}(:\.{method}\((?!\s*(?:\w+\.)*_?device\s*(?:,\s*non_blocking=\w+\s*)?\)|[\"'])"
        for method in ("to", "type")
    ),
)
"""Casts: `half()`, and `to` with more than a device."""

_FACTORY = r"(?:zeros|ones|tensor|full|empty)"
MAKES_HALF: tuple[str, ...] = (
    "deepcopy",
    "AveragedModel",
    r"near:dtype:\bdtype\s*=\s*(?!torch\.(?:float32|float64|double|float\b|u?int|long|bool))",
    *(rf"near:.{cast}(:\A[^\n]*(?:{_FACTORY}|\sfor\b)" for cast in ("half", "bfloat16", "to", "type")),
)
"""What may be an accumulator in half: a tensor of a dtype, or cast, a copy of a model, a table of casts."""

# What a call of autocast takes without raising, by its text alone: a device as a text or as a device's type, and the
# rest by name. The classes of one device take no device; their first argument is a flag.
_NAMED = (
    r"(?:enabled\s*=\s*(?![\"'])(?![\w.]*dtype)[^,()=\"']+|dtype\s*=\s*[\w.]*(?:dtype|float16|half)\b"
    r"|cache_enabled\s*=\s*\w+)\s*"
)
_DEVICE = r"(?:device_type\s*=\s*)?(?:\"\w+\"|'\w+'|[\w.]+\.type\b|[\w.]*device_(?:type|str)\b)\s*"
_GENERAL = rf"\(\s*{_DEVICE}(?:,\s*{_NAMED})*,?\s*\)"
_OF_ONE_DEVICE = rf"\(\s*(?:(?:{_NAMED}|(?:self\.)?(?!\w*(?:dtype|device))\b[a-zA-Z_]\w*\s*)(?:,\s*{_NAMED})*,?\s*)?\)"
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
    (f"near:autocast:{'|'.join(_WRONG)}",),
    *((where, f"near:autocast:{_not(_GENERAL, _BARE)}") for where in ("torch.amp", "torch import")),
    *((where, f"near:autocast:{_not(_OF_ONE_DEVICE, _BARE)}") for where in ("cuda.amp", "cpu.amp", "import amp")),
    *((where, rf"near:autocast:autocast{_OFF}") for where in (".scale(", "caler(")),
)
"""Regions that may be given what they do not take, groups of words: what a bare name is depends on its import."""
