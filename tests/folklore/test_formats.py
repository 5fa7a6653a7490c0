"""What the formats hold."""

from __future__ import annotations

import math

import torch

from ampfix.emulate import PROFILES, cuda
from tests.folklore.claims import refutes


@refutes(
    "exp overflows float16 at 88",
    "At 11.09, the logarithm of 65520, from which on numbers round to infinity. 88.7 is where float32 ends.",
)
def test_exp_ends_at_eleven() -> None:
    assert torch.tensor(11.08, dtype=torch.float16).exp().isfinite()
    assert torch.tensor(11.1, dtype=torch.float16).exp().isinf()
    assert math.isclose(math.log(65520), 11.09, abs_tol=0.001)
    assert torch.tensor(88.7).exp().isfinite() and torch.tensor(88.8).exp().isinf()


@refutes(
    "1e-7 becomes 0 in float16",
    "It becomes 1.19e-7, twice the smallest subnormal number 2^-24. What lies at 2^-25 (3e-8) or below becomes 0. "
    "2^-14 (6.1e-5) is where numbers begin to lose bits, not where they end.",
    "AMP404",
)
def test_small_numbers_last_to_two_to_the_minus_25() -> None:
    def as_half(value: float) -> float:
        return torch.tensor(value, dtype=torch.float64).to(torch.float16).item()

    assert as_half(1e-7) == 2**-23
    assert as_half(2**-25) == 0 < as_half(1.01 * 2**-25)
    assert torch.finfo(torch.float16).smallest_normal == 2**-14


@refutes(
    "A matrix product of large random numbers overflows float16",
    "The product of two 1024 x 1024 matrices of numbers around 10 has entries around 3200, and the largest of a "
    "million of them stays far below 65504.",
)
def test_a_product_of_tens_fits() -> None:
    generator = torch.Generator().manual_seed(0)
    left, right = (10 * torch.randn(1024, 1024, generator=generator) for _ in range(2))
    product = left @ right
    assert 3000 < product.std() < 3500
    assert product.abs().max() < 65504 / 2
    assert product.half().isfinite().all()


@refutes(
    "softmax overflows in float16",
    "It subtracts the largest score before it takes the exponential, in every precision. Scores that are infinite "
    "already are another matter.",
)
def test_softmax_of_the_largest_scores_is_finite() -> None:
    scores = torch.tensor([65504.0, -65504.0, 60000.0], dtype=torch.float16)
    assert scores.softmax(-1).tolist() == [1.0, 0.0, 0.0]
    assert torch.tensor([math.inf, 1.0], dtype=torch.float16).softmax(-1).isnan().any()


@refutes(
    "log of the softmax's diagonal underflows in a contrastive loss",
    "Where the diagonal is an embedding's similarity with itself, it is the largest of its row, and its probability is "
    "at least 1/N. A loop with this loss trains; what is said about it is wrong all the same.",
)
def test_the_largest_of_a_row_has_at_least_an_nth() -> None:
    generator = torch.Generator().manual_seed(0)
    vectors = torch.nn.functional.normalize(torch.randn(256, 16, generator=generator), dim=-1)
    for temperature in (1.0, 0.07, 0.01):
        diagonal = (vectors @ vectors.T / temperature).half().softmax(-1).diagonal()
        assert diagonal.min() >= 0.98 / 256


@refutes(
    "clamping to 10 before exp is a harmless guard",
    "Whatever lies above has no gradient any more: the scores that are most wrong are the ones that no longer learn.",
)
def test_a_clamp_takes_the_gradient() -> None:
    scores = torch.tensor([9.0, 11.0, 30.0], requires_grad=True)
    scores.clamp(max=10).exp().sum().backward()
    assert scores.grad is not None
    assert scores.grad[0] > 0
    assert scores.grad[1:].tolist() == [0.0, 0.0]


@refutes(
    "bfloat16 needs dimensions that are multiples of 16",
    "Tensor cores want rows of 16 bytes, which are 8 elements of either half. Other sizes are computed as rightly, "
    "padded inside or by a slower kernel.",
)
def test_sixteen_bytes_are_eight_elements_of_either_half() -> None:
    assert [16 // dtype.itemsize for dtype in (torch.float16, torch.bfloat16)] == [8, 8]
    for dtype in (torch.float16, torch.bfloat16):
        odd = torch.ones(5, 13, dtype=dtype) @ torch.ones(13, 7, dtype=dtype)
        assert torch.equal(odd, torch.full((5, 7), 13, dtype=dtype))


@refutes(
    "The RTX 3090 has no bfloat16",
    "Its compute capability is 8.6, and every device from 8.0 on multiplies bfloat16.",
)
def test_the_3090_multiplies_bfloat16() -> None:
    with cuda("RTX3090"):
        assert torch.cuda.get_device_capability() == (8, 6)
        assert torch.cuda.is_bf16_supported(including_emulation=False)
    assert PROFILES["RTX3090"].accelerates(torch.bfloat16)


@refutes(
    "torch.cuda.is_bf16_supported() tells whether the device has bfloat16",
    "It says True for a T4 and a V100, which compute it by way of float32. Ask with `including_emulation=False`.",
    "AMP302",
)
def test_emulated_bfloat16_counts_as_supported() -> None:
    for old in ("T4", "V100"):
        with cuda(old):
            assert torch.cuda.is_bf16_supported()
            assert not torch.cuda.is_bf16_supported(including_emulation=False)
