"""Nothing of the emulation is left behind, in this process or in what it forks."""

import gc
import multiprocessing.context
import os
import subprocess
import sys
import weakref

import pytest
import torch

import ampfix.emulate
from ampfix.emulate import cuda, force_fp32

OWNERS = [
    torch,
    torch.Tensor,
    torch.UntypedStorage,
    torch.TypedStorage,
    torch.nn.Module,
    torch.amp.autocast_mode,
    torch.amp.autocast_mode.autocast,
    torch.amp.grad_scaler.GradScaler,
    torch.cuda.amp,
    torch.cuda.amp.autocast_mode.autocast,
    torch.serialization,
    torch.nn.attention,
    multiprocessing.context.SpawnProcess,
    multiprocessing.context.ForkServerProcess,
    torch.nn.utils.rnn,
    torch.utils._device,
    torch.utils._device.DeviceContext,
    torch.utils.checkpoint.DefaultDeviceType,
    torch.jit._builtins,
    torch.nn.parallel.comm,
    torch.distributed,
    torch.distributed.distributed_c10d,
    torch._dynamo,
    torch.fft,
    torch.nested,
    torch.version,
    getattr(torch, "accelerator", torch),  # 2.6 on
    *(module for module in vars(torch.cuda).values() if getattr(module, "__name__", "").startswith("torch.cuda.")),
    torch.autograd.profiler.profile,
    torch.cuda,
    torch.backends.cuda,
    torch.backends.cudnn,
]


def namespaces():
    return {f"{owner!r}.{name}": id(value) for owner in OWNERS for name, value in vars(owner).items()}


def exercise():
    """Use most of it, and leave a mess."""
    model = torch.nn.Sequential(torch.nn.Linear(4, 4), torch.nn.BatchNorm1d(4)).cuda()
    scaler = torch.amp.GradScaler("cuda", init_scale=8.0)
    optimizer = torch.optim.AdamW(model.parameters())
    with torch.autocast("cuda"):
        loss = torch.compile(model)(torch.randn(2, 4, device="cuda")).sum()
    scaler.scale(loss).backward()
    scaler.step(optimizer)
    scaler.update()
    torch.utils.checkpoint.checkpoint(torch.exp, torch.ones(2), use_reentrant=False)
    torch.optim.SGD([torch.zeros(2, requires_grad=True)], lr=0.1).step()
    torch.overrides.is_tensor_method_or_property(torch.Tensor.add)
    torch.set_default_device("cuda")
    torch.set_default_dtype(torch.float64)
    torch.set_autocast_cache_enabled(False)
    torch.autocast("cuda").__enter__()
    torch.autocast("cpu").__enter__()


def test_every_patched_name_is_put_back():
    before = namespaces()
    with cuda():
        assert namespaces() != before
        exercise()
    assert namespaces() == before


def test_every_patched_namespace_is_watched_by_the_test_above():
    from ampfix.emulate.patches import Patches

    owners = set()
    native = Patches.set

    def record(self, owner, name, value):
        owners.add(id(owner))
        native(self, owner, name, value)

    Patches.set = record
    try:
        with cuda():
            pass
        with force_fp32():
            pass
    finally:
        Patches.set = native
    assert owners <= {id(owner) for owner in OWNERS}


def test_behaviour_is_torchs_own_again():
    with cuda():
        exercise()
    assert not torch.cuda.is_available()
    assert torch.zeros(2).device.type == "cpu" and torch.zeros(2).dtype is torch.float32
    assert torch.is_autocast_cache_enabled()
    assert not torch.is_autocast_enabled() and not torch.is_autocast_enabled("cpu")
    assert torch.get_autocast_dtype("cuda") is torch.float16
    assert torch.get_autocast_dtype("cpu") is torch.bfloat16
    for call in (lambda: torch.zeros(2).cuda(), lambda: torch.zeros(2, device="cuda")):
        with pytest.raises((AssertionError, RuntimeError), match=r"not compiled with CUDA|no NVIDIA driver"):
            call()
    with torch.autocast("cpu", dtype=torch.float16):
        half = torch.mm(torch.ones(2, 2), torch.ones(2, 2))
        assert half.dtype is half.exp().dtype is torch.float16  # the CPU's policy leaves exp alone
        probability = torch.full((2,), 0.5)
        assert torch.nn.functional.binary_cross_entropy(probability, probability).dtype is torch.float32
    with pytest.warns(UserWarning, match="CUDA is not available"):
        assert not torch.autocast("cuda")._enabled
    with pytest.warns(UserWarning, match="CUDA is not available"):
        assert not torch.amp.GradScaler("cuda").is_enabled()


def test_undone_after_an_exception():
    before = namespaces()
    with pytest.raises(KeyError), cuda(), torch.autocast("cuda"):
        raise KeyError
    assert namespaces() == before
    with cuda():
        assert torch.cuda.is_available()


def test_undone_when_installing_fails(monkeypatch):
    before = namespaces()
    monkeypatch.setattr("ampfix.emulate.session.emulate_compilers", lambda patches: 1 / 0)
    with pytest.raises(ZeroDivisionError), cuda():
        pass
    assert namespaces() == before


def test_a_second_emulation_is_refused_and_changes_nothing():
    with cuda("A100"):
        inside = namespaces()
        with pytest.raises(RuntimeError, match=r"already being emulated \(A100\)"), cuda("T4"):
            pass
        assert namespaces() == inside
        assert torch.cuda.get_device_capability() == (8, 0)


def test_an_outer_cpu_region_is_undisturbed():
    with torch.autocast("cpu", dtype=torch.float16):
        with cuda():
            assert torch.is_autocast_enabled("cpu") and not torch.is_autocast_enabled("cuda")
            assert torch.mm(torch.ones(2, 2), torch.ones(2, 2)).dtype is torch.float32
            with torch.autocast("cuda"):
                pass
        assert torch.is_autocast_enabled("cpu")
        assert torch.mm(torch.ones(2, 2), torch.ones(2, 2)).dtype is torch.float16


def test_no_cache_of_torch_keeps_a_patched_function():
    """torch keeps tables of its own functions, filled on first use; none may remember an emulated one."""
    with cuda():
        exercise()
        made = [torch.zeros, torch.nn.Module.to, torch.is_autocast_enabled, torch.cuda.memory_allocated, torch.device]
        kept = [weakref.ref(function) for function in made]
        del made
    gc.collect()
    assert [reference() for reference in kept] == [None] * len(kept)


def test_a_forked_child_can_install_it_and_the_parent_sees_nothing():
    before = namespaces()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            torch.set_num_threads(1)
            with cuda("H100"), torch.autocast("cuda"):
                x = torch.ones(2, 2, device="cuda")
                status = 0 if torch.mm(x, x).dtype is torch.float16 else 2
        finally:
            os._exit(status)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert namespaces() == before and not torch.cuda.is_available()


def test_a_child_forked_inside_inherits_it():
    with cuda():
        child = os.fork()
        if child == 0:
            with torch.autocast("cuda"):
                os._exit(0 if torch.mm(torch.ones(2, 2), torch.ones(2, 2)).dtype is torch.float16 else 1)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@pytest.mark.parametrize("statement", ["import ampfix.emulate", "from ampfix.emulate import PROFILES, cuda as c"])
def test_importing_the_package_imports_torch_only_for_what_needs_it(statement):
    program = f"import sys; {statement}; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str("cuda" in statement)


def test_unknown_names_of_the_package_are_attribute_errors():
    with pytest.raises(AttributeError, match="nonsense"):
        _ = ampfix.emulate.nonsense
