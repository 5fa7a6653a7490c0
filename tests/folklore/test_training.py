"""What a loop shows, and what it hides."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest
import torch

from ampfix.emulate import cuda
from tests.folklore.claims import refutes


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def fitted(
    make: Callable[..., torch.optim.Optimizer], *, unscale: bool = True, zero: bool = True, scale: float = 1024.0
) -> float:
    """The error of a line fitted in 60 clipped, scaled steps. unscale, zero: whether the loop does it."""
    torch.manual_seed(0)
    inputs = torch.randn(64, 4)
    target = inputs @ torch.tensor([[1.0], [-2.0], [0.5], [3.0]])
    with cuda():
        model = torch.nn.Linear(4, 1).cuda()
        optimizer = make(model.parameters())
        scaler = torch.amp.GradScaler("cuda", init_scale=scale)
        for _ in range(60):
            if zero:
                optimizer.zero_grad()
            with torch.autocast("cuda"):
                loss = torch.nn.functional.mse_loss(model(inputs), target)
            scaler.scale(loss).backward()
            if unscale:
                scaler.unscale_(optimizer)
            torch.nn.utils.clip_grad_norm_(model.parameters(), 5.0)
            scaler.step(optimizer)
            scaler.update()
        return torch.nn.functional.mse_loss(model(inputs), target).item()


def sgd(parameters: Iterator[torch.nn.Parameter]) -> torch.optim.Optimizer:
    return torch.optim.SGD(parameters, lr=0.1)


def adam(parameters: Iterator[torch.nn.Parameter]) -> torch.optim.Optimizer:
    return torch.optim.Adam(parameters, lr=0.2)


@refutes(
    "Clipping scaled gradients has no effect",
    "The loss scale makes the clip that many times too hard, 65536 at first: with SGD next to nothing is left of the "
    "step. Adam divides a constant factor away again, which is why the bug is found so late.",
    "AMP101",
)
def test_clipping_scaled_gradients_stops_sgd() -> None:
    assert fitted(sgd) < 0.01
    assert fitted(sgd, unscale=False) > 10
    assert fitted(adam, unscale=False) < 0.1


@refutes(
    "A forgotten zero_grad shows at once",
    "Not with a scaler: what is left of earlier steps has been unscaled already, and weighs a thousandth or less of "
    "what is added. It shows at the first overflow: infinite gradients stay, and no step is made ever again.",
    "AMP123",
)
def test_the_scaler_hides_a_forgotten_zero_grad() -> None:
    assert fitted(sgd, zero=False) < 0.01
    overflows_once = 65536.0
    assert fitted(sgd, scale=overflows_once) < 0.01
    assert fitted(sgd, zero=False, scale=overflows_once) > 10


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device: it measures kernels")
@refutes(
    "The time between two calls of the clock is the time of the step",
    "It is the time to put the kernels into a queue. Without `synchronize`, or events, a step on a GPU seems as "
    "fast as its launches.",
    "AMP503",
)
def test_an_unsynchronised_clock_measures_launches() -> None:
    matrix = torch.randn(8192, 8192, device="cuda")
    _ = matrix @ matrix
    torch.cuda.synchronize()
    start = time.perf_counter()
    for _ in range(20):
        _ = matrix @ matrix
    launched = time.perf_counter() - start
    torch.cuda.synchronize()
    assert launched < 0.5 * (time.perf_counter() - start)


@pytest.mark.cuda
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device: it measures kernels")
@refutes(
    "AMP makes an A100 2.8 times as fast",
    "Against float32 products without TF32. From Ampere on TF32 alone runs the same float32 code several times as "
    "fast, and AMP's own gain is what is left: report both baselines.",
    "AMP505",
)
def test_tf32_is_the_baseline_to_beat() -> None:
    if torch.cuda.get_device_capability() < (8, 0):
        pytest.skip("TF32 needs compute capability 8.0")
    matrix = torch.randn(8192, 8192, device="cuda")

    def seconds() -> float:
        torch.cuda.synchronize()
        start = time.perf_counter()
        for _ in range(20):
            _ = matrix @ matrix
        torch.cuda.synchronize()
        return time.perf_counter() - start

    precision = torch.get_float32_matmul_precision()
    try:
        times = {}
        for chosen in ("highest", "high", "highest", "high"):
            torch.set_float32_matmul_precision(chosen)
            times[chosen] = seconds()
    finally:
        torch.set_float32_matmul_precision(precision)
    assert times["high"] * 2 < times["highest"]
