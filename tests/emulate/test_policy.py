"""The table of autocast categories against torch's own kernels."""

import collections
import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from ampfix.emulate import UnsupportedCudaApi, cuda, kernels
from ampfix.emulate.policy import Category, op_policy
from tests.emulate import probes

# Where the first operator below autocast differs although the casts are those of CUDA's policy.
DIFFERS = {
    "softmax.int": "half in, float32 out: fused into CUDA's kernel, a separate cast on a CPU",
    "log_softmax.int": "half in, float32 out: fused into CUDA's kernel, a separate cast on a CPU",
    "rms_norm": "newer torch has a fused kernel for CUDA",
    "scaled_dot_product_attention": "each device chooses its own attention kernel",
    "lstm_cell": "with a float64 among the inputs, which fails anyway, the first operator is another one",
}


@pytest.fixture(scope="module")
def torch_says():
    """{region: {operator: {pattern: outcome}}} of torch's AutocastCUDA kernels on fake tensors."""
    program = Path(probes.__file__)
    done = subprocess.run([sys.executable, program], capture_output=True, text=True, check=True, timeout=120)
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def emulation_says():
    with cuda():
        return probes.survey("cuda", lambda dtype: torch.autocast("cuda", dtype=dtype))


# Overloads of named tensors, which older torch registers, and what only a CUDA build has.
NOT_PROBED = ("imname", "names_", "_cudnn_rnn")


def probed(policy):
    return {op: category for op, category in policy.items() if not any(word in op for word in NOT_PROBED)}


def test_every_intercepted_operator_is_probed_and_known():
    policy = op_policy("cuda")
    assert set(probed(policy)) <= {f"aten::{name}" for name in probes.PROBES}
    assert Category.UNKNOWN not in {*policy.values(), *op_policy("cpu").values()}


@pytest.mark.parametrize("region", probes.REGIONS)
def test_emulated_casts_are_those_of_torchs_cuda_kernels(region, torch_says, emulation_says):
    differing = collections.defaultdict(dict)
    for name, patterns in emulation_says[region].items():
        for pattern, ours in patterns.items():
            theirs = torch_says[region][name][pattern]
            if ours != theirs:
                differing[name][pattern] = (ours, theirs)
    assert set(differing) <= set(DIFFERS), {name: differing[name] for name in set(differing) - set(DIFFERS)}
    for name, patterns in differing.items():
        for ours, theirs in patterns.values():
            assert casts_alike(ours, theirs), (name, ours, theirs)


def casts_alike(ours, theirs):
    """Whether both ended in an operator, and one made at least the casts that the other made."""
    ours, theirs = (collections.Counter(word for word in text.split() if ">" in word) for text in (ours, theirs))
    return ours <= theirs or theirs <= ours


def test_native_cpu_policy_disagrees_with_cuda():
    """The comparison can fail: without the emulation most operators behave otherwise."""
    native = probes.survey("cpu", lambda dtype: torch.autocast("cpu", dtype=dtype))["float16"]
    with cuda():
        emulated = probes.survey("cuda", lambda dtype: torch.autocast("cuda", dtype=dtype))["float16"]
    assert sum(native[name] != emulated[name] for name in native) > 60


def test_categories_of_the_cpu_are_what_its_kernels_do():
    with torch.autocast("cpu", dtype=torch.bfloat16), torch.no_grad():
        seen = {op: probes.category_seen(op) for op in probed(op_policy("cpu"))}
    assert seen == {op: category.value for op, category in probed(op_policy("cpu")).items()}


def test_categories_of_cuda_are_what_the_emulation_does():
    with cuda(), torch.autocast("cuda", dtype=torch.bfloat16), torch.no_grad():
        seen = {op: probes.category_seen(op) for op in probed(op_policy("cuda"))}
    for softmax in ("aten::softmax.int", "aten::log_softmax.int"):  # a CPU kernel casts before, not inside
        assert seen.pop(softmax) == "fp32"
        seen[softmax] = "set_dtype"
    assert seen == {op: category.value for op, category in probed(op_policy("cuda")).items()}


