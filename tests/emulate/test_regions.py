"""Autocast regions in every spelling, their state, their weight cache, and custom functions."""

import functools
import threading
import warnings

import pytest
import torch
from torch.cuda.amp import autocast as imported_early
from torch.utils.checkpoint import checkpoint

from ampfix.emulate import assert_active, cuda


@pytest.fixture(autouse=True)
def emulated():
    with cuda(), warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        yield


def matmul():
    x = torch.ones(2, 2, device="cuda")
    return torch.mm(x, x)


CONTEXTS = {
    "torch.cuda.amp.autocast()": lambda: torch.cuda.amp.autocast(),
    "torch.cuda.amp.autocast(True)": lambda: torch.cuda.amp.autocast(True),
    "torch.cuda.amp.autocast(enabled=True)": lambda: torch.cuda.amp.autocast(enabled=True),
    "torch.cuda.amp.autocast(dtype=)": lambda: torch.cuda.amp.autocast(dtype=torch.float16),
    "torch.amp.autocast('cuda')": lambda: torch.amp.autocast("cuda"),
    "torch.amp.autocast(device_type=)": lambda: torch.amp.autocast(device_type="cuda"),
    "torch.autocast('cuda')": lambda: torch.autocast("cuda"),
    "torch.autocast(device_type=device.type)": lambda: torch.autocast(device_type=torch.device("cuda").type),
    "torch.autocast(x.device.type)": lambda: torch.autocast(torch.ones(1, device="cuda").device.type),
    "torch.autocast('cuda', torch.float16)": lambda: torch.autocast("cuda", torch.float16),
    "torch.autocast(cache_enabled=False)": lambda: torch.autocast("cuda", cache_enabled=False),
    "imported before": lambda: imported_early(),
    "torch.amp.autocast_mode.autocast": lambda: torch.amp.autocast_mode.autocast("cuda"),
}


@pytest.mark.parametrize("spelling", CONTEXTS)
def test_every_spelling_opens_a_float16_region(spelling):
    with CONTEXTS[spelling]():
        assert torch.is_autocast_enabled() and torch.is_autocast_enabled("cuda")
        assert torch.get_autocast_dtype("cuda") is torch.get_autocast_gpu_dtype() is torch.float16
        assert matmul().dtype is torch.float16
        assert matmul().exp().dtype is torch.float32
    assert matmul().dtype is torch.float32
    assert not torch.is_autocast_enabled()


@pytest.mark.parametrize("spelling", CONTEXTS)
def test_every_spelling_decorates(spelling):
    decorated = CONTEXTS[spelling]()(matmul)
    assert decorated().dtype is torch.float16
    assert matmul().dtype is torch.float32


def test_a_bare_decorator_fails_as_on_cuda():
    broken = torch.cuda.amp.autocast(matmul)  # not called: the function lands in `enabled`
    with pytest.raises(TypeError):
        broken()


def test_a_region_kept_in_a_variable_can_be_entered_again():
    region = torch.autocast("cuda")
    for _ in range(2):
        with region:
            assert matmul().dtype is torch.float16


def test_partial_and_hand_written_enter_and_exit():
    region = functools.partial(torch.autocast, device_type="cuda", dtype=torch.bfloat16)()
    region.__enter__()
    assert matmul().dtype is torch.bfloat16
    region.__exit__(None, None, None)
    assert matmul().dtype is torch.float32


def test_disabled_islands_run_in_float32():
    with torch.autocast("cuda"):
        half = matmul()
        with torch.autocast("cuda", enabled=False):
            assert matmul().dtype is torch.float32
            assert half.exp().dtype is torch.float16  # nothing is cast inside, in either direction
            with pytest.raises(RuntimeError, match="dtype"):
                torch.mm(half, torch.ones(2, 2))
        assert matmul().dtype is torch.float16


def test_a_cpu_region_leaves_cuda_tensors_alone():
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.is_autocast_cpu_enabled() and not torch.is_autocast_enabled()
        assert torch.get_autocast_cpu_dtype() is torch.bfloat16
        assert matmul().dtype is torch.float32


def test_dtype_defaults_are_cudas():
    assert torch.get_autocast_dtype("cuda") is torch.float16
    assert torch.get_autocast_dtype("cpu") is torch.bfloat16
    with torch.autocast("cuda", dtype=torch.bfloat16):
        assert matmul().dtype is torch.get_autocast_dtype("cuda") is torch.bfloat16
    torch.set_autocast_gpu_dtype(torch.bfloat16)
    with torch.autocast("cuda"):
        assert matmul().dtype is torch.bfloat16


def test_state_set_by_hand():
    torch.set_autocast_enabled(True)
    assert matmul().dtype is torch.float16
    torch.set_autocast_enabled("cuda", False)
    assert matmul().dtype is torch.float32
    torch.set_autocast_cpu_enabled(True)
    assert torch.is_autocast_enabled("cpu") and matmul().dtype is torch.float32


