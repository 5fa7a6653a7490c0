"""Which power of the loss scale a value carries: gradients carry the first, their squares the second, a ratio none.

The rules of this algebra, op by op. What it does not know it says nothing about.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

Place = tuple[str, int]


@dataclass(frozen=True)
class Tag:
    """What is known about a tensor.

    degree: the power of the loss scale in it. gradient: computed from gradients. bent: a step on the way to it does not
    commute with scaling, as a sum with weights or a bound. finite: tells where gradients are finite. scrubbed: what
    was not finite is replaced. by_scale: divided by the scale itself. place: of the last step that matters.
    """

    degree: float = 0.0
    gradient: bool = False
    bent: bool = False
    finite: bool = False
    scrubbed: bool = False
    by_scale: bool = False
    place: Place = ("", 0)

    @property
    def speaks_of_scale(self) -> bool:
        """A value of gradients that changes when the loss scale does."""
        return self.gradient and (self.bent or self.degree != 0)


Operand = Tag | float | None
"""A tensor with a tag, a number, or None: a tensor of which nothing is known."""

_NEGLIGIBLE = 1e-3
"""Numbers up to this, added to a value, guard a division and no more."""


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_SAME = _words("""
    alias amax amin as_strided cat chunk clone conj contiguous cumsum detach diagonal expand expand_as flatten
    flip gather index index_select lift_fresh linalg_vector_norm masked_select max mean median min movedim narrow
    neg norm permute repeat reshape _reshape_alias select select_scatter slice sort split split_with_sizes squeeze
    stack std sum t _to_copy topk transpose tril triu unbind unflatten _unsafe_view unsqueeze view view_as abs
    copy copysign threshold _unsafe_index flatten_dense_tensors scatter_add index_add nansum
