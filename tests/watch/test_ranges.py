"""The census of ranges: what it counts, what it advises, and that it changes nothing."""

from __future__ import annotations

import json
import math
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from ampfix.watch import Watch, log
from ampfix.watch.ranges import ACTIVATION, GRADIENT, Layer, RangeCensus, sampled
from ampfix.watch.scale_advice import _NEAR_OVERFLOW, _WANTS_FLOAT32, Ranges, advise
from tests.watch.toy import batch, model, train

FLOATS = st.floats(allow_nan=True, allow_infinity=True, width=32)


class Identity(nn.Module):
    def forward(self, values: torch.Tensor) -> torch.Tensor:
        return values * 1.0


def counted(values: torch.Tensor, scale: float = 1.0) -> dict[str, Layer]:
    census = RangeCensus()
    census.begin()
    out = Identity()(values.detach().requires_grad_())
    out.backward(values)
    census.end(scale)
    return {layer.side: layer for layer in census.layers}


@settings(max_examples=60, deadline=None)
@given(st.lists(FLOATS, min_size=1, max_size=40))
def test_every_value_is_counted_at_its_exponent(values: list[float]) -> None:
    layer = counted(torch.tensor(values))[GRADIENT]
    finite = [abs(value) for value in values if math.isfinite(value) and value]
    expected = [math.frexp(value)[1] - 1 for value in finite]
    assert layer.zeros == values.count(0.0)
    assert layer.nonfinite == len(values) - layer.zeros - len(finite)
    assert sorted(layer.counts.items()) == sorted({at: expected.count(at) for at in expected}.items())


def test_gradients_are_told_without_the_loss_scale() -> None:
    seen = counted(torch.tensor([1024.0, 2048.0]), scale=1024.0)
    assert seen[GRADIENT].counts == {0: 1, 1: 1}
    assert seen[ACTIVATION].counts == {10: 1, 11: 1}


def test_rounds_thin_out() -> None:
    assert [attempt for attempt in range(100) if sampled(attempt)] == [1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96]


def layer(side: str, counts: dict[int, int], name: str = "layer", nonfinite: int = 0) -> Layer:
    return Layer(name, "Linear", side, "float16", 0, nonfinite, counts)


def test_the_recommended_scale_holds_the_largest_gradient_and_few_are_flushed() -> None:
    told = advise([layer(GRADIENT, {-24: 500, -10: 500})])
    assert told.highest == 25  # 2^-9 * 2^24 is below 2^16, and the largest seen is below 2^-9
    assert told.recommended == 23
    assert told.lowest == -1  # 2^-24 survives at a scale of 1/2
    assert told.wants_float32 == {}


@pytest.mark.parametrize("exponent", [-40, -20, 0])
def test_no_gradient_overflows_at_the_highest_scale_and_some_do_above(exponent: int) -> None:
    told = advise([layer(GRADIENT, {exponent: 9})])
    assert told.highest is not None
    largest = torch.tensor(2.0**exponent * 1.999)
    assert torch.isfinite((largest * 2.0**told.highest).half())
    assert not torch.isfinite((largest * 2.0 ** (told.highest + 1)).half())


def test_a_layer_whose_gradients_fit_no_scale_of_the_others_wants_float32() -> None:
    told = advise([layer(GRADIENT, {0: 99}, "wide"), layer(GRADIENT, {-60: 50, -1: 50}, "both")])
    assert set(told.wants_float32) == {"both"}


def test_activations_near_the_end_of_float16_want_float32() -> None:
    told = advise([layer(ACTIVATION, {15: 1, 0: 99}, "near"), layer(ACTIVATION, {14: 9}, "far")])
    assert set(told.wants_float32) == {"near"}
    assert "near" in advise([layer(ACTIVATION, {0: 9}, "near", nonfinite=1)]).wants_float32


def test_no_gradient_no_recommendation() -> None:
    assert advise([]).recommended is None