@pytest.mark.parametrize("method", ["exp_", "pow_", "addmm_", "mul_"])
def test_in_place_variants_are_not_autocast(method):
    half = torch.ones(2, 2, dtype=torch.float16)
    arguments = {"pow_": (2,), "addmm_": (half, half), "mul_": (half,)}.get(method, ())
    with cuda(), torch.autocast("cuda", dtype=torch.float16):
        assert getattr(half.clone(), method)(*arguments).dtype is torch.float16


def test_in_place_matmul_on_mixed_dtypes_fails_as_on_cuda():
    with cuda(), torch.autocast("cuda"), pytest.raises(RuntimeError, match="dtype"):
        torch.zeros(2, 2).addmm_(torch.ones(2, 2).half(), torch.ones(2, 2).half())


def test_out_variants_are_not_autocast():
    out = torch.empty(2, 2)
    with cuda(), torch.autocast("cuda"):
        assert torch.mm(torch.ones(2, 2), torch.ones(2, 2), out=out).dtype is torch.float32
        half = torch.full((2,), 14.0, dtype=torch.float16)
        assert torch.exp(half, out=torch.empty_like(half)).isinf().all()


def test_a_banned_operator_raises_torchs_own_message():
    probability = torch.full((2,), 0.5, requires_grad=True)
    with cuda(), torch.autocast("cuda"):
        for banned in (torch.nn.functional.binary_cross_entropy, torch.nn.BCELoss()):
            with pytest.raises(RuntimeError, match="are unsafe to autocast"):
                banned(probability, torch.ones(2))


@pytest.mark.parametrize("layer", [torch.nn.LSTM, torch.nn.GRU, torch.nn.RNN])
def test_recurrent_layers_run_as_cudnn_would(layer):
    with cuda(), torch.autocast("cuda"):
        output, state = layer(4, 3).cuda()(torch.randn(5, 2, 4, device="cuda"))
    states = state if isinstance(state, tuple) else (state,)
    assert {item.dtype for item in (output, *states)} == {torch.float16}


def test_operators_without_a_half_kernel_on_a_cpu_run_as_on_cuda():
    image = torch.randn(1, 1, 4, 4, 4, requires_grad=True)
    for dtype in (torch.float16, torch.float32):
        with cuda(), torch.autocast("cuda"):
            pooled = torch.nn.functional.avg_pool3d(image.to(dtype), 2)
        assert pooled.dtype is dtype
        torch.testing.assert_close(pooled.float(), torch.nn.functional.avg_pool3d(image, 2), atol=1e-3, rtol=1e-3)
        pooled.sum().backward()


def test_packed_sequences_pass_through_recurrent_layers():
    with cuda(), torch.autocast("cuda"):
        packed = torch.nn.utils.rnn.pack_padded_sequence(torch.randn(5, 2, 4, device="cuda"), [5, 3])
        output, _ = torch.nn.LSTM(4, 3).cuda()(packed.to("cuda"))
        padded, lengths = torch.nn.utils.rnn.pad_packed_sequence(output)
    assert padded.dtype is torch.float16 and lengths.tolist() == [5, 3]


def test_an_operator_that_newer_torch_autocasts_is_refused_rather_than_guessed(monkeypatch):
    known = torch._C._dispatch_get_registrations_for_dispatch_key
    monkeypatch.setattr(
        torch._C, "_dispatch_get_registrations_for_dispatch_key", lambda key: [*known(key), "aten::sqrt"]
    )
    assert op_policy("cuda")["aten::sqrt"] is Category.UNKNOWN
    monkeypatch.setattr(kernels, "autocast_kernels", kernels.autocast_kernels.__wrapped__)
    with cuda(), torch.autocast("cuda"), pytest.raises(UnsupportedCudaApi, match=r"aten::sqrt.*update ampfix"):
        torch.ones(2).sqrt()
