"""What autocast does."""

from __future__ import annotations

import warnings

import pytest
import torch

from ampfix.emulate import cuda
from tests.folklore.claims import refutes


@refutes(
    "AMP halves the weights and the gradients",
    "Both stay float32. What shrinks are the activations, and a cast copy of each weight lives as long as the region.",
)
def test_only_activations_are_half() -> None:
    with cuda():
        layer = torch.nn.Linear(4, 4).cuda()
        with torch.autocast("cuda"):
            output = layer(torch.ones(2, 4, device="cuda"))
        output.float().sum().backward()
    assert output.dtype is torch.float16
    assert layer.weight.dtype is torch.float32
    assert layer.weight.grad is not None and layer.weight.grad.dtype is torch.float32


@refutes(
    "Reductions like mean stay float32 under autocast",
    "Under CUDA's policy sum, prod, norm and softmax do; mean, std, var and sqrt keep the half they are given.",
)
def test_mean_stays_half() -> None:
    half = torch.ones(8, dtype=torch.float16)
    with cuda(), torch.autocast("cuda"):
        kept = {name: getattr(half, name)().dtype for name in ("mean", "std", "var", "sqrt")}
        raised = {name: getattr(half, name)().dtype for name in ("sum", "prod", "norm", "exp", "log")}
    assert set(kept.values()) == {torch.float16}
    assert set(raised.values()) == {torch.float32}


@refutes(
    "What autocast does on the CPU is what it does on CUDA",
    "Each backend has a policy of its own. For float16 the CPU's leaves exp, log, sum and pow in half, where CUDA's "
    "raises them to float32.",
)
def test_the_cpu_has_another_policy() -> None:
    half = torch.ones(8, dtype=torch.float16)

    def dtypes() -> list[torch.dtype]:
        return [half.exp().dtype, half.log().dtype, half.sum().dtype, half.pow(2).dtype]

    with torch.autocast("cpu", dtype=torch.float16):
        assert set(dtypes()) == {torch.float16}
    with cuda(), torch.autocast("cuda", dtype=torch.float16):
        assert set(dtypes()) == {torch.float32}


@refutes(
    "A test on a machine without a GPU tests the mixed-precision code",
    "`autocast('cuda')` warns and computes in float32, GradScaler disables itself. The tests pass, of another loop.",
)
def test_without_a_gpu_there_is_no_half(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cuda.amp.common, "amp_definitely_not_available", lambda: True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        with torch.autocast("cuda"):
            assert torch.nn.Linear(4, 4)(torch.ones(2, 4)).dtype is torch.float32
        assert not torch.amp.GradScaler("cuda").is_enabled()


@refutes(
    "exp is what breaks a contrastive loss under autocast",
    "On CUDA `exp` is computed in float32. What breaks are operations that autocast does not touch: in-place ones such "
    "as `exp_`, those with `out=`, and whatever was cast to half by hand.",
    "AMP407",
)
def test_exp_is_float32_and_exp_in_place_is_not() -> None:
    logits = torch.full((4,), 14.3, dtype=torch.float16)
    with cuda(), torch.autocast("cuda"):
        assert logits.exp().isfinite().all()
        assert logits.clone().exp_().isinf().all()
        assert torch.exp(logits, out=torch.empty_like(logits)).isinf().all()


@refutes(
    "x * x and x.pow(2) are the same",
    "Under CUDA's policy pow is computed in float32, and a product of two half tensors in half: from 256 on it is inf.",
    "AMP406",
)
def test_a_square_by_product_overflows() -> None:
    half = torch.tensor([256.0], dtype=torch.float16)
    with cuda(), torch.autocast("cuda"):
        assert half.pow(2).item() == 65536.0
        assert (half * half).isinf().all()


@refutes(
    "Wrap the loss in autocast(enabled=False) and it is computed in float32",
    "What enters is as half as before: autocast changes operations, not tensors. Without `.float()` the island "
    "computes in half what the region around it would have computed in float32.",
    "AMP407",
)
def test_an_island_needs_a_cast() -> None:
    ones = torch.ones(2048, 64, dtype=torch.float16)
    with cuda(), torch.autocast("cuda"):
        assert ones.sum().item() == 131072.0
        with torch.autocast("cuda", enabled=False):
            assert ones.sum().isinf()
            assert ones.float().sum().item() == 131072.0


@refutes(
    "Weights are cast anew for each forward of a region",
    "The cast copy of a weight is kept until the region ends. A step inside the region changes the weight and not the "
    "copy, so what follows is computed with the weights of before.",
    "AMP410",
)
def test_a_step_inside_the_region_does_not_reach_the_forward() -> None:
    with cuda():
        layer = torch.nn.Linear(1, 1, bias=False).cuda()
        torch.nn.init.ones_(layer.weight)
        one = torch.ones(1, 1, device="cuda")
        with torch.autocast("cuda"):
            assert layer(one).item() == 1.0
            with torch.no_grad():
                layer.weight.fill_(5.0)
            assert layer(one).item() == 1.0
        with torch.autocast("cuda"):
            assert layer(one).item() == 5.0
