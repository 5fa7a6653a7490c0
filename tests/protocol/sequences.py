"""Drawing sequences of operations that stay legal for long: most are extended by what the protocol allows."""

from __future__ import annotations

import itertools

from hypothesis import strategies as st

from ampfix.protocol import INITIAL, EventKind, State, advance
from tests.protocol.torch_replay import OPTIMIZERS, SCALERS, Op

LONG = 8
_MOST = 24


def alphabet(optimizers: tuple[str, ...], scalers: tuple[str, ...]) -> list[Op]:
    """Every operation on the given optimizers and scalers."""
    targets = [(name,) for name in optimizers] + ([optimizers] if len(optimizers) > 1 else [])
    ops = [
        Op(EventKind.BACKWARD, scaler, target, overflow)
        for scaler in (*scalers, None)
        for target in targets
        for overflow in ((False, True) if scaler else (False,))
    ]
    for name in optimizers:
        ops += [Op(kind, scaler, (name,)) for scaler in scalers for kind in (EventKind.UNSCALE, EventKind.SCALER_STEP)]
        ops += [Op(kind, None, (name,)) for kind in (EventKind.OPTIMIZER_STEP, EventKind.CLIP, EventKind.READ_GRAD)]
        ops += [Op(EventKind.EDIT_GRAD, None, (name,), linear=linear) for linear in (False, True)]
        ops += [Op(EventKind.ZERO_GRAD, None, (name,), zeros=zeros) for zeros in (False, True)]
    return ops + [Op(EventKind.UPDATE, scaler, forced=forced) for scaler in scalers for forced in (False, True)]


def _after(state: State, op: Op) -> tuple[State, bool]:
    """The state after an operation, and whether the protocol has nothing against it."""
    clean = True
    for event in op.events():
        state, broken = advance(state, event)
        clean = clean and not broken
    return state, clean


@st.composite
def sequences(draw: st.DrawFn) -> list[Op]:
    """Operations on one or two optimizers and scalers. The more mischief is drawn, the more of them are any at all."""
    optimizers = draw(st.sampled_from([OPTIMIZERS[:1], OPTIMIZERS[1:], OPTIMIZERS]))
    scalers = draw(st.sampled_from([SCALERS[:1], SCALERS[:1], SCALERS]))
    ops = alphabet(optimizers, scalers)
    mischief = draw(st.sampled_from([0, 0, 1, 3]))
    state, drawn = INITIAL, []
    for _ in range(draw(st.integers(1, _MOST))):
        allowed = ops
        if draw(st.integers(0, 9)) >= mischief:
            allowed = [op for op in ops if _after(state, op)[1]]
        op = draw(st.sampled_from(_by_kind(draw, allowed)))
        state, _ = _after(state, op)
        drawn.append(op)
    return drawn


def _by_kind(draw: st.DrawFn, ops: list[Op]) -> list[Op]:
    """Choose the kind first: backward comes in many variants, and would crowd out the rest."""
    kinds = sorted({op.kind for op in ops})
    kind = draw(st.sampled_from(kinds))
    return [op for op in ops if op.kind is kind]


def short_sequences(length: int) -> list[tuple[Op, ...]]:
    """Every sequence of the given length with one optimizer and one scaler, without variants of an operation."""
    plain = [
        op
        for op in alphabet(OPTIMIZERS[1:], SCALERS[:1])
        if not (
            op.overflow or op.zeros or op.linear or op.forced or op.kind in (EventKind.READ_GRAD, EventKind.EDIT_GRAD)
        )
    ]
    return list(itertools.product(plain, repeat=length))
