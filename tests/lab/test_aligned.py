"""The sizes of half-precision products: which count as aligned, and the check on their share."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch

from ampfix.emulate import cuda
from ampfix.lab.checks import Paired, check
from ampfix.lab.checkspec import Aligned
from ampfix.lab.measurement import Measurement
from ampfix.lab.recording import Malformed, _share
from ampfix.lab.verdict import CheckStatus, Trust
from ampfix.watch.flops import FlopCensus


def counted(rows: int, into: int, out: int, dtype: torch.dtype = torch.float16) -> dict[str, int]:
    with cuda():
        layer = torch.nn.Linear(into, out)
        census = FlopCensus()
        while not census.running:  # the counted round is drawn
            census.after_attempt("optimizer")
        with torch.autocast("cuda", dtype=dtype):
            layer(torch.randn(rows, into)).sum().backward()
        census.stop()
    return census.alignment.summary()


def test_every_size_of_a_product_counts() -> None:
    whole = counted(16, 32, 64)
    assert whole["aligned"] == whole["total"] > 0
    for rows, into, out in ((16, 32, 61), (16, 30, 64), (15, 32, 64)):
        assert counted(rows, into, out)["aligned"] == 0 < counted(rows, into, out)["total"]


def test_float32_products_are_left_out() -> None:
    assert counted(16, 32, 64, torch.float32) == {"aligned": 0, "total": 0}


def test_the_share_decides_and_none_is_not_measured(run: Callable[..., Measurement]) -> None:
    def on(share: float | None):
        return check(Aligned(min_share=0.5), Paired([run(aligned=share)], [run()], [run()], {}))

    assert (on(0.6).status, on(0.6).source) == (CheckStatus.PASS, Trust.SELF_REPORTED)
    assert (on(0.4).status, on(0.4).reason) == (CheckStatus.FAIL, "misaligned")
    assert on(None).status is CheckStatus.NOT_MEASURED


def test_what_a_run_says_of_its_products_is_checked() -> None:
    assert _share({}) is None and _share({"aligned": 0, "total": 0}) is None
    assert _share({"aligned": 1, "total": 4}) == 0.25
    assert _share({"aligned": 9, "total": 4}) == 1.0
    for wrong in ({"total": -1}, {"total": "x"}, {"total": 4}, {"aligned": None, "total": 4}):
        with pytest.raises(Malformed):
            _share(wrong)