def test_the_record_holds_the_census_and_results_are_the_same(tmp_path: Path) -> None:
    plain = train(model(), 20)
    ranges = Ranges()
    with Watch(tmp_path, tell=lambda _: None, companions=[ranges]):
        seen = train(model(), 20)
    assert all(torch.equal(one, other) for one, other in zip(plain, seen, strict=True))
    records = list(log.read(tmp_path / "watch-0.jsonl"))
    lines = [record for record in records if record["kind"] == "ranges"]
    assert [line["attempt"] for line in lines] == [1, 2, 3, 4, 6, 8, 12, 16]
    assert {(entry["module"], entry["side"]) for entry in lines[-1]["layers"]} == {
        (name, side) for name in "012" for side in (ACTIVATION, GRADIENT)
    }
    assert all(sum(entry["counts"]) > 0 for entry in lines[-1]["layers"])
    assert records[-1]["advice"] == lines[-1]["advice"]
    assert records[-1]["scale_model"]["settings"]["init_scale"] == 2.0**20
    assert ranges.model is not None
    assert any("loss scale" in line for line in ranges.lines())


def test_at_the_recommended_scale_a_half_run_skips_nothing() -> None:
    ranges = Ranges()
    with Watch(tell=lambda _: None, companions=[ranges]):
        train(model(), 20)
    told = ranges.advice.recommended
    assert told is not None
    net = model()
    optimizer = torch.optim.AdamW(net.parameters(), lr=1e-2)
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**told)
    from tests.watch.toy import half_loss

    for step in range(20):
        optimizer.zero_grad()
        scaler.scale(half_loss(net, step)).backward()
        scaler.step(optimizer)
        scaler.update()
    assert scaler.get_scale() == 2.0**told


class Branches(nn.Module):
    """A branch whose gradients are smaller than its neighbour's by a factor."""

    def __init__(self, factor: float) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.main, self.faint, self.factor = nn.Linear(8, 4), nn.Linear(8, 4), factor

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        return self.main(inputs) + self.faint(inputs).float() * self.factor


def branched(factor: float, in_half: bool) -> dict[str, str]:
    net, ranges = Branches(factor), Ranges()
    optimizer = torch.optim.SGD(net.parameters(), lr=0.1)
    scaling = torch.amp.GradScaler("cpu", init_scale=1024.0)
    with Watch(tell=lambda _: None, companions=[ranges]):
        for step in range(9):
            inputs, labels = batch(step)
            optimizer.zero_grad()
            with torch.autocast("cpu", dtype=torch.float16, enabled=in_half):
                loss = nn.functional.cross_entropy(net(inputs).float(), labels)
            scaling.scale(loss).backward()
            scaling.step(optimizer)
            scaling.update()
    return ranges.advice.wants_float32


def test_a_branch_too_faint_for_the_scale_of_the_others_wants_float32() -> None:
    assert "flushed" in branched(2.0**-40, in_half=False)["faint"]
    assert "all of its gradients are zero" in branched(2.0**-40, in_half=True)["faint"]


@pytest.mark.parametrize("in_half", [True, False])
def test_a_branch_that_the_scale_reaches_wants_nothing(in_half: bool) -> None:
    assert branched(2.0**-26, in_half) == {}


def test_the_thresholds_hold_what_was_measured() -> None:
    """Between what right loops show (benchmarks/ranges.py) and what is known not to fit there is a factor of two."""
    kept = Path(__file__).resolve().parents[2] / "benchmarks" / "results" / "ranges.json"
    layers = [layer for row in json.loads(kept.read_text(encoding="utf-8")) for layer in row["gold"]]
    flushed = [layer["flushed"] for layer in layers if layer["flushed"] is not None]
    half = [layer for layer in layers if layer["dtype"] == "float16" and layer["side"] == ACTIVATION]
    assert len(flushed) > 300 and len(half) > 250
    assert 2 * max(flushed) < _WANTS_FLOAT32 < 0.89 / 2
    assert max(layer["highest"] for layer in half if layer["highest"] is not None) < _NEAR_OVERFLOW - 1
    assert not any(layer["nonfinite"] for layer in half)
    assert not any(layer["side"] != ACTIVATION and layer["highest"] is None for layer in layers)
