"""Which files around a checked one are worth parsing, told by their text.

A plain word is found ten times as fast as an expression that begins with it, so each expression is asked only where a
part of it stands.
"""

from __future__ import annotations

import re

_Expression = tuple[bytes, re.Pattern[bytes]]  # and a part that stands in whatever it matches

# A neighbour without any of these can neither build nor use what a training step is made of, nor pick its dtype, nor
# compute what half precision makes wrong, nor run a model that it is handed, nor save what it is handed.
_RELEVANT_WORDS = (
    *(b"optim", b"Optim", b"no_grad", b".eval()", b"softmax", b"Softmax", b".step(", b"backward(", b"scaler"),
    *(b"Scaler", b"bfloat16", b"autocast", b"unscale_", b"clip_grad", b"inference_mode", b".grad is "),
    *(b"autograd.Function", b"BCELoss", b"binary_cross_entropy(", b"masked_fill", b"exp_(", b".exp()", b"torch.exp("),
    *(b".log(", b"rsqrt(", b"square(", b"FullyShardedDataParallel"),
)
_RELEVANT_EXPRESSIONS = (
    (b"e-", re.compile(rb"\de-0?[89]|\de-1\d|1(?:\.0*)? ?- ?\d[\d.]*e-")),
    (b"-1e", re.compile(rb"-1e\d")),
    (b"**", re.compile(rb"\*\* ?2\b")),
    (b"pow(", re.compile(rb"pow\( ?2")),
    *((name + b"(", re.compile(rb"(?<![\w.])(?<!def )%b\(" % name)) for name in (b"model", b"net")),
    (b"torch.save(", re.compile(rb"torch\.save\([^\n]*\.state_dict\(\)")),
    (b" * ", re.compile(rb"(\b\w[\w.]*) \* \1\b")),
)
_TRAINING_WORDS = (b"zero_grad(", b".step(", b"backward(", b"unscale_", b"clip_grad", b".scale(")
_TRAINING_EXPRESSIONS = (
    (b".grad is ", re.compile(rb"\.grad is (?:not )?None")),
    (b"autocast", re.compile(rb"autocast\([^\n]*:\s*yield")),  # a manager that opens a region around a step
)
_PASSES_ON = re.compile(rb"^\s*from\s+\S+\s+import\b", re.MULTILINE)
_AROUND = 100  # characters on each side of a part, in which what belongs to it stands


def is_relevant(data: bytes) -> bool:
    """Whether a file may matter to a training step."""
    return _holds(data, _RELEVANT_WORDS, _RELEVANT_EXPRESSIONS)


def passes_on(path: str, data: bytes) -> bool:
    """Whether a file is a package's own that passes on what others define."""
    return path.endswith("__init__.py") and _PASSES_ON.search(data) is not None


def is_worth_parsing(path: str, data: bytes) -> bool:
    """Whether a file is worth parsing for those that import it."""
    return is_relevant(data) or passes_on(path, data)


def trains(data: bytes) -> bool:
    """Whether a file may hold a part of a training step."""
    return _holds(data, _TRAINING_WORDS, _TRAINING_EXPRESSIONS)


def _holds(data: bytes, words: tuple[bytes, ...], expressions: tuple[_Expression, ...]) -> bool:
    return any(word in data for word in words) or any(_occurs(*expression, data) for expression in expressions)


def _occurs(part: bytes, expression: re.Pattern[bytes], data: bytes) -> bool:
    at = data.find(part)
    while at >= 0:
        if expression.search(data, max(0, at - _AROUND), at + len(part) + _AROUND):
            return True
        at = data.find(part, at + len(part))
    return False