def test_another_thread_starts_outside_with_cudas_defaults():
    seen = []

    def work():
        seen.append(torch.is_autocast_enabled())
        with torch.autocast("cuda"):
            seen.append(matmul().dtype)

    with torch.autocast("cuda", dtype=torch.bfloat16):
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
    assert seen == [False, torch.float16]


def test_models_train_in_mixed_precision_with_float32_gradients():
    layers = torch.nn.Conv2d(1, 2, 3), torch.nn.BatchNorm2d(2), torch.nn.Flatten(), torch.nn.Linear(8, 2)
    model = torch.nn.Sequential(*layers).cuda()
    with torch.autocast("cuda"):
        output = model(torch.randn(2, 1, 4, 4, device="cuda"))
        loss = torch.nn.functional.cross_entropy(output, torch.zeros(2, dtype=torch.long, device="cuda"))
    assert (output.dtype, loss.dtype) == (torch.float16, torch.float32)
    loss.backward()
    assert {p.grad.dtype for p in model.parameters()} == {torch.float32}


# -- the weight cache ------------------------------------------------------------------------------------------------

CACHING = {
    "torch's own kernel": lambda w: torch.mm(w, torch.ones(2, 2)),
    "an emulated kernel": lambda w: torch.mv(w, torch.ones(2)),
}


@pytest.mark.parametrize("kernel", CACHING)
def test_weights_stay_as_first_cast_until_the_outermost_region_ends(kernel):
    """Several optimizer steps in one region read stale weights, as on CUDA."""
    call = CACHING[kernel]
    weight = torch.nn.Parameter(torch.ones(2, 2, device="cuda"))
    with torch.autocast("cuda"):
        with torch.autocast("cuda"):
            before = call(weight)
        with torch.no_grad():
            weight.zero_()
        assert torch.equal(call(weight) != 0, before != 0)
        torch.clear_autocast_cache()
        assert not call(weight).any()
    with torch.autocast("cuda"):
        assert not call(weight).any()


@pytest.mark.parametrize("kernel", CACHING)
@pytest.mark.parametrize("why", ["cache disabled", "no grad required", "a view", "not a leaf"])
def test_everything_else_is_cast_anew(kernel, why):
    call = CACHING[kernel]
    weight = torch.ones(2, 2, device="cuda")
    if why != "no grad required":
        weight.requires_grad_()
    used = {"a view": weight.view(2, 2), "not a leaf": weight * 1}.get(why, weight)
    with torch.autocast("cuda", cache_enabled=why != "cache disabled"):
        call(used)
        with torch.no_grad():
            used.zero_()
        assert not call(used).any()


@pytest.mark.parametrize("kernel", CACHING)
def test_gradients_flow_through_cached_casts(kernel):
    call = CACHING[kernel]
    weight = torch.nn.Parameter(torch.ones(2, 2, device="cuda"))
    with torch.autocast("cuda"):
        total = call(weight).float().sum() + call(weight).float().sum()
    total.backward()
    assert weight.grad.dtype is torch.float32 and weight.grad.any()


def test_two_backwards_in_one_region_share_the_cached_cast():
    weight = torch.nn.Parameter(torch.ones(2, 2, device="cuda"))
    with torch.autocast("cuda"):
        torch.mm(weight, torch.ones(2, 2)).sum().backward()
        torch.mm(weight, torch.ones(2, 2)).sum().backward()
    assert torch.equal(weight.grad, torch.full((2, 2), 4.0))


# -- custom functions, checkpoint, double backward -------------------------------------------------------------------

DECORATORS = {
    "torch.cuda.amp": lambda **cast: (torch.cuda.amp.custom_fwd(**cast), torch.cuda.amp.custom_bwd),
    "torch.amp": lambda **cast: (
        torch.amp.custom_fwd(device_type="cuda", **cast),
        torch.amp.custom_bwd(device_type="cuda"),
    ),
}


def multiply(decorators, **cast):
    forward_decorator, backward_decorator = DECORATORS[decorators](**cast)

    class Multiply(torch.autograd.Function):
        @staticmethod
        @forward_decorator
        def forward(ctx, a, b):
            ctx.save_for_backward(a, b)
            ctx.seen = (a.dtype, torch.is_autocast_enabled())
            Multiply.seen = ctx.seen
            return a.mm(b)

        @staticmethod
        @backward_decorator
        def backward(ctx, grad):
            a, b = ctx.saved_tensors
            return grad.mm(b.t()), a.t().mm(grad)

    return Multiply


@pytest.mark.parametrize("decorators", DECORATORS)
def test_custom_functions_keep_the_forwards_state(decorators):
    function = multiply(decorators)
    a, b = torch.ones(2, 2, requires_grad=True), torch.ones(2, 2, requires_grad=True)
    with torch.autocast("cuda"):
        output = function.apply(a.cuda(), b.cuda())
    assert output.dtype is torch.float16
    output.sum().backward()
    assert a.grad.dtype is torch.float32