""")
_NONE_LEFT = _words("sign sgn signbit argmax argmin argsort nonzero count_nonzero ones_like")
_DRAWN = _words("rand rand_like randn randn_like normal bernoulli randint ones full new_ones arange")
_FINITE = frozenset({"isnan", "isinf", "isfinite", "isposinf", "isneginf"})
_LOGIC = _words("logical_not logical_or logical_and bitwise_not bitwise_or bitwise_and any all")
_BOUNDS = _words("clamp clamp_min clamp_max hardtanh clip")
_BENDING = _words("tanh sigmoid exp log log2 log10 log1p expm1 softmax _softmax erf relu gelu sin cos")
_ORDER = frozenset({"lt", "le", "gt", "ge"})
_SUMS = frozenset({"add", "sub", "rsub", "maximum", "minimum", "lerp", "addcmul", "addcdiv", "hypot"})

KNOWN_WITHOUT_INPUTS = _DRAWN
DRAWS_IN_PLACE = frozenset({"normal", "uniform", "exponential", "cauchy", "log_normal", "bernoulli"})


def apply(op: str, operands: Sequence[Operand], scale: float, place: Place) -> Tag | None:
    """The tag of an op's result, None where nothing is known.

    Args:
        op: the op's name without its namespace, `_foreach_` and the trailing underscore of ops in place.
        operands: its positional arguments, in order; numbers as they are.
        scale: the loss scale now.
        place: where the op is called.
    """
    if op in _DRAWN:
        return Tag(place=place)
    rule = _RULES.get(op)
    if rule is not None:
        return rule(operands, scale, place)
    tags = [item for item in operands if isinstance(item, Tag)]
    if not tags:
        return None
    if op in _SAME:
        return _merged(tags, place)
    if op in _FINITE:
        return Tag(0.0, tags[0].gradient, finite=True, place=place)
    if op in _LOGIC:
        return Tag(0.0, any(tag.gradient for tag in tags), finite=any(tag.finite for tag in tags), place=place)
    if op in _NONE_LEFT:
        return Tag(0.0, tags[0].gradient, place=place)
    if op in _BOUNDS:
        return replace(tags[0], bent=tags[0].bent or tags[0].degree != 0, place=place)
    if op in _BENDING:
        return replace(tags[0], bent=tags[0].bent or tags[0].degree != 0, place=place)
    return None


def compares_absolutely(op: str, operands: Sequence[Operand]) -> bool:
    """Whether gradients that carry the scale are held against a number that does not."""
    if op not in _ORDER or len(operands) < 2 or not isinstance(operands[0], Tag):
        return False
    other = operands[1]
    if not operands[0].speaks_of_scale:
        return False
    return isinstance(other, (int, float)) and other != 0 and math.isfinite(other)


def is_scale(number: float, scale: float) -> int:
    """1 for the loss scale, -1 for its inverse, else 0."""
    if scale in (0.0, 1.0) or number == 0:
        return 0
    if math.isclose(number, scale, rel_tol=1e-6):
        return 1
    return -1 if math.isclose(number * scale, 1.0, rel_tol=1e-6) else 0


def _merged(tags: Sequence[Tag], place: Place) -> Tag:
    first = tags[0]
    gradient = any(tag.gradient for tag in tags)
    bent = any(tag.bent for tag in tags) or any(tag.degree != first.degree for tag in tags)
    where = next((tag.place for tag in tags if tag.bent), place if bent else first.place)
    return replace(
        first,
        gradient=gradient,
        bent=bent,
        scrubbed=any(tag.scrubbed for tag in tags),
        by_scale=any(tag.by_scale for tag in tags),
        place=where,
    )


def _sum(operands: Sequence[Operand], _scale: float, place: Place) -> Tag | None:
    """Terms must carry the same power. A tensor of which nothing is known is taken to."""
    tags = [item for item in operands[:2] if isinstance(item, Tag)]
    if not tags:
        return None
    alpha = operands[2] if len(operands) > 2 else 1.0
    if isinstance(alpha, (int, float)) and alpha == 0 and isinstance(operands[0], Tag):
        return operands[0]
    merged = _merged(tags, place)
    number = next((item for item in operands[:2] if isinstance(item, (int, float))), 0.0)
    if abs(number) > _NEGLIGIBLE and merged.degree != 0:
        return replace(merged, bent=True, place=place)
    return merged


def _power_of(operand: Operand, scale: float) -> float | None:
    if isinstance(operand, Tag):
        return operand.degree
    return None if operand is None else float(is_scale(operand, scale))


def _product(sign: int) -> Callable[[Sequence[Operand], float, Place], Tag | None]:
    def rule(operands: Sequence[Operand], scale: float, place: Place) -> Tag | None:
        left, right = operands[0], operands[1]
        powers = _power_of(left, scale), _power_of(right, scale)
        tags = [item for item in (left, right) if isinstance(item, Tag)]
        if powers[0] is None or powers[1] is None or not tags:
            return None
        if all(tag.finite for tag in tags):  # both masks hold
            return tags[0]
        if any(tag.finite for tag in tags):  # a product with a mask of what is finite keeps the other's power
            return Tag(powers[0] + powers[1], True, scrubbed=True, place=place)
        scales = any(
            not isinstance(item, Tag) and power != 0 for item, power in zip((left, right), powers, strict=True)
        )
        scales |= any(not tag.gradient and tag.degree != 0 for tag in tags)
        moved = powers[1] != 0 or scales
        return Tag(
            powers[0] + sign * powers[1],
            any(tag.gradient for tag in tags),
            bent=any(tag.bent for tag in tags),
            scrubbed=any(tag.scrubbed for tag in tags),
            by_scale=scales or any(tag.by_scale for tag in tags),
            place=place if moved else tags[0].place,
        )

    return rule


def _to_power(exponent: float) -> Callable[[Sequence[Operand], float, Place], Tag | None]:
    def rule(operands: Sequence[Operand], _scale: float, place: Place) -> Tag | None:
        tag = operands[0]
        return replace(tag, degree=tag.degree * exponent, place=place) if isinstance(tag, Tag) else None

    return rule


def _pow(operands: Sequence[Operand], scale: float, place: Place) -> Tag | None:
    exponent = operands[1] if len(operands) > 1 else None
    return _to_power(float(exponent))(operands, scale, place) if isinstance(exponent, (int, float)) else None


def _compared(operands: Sequence[Operand], _scale: float, place: Place) -> Tag | None:
    """Equality with a number that is not finite, or with itself, tells what is finite."""
    tags = [item for item in operands if isinstance(item, Tag)]
    if not tags:
        return None
    other = operands[1] if len(operands) > 1 else None
    infinite = isinstance(other, float) and not math.isfinite(other)
    same = isinstance(other, Tag) and other == operands[0]
    return Tag(0.0, tags[0].gradient, finite=infinite or same, place=place)


def _ordered(operands: Sequence[Operand], _scale: float, place: Place) -> Tag | None:
    tags = [item for item in operands if isinstance(item, Tag)]
    return Tag(0.0, tags[0].gradient, place=place) if tags else None


def _scrubbed(operands: Sequence[Operand], _scale: float, place: Place) -> Tag | None:
    tag = operands[0]
    return replace(tag, scrubbed=True, place=place) if isinstance(tag, Tag) else None


def _filled(operands: Sequence[Operand], _scale: float, place: Place) -> Tag | None:
    """masked_fill(tensor, mask, value): a mask of what is not finite scrubs, another one keeps the power."""
    tag, mask = operands[0], operands[1] if len(operands) > 1 else None
    if not isinstance(tag, Tag):
        return None
    return replace(tag, scrubbed=True, place=place) if isinstance(mask, Tag) and mask.finite else tag


def _chosen(operands: Sequence[Operand], _scale: float, place: Place) -> Tag | None:
    """where(mask, a, b)."""
    mask = operands[0]
    tags = [item for item in operands[1:] if isinstance(item, Tag) and item.gradient]
    if not tags:
        return None
    finite = isinstance(mask, Tag) and mask.finite
    return replace(tags[0], scrubbed=True, place=place) if finite else tags[0]


_RULES: dict[str, Callable[[Sequence[Operand], float, Place], Tag | None]] = {
    **dict.fromkeys(_SUMS, _sum),
    **dict.fromkeys(("mul", "dot", "mm", "mv", "bmm", "vdot", "outer", "addmm"), _product(1)),
    **dict.fromkeys(("div", "true_divide"), _product(-1)),
    "reciprocal": _to_power(-1.0),
    "sqrt": _to_power(0.5),
    "rsqrt": _to_power(-0.5),
    "square": _to_power(2.0),
    "var": _to_power(2.0),
    "pow": _pow,
    **dict.fromkeys(("eq", "ne"), _compared),
    **dict.fromkeys(_ORDER, _ordered),
    "nan_to_num": _scrubbed,
    "masked_fill": _filled,
    "where": _chosen,
}