@pytest.mark.parametrize("decorators", DECORATORS)
def test_custom_forward_casts_its_inputs_and_leaves_autocast(decorators):
    function = multiply(decorators, cast_inputs=torch.float32)
    with torch.autocast("cuda"):
        output = function.apply(torch.ones(2, 2).cuda().half().requires_grad_(), torch.ones(2, 2).cuda())
        assert function.seen == (torch.float32, False)
    assert output.dtype is torch.float32


def test_a_function_without_decorators_fails_in_backward():
    class Plain(torch.autograd.Function):
        @staticmethod
        def forward(ctx, a, b):
            ctx.save_for_backward(a, b)
            return a.mm(b)

        @staticmethod
        def backward(ctx, grad):
            a, b = ctx.saved_tensors
            return grad.mm(b.t()), a.t().mm(grad)

    weight = torch.ones(2, 2, device="cuda", requires_grad=True)
    with torch.autocast("cuda"):
        output = Plain.apply(torch.ones(2, 2, device="cuda"), weight)
    with pytest.raises(RuntimeError, match="dtype"):
        output.sum().backward()


@pytest.mark.parametrize("reentrant", [True, False])
def test_checkpoint_recomputes_in_the_same_dtypes(reentrant):
    layer = torch.nn.Linear(4, 4).cuda()
    seen = []

    def block(x):
        h = layer(x)
        seen.append(h.dtype)
        return torch.dropout(h, 0.5, True)

    x = torch.randn(2, 4, device="cuda", requires_grad=True)
    with torch.autocast("cuda"):
        output = checkpoint(block, x, use_reentrant=reentrant)
    output.float().sum().backward()
    assert seen == [torch.float16, torch.float16]
    assert x.grad.any() and layer.weight.grad.any()


def test_double_backward():
    layer = torch.nn.Linear(4, 1).cuda()
    x = torch.randn(8, 4, device="cuda", requires_grad=True)
    with torch.autocast("cuda"):
        output = layer(x).pow(2).sum()
    (gradient,) = torch.autograd.grad(output, x, create_graph=True)
    with torch.autocast("cuda"):
        penalty = (gradient.norm(2, dim=1) - 1).pow(2).mean()
    penalty.backward()
    assert penalty.dtype is torch.float32
    assert layer.weight.grad.isfinite().all() and layer.weight.grad.any()


def test_functional_transforms():
    weight = torch.ones(4, 4, device="cuda")

    def loss(w, x):
        return torch.nn.functional.linear(x, w).float().pow(2).sum()

    with torch.autocast("cuda"):
        grads = torch.func.vmap(torch.func.grad(loss), in_dims=(None, 0))(weight, torch.ones(3, 2, 4, device="cuda"))
    assert grads.shape == (3, 4, 4) and grads.dtype is torch.float32


@pytest.mark.parametrize("backend", ["eager", "aot_eager", "inductor"])
def test_compiled_models_run_in_the_same_dtypes(backend):
    model = torch.nn.Linear(4, 4).cuda()
    compiled = torch.compile(model, backend=backend, mode="max-autotune" if backend == "inductor" else None)
    with torch.autocast("cuda"):
        assert compiled(torch.ones(2, 4, device="cuda")).dtype is torch.float16
    assert compiled._orig_mod is model
    assert set(compiled.state_dict()) == {"_orig_mod.weight", "_orig_mod.bias"}
    assert list(compiled.parameters()) == list(model.parameters())


def test_compiled_functions_and_modules_in_place():
    @torch.compile(fullgraph=True)
    def step(x):
        return torch.mm(x, x)

    model = torch.nn.Linear(2, 2).cuda()
    model.compile()
    with torch.autocast("cuda"):
        assert step(torch.ones(2, 2, device="cuda")).dtype is torch.float16
        assert model(torch.ones(2, 2, device="cuda")).dtype is torch.float16


def test_a_choice_of_attention_kernel_is_accepted():
    from torch.nn.attention import SDPBackend, sdpa_kernel

    q = torch.randn(1, 2, 4, 8, device="cuda")
    with torch.autocast("cuda"), sdpa_kernel(SDPBackend.EFFICIENT_ATTENTION):
        assert torch.nn.functional.scaled_dot_product_attention(q, q, q).dtype is torch.float16


def test_scripted_functions_see_torch_below_the_emulation():
    @torch.jit.script
    def shifted(x):
        return torch.zeros(2) + torch.ones_like(x)

    assert shifted(torch.ones(2, device="cuda")).sum() == 2


def test_it_can_be_asserted_that_the_emulation_is_at_work(monkeypatch):
    assert_active()
    monkeypatch.setattr(torch, "set_autocast_enabled", lambda *_: None)
    with pytest.raises(RuntimeError, match="not at work"):
        assert_active()
