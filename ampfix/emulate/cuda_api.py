"""The `torch.cuda` namespace under emulation: answers, no-ops, and a refusal for everything else."""

# ruff: noqa: ARG005 (the parameters are those of torch.cuda)
from __future__ import annotations

import contextlib
import inspect
import types
from collections.abc import Callable
from typing import Any

import torch

from ampfix.emulate import memory, streams
from ampfix.emulate.errors import UnsupportedCudaApi
from ampfix.emulate.patches import Patches
from ampfix.emulate.placement import place_of
from ampfix.emulate.profiles import DeviceProfile

_CUDA_VERSION = "12.6"  # code gates bfloat16 on torch.version.cuda; any release from 11.0 on gives the same answers

# Names in torch.cuda that need no device: classes of errors, and context managers built on the functions below.
_DEVICE_FREE = frozenset({"CudaError", "DeferredCudaCallError", "cudaStatus", "check_error", "device", "device_of"})

# Private names that programs call all the same.
_PRIVATE = {"_sleep", "_compile_kernel", "_record_memory_history", "_dump_snapshot", "_snapshot"}

_ADVICE = "the emulated GPU cannot stand in for it; guard it, or run on a GPU"


def emulate_cuda_module(patches: Patches, profile: DeviceProfile) -> None:
    """Make `torch.cuda` answer for `profile`; what has no answer raises `UnsupportedCudaApi` when called."""
    cuda = torch.cuda
    answers = {**_queries(profile), **_random(), **_order(), **memory.api(profile)}
    submodules = [
        module
        for module in vars(cuda).values()
        if isinstance(module, types.ModuleType) and module.__name__.startswith("torch.cuda.")
    ]
    for name, answer in answers.items():
        _replace(patches, cuda, submodules, name, answer)
    for name in sorted(set(cuda.__all__) | _PRIVATE):
        current = vars(cuda).get(name) or vars(cuda.memory).get(name)
        if name in answers or name in _DEVICE_FREE or not callable(current):
            continue
        if not name.endswith(("Tensor", "Storage")):
            _replace(patches, cuda, submodules, name, _refusal(f"torch.cuda.{name}", current))
    _profiling(patches)
    _refuse_submodules(patches)
    patches.set(torch.version, "cuda", _CUDA_VERSION)
    patches.set(torch.backends.cuda, "is_built", lambda: True)
    patches.set(torch.backends.cudnn, "is_available", lambda: True)
    patches.set(torch.backends.cudnn, "version", lambda: 90100)
    patches.set(torch.backends.cudnn, "is_acceptable", lambda tensor: False)  # no weights to pack for it
    _emulate_accelerator(patches, answers)
    for name, generic in (("Event", streams.GenericEvent), ("Stream", streams.EmulatedStream)):
        patches.set(torch, name, generic)


def _replace(patches: Patches, cuda: Any, submodules: list[types.ModuleType], name: str, value: Any) -> None:
    """Set `name` in torch.cuda and in those of its submodules that hold the same object (memory, random, ...)."""
    owners = [cuda, *submodules]
    current = next((vars(owner)[name] for owner in owners if name in vars(owner)), None)
    for owner in owners:
        if current is not None and vars(owner).get(name) is current:
            patches.set(owner, name, value)


def _refusal(name: str, current: Any) -> Any:
    def refuse(*_args: Any, **_kwargs: Any) -> Any:
        raise UnsupportedCudaApi(f"{name}(): {_ADVICE}")

    if isinstance(current, type):  # stays a class: isinstance checks and annotations go on working
        return type(current.__name__, (), {"__new__": refuse, "__doc__": current.__doc__})
    refuse.__name__ = name.rpartition(".")[2]
    return refuse


def _escaped(*_args: Any, **_kwargs: Any) -> Any:
    """torch initialises CUDA: something named a CUDA device below the level that is emulated."""
    raise UnsupportedCudaApi(
        "a CUDA device was asked for through a call that the emulation does not cover (the traceback shows which): "
        "pass the device to .to(), .cuda() or a factory function, or run on a GPU"
    )


def _index(device: Any = None) -> int:
    if device is not None and place_of(device) != "cuda":
        raise ValueError(f"Expected a cuda device, but got: {device}")
    return 0


class _Properties(types.SimpleNamespace):
    """What `torch.cuda.get_device_properties` returns."""


def _queries(profile: DeviceProfile) -> dict[str, Any]:
    major, minor = profile.capability
    properties = _Properties(
        name=profile.device_name,
        major=major,
        minor=minor,
        total_memory=profile.total_memory,
        multi_processor_count=profile.multi_processor_count,
        max_threads_per_multi_processor=profile.max_threads_per_multi_processor,
        warp_size=32,
        regs_per_multiprocessor=65536,
        is_integrated=0,
        is_multi_gpu_board=0,
        gcnArchName=profile.device_name,
    )

    def on_device(value: Any) -> Callable[..., Any]:
        def answer(device: Any = None) -> Any:
            _index(device)
            return value

        return answer

    return {
        "is_available": lambda: True,
        "is_initialized": lambda: True,
        "init": lambda: None,
        "_lazy_init": _escaped,
        "_lazy_call": _escaped,
        "device_count": lambda: 1,
        "current_device": lambda: 0,
        "get_device_name": on_device(profile.device_name),
        "get_device_capability": on_device(profile.capability),
        "get_device_properties": on_device(properties),
        "set_device": on_device(None),
        "_exchange_device": lambda index: 0,
        "_maybe_exchange_device": lambda index: 0,
        # Emulation counts: torch answers True wherever a bfloat16 tensor can be made, tensor cores or not.
        "is_bf16_supported": lambda including_emulation=True: including_emulation or major >= 8,
        "is_tf32_supported": lambda: major >= 8,
        "can_device_access_peer": lambda device, peer_device: False,
        "get_arch_list": lambda: [f"sm_{major}{minor}"],
        "get_gencode_flags": lambda: f"-gencode compute=compute_{major}{minor},code=sm_{major}{minor}",
        "has_half": True,
        "has_magma": True,
    }


def _random() -> dict[str, Any]:
    """One generator serves both devices: CUDA's own random streams cannot be reproduced on a CPU."""
    generator = torch.default_generator

    def seed_with(seed: int) -> None:
        generator.manual_seed(int(seed))

    return {
        "manual_seed": seed_with,
        "manual_seed_all": seed_with,
        "seed": lambda: generator.seed() and None,
        "seed_all": lambda: generator.seed() and None,
        "initial_seed": generator.initial_seed,
        "get_rng_state": lambda device="cuda": generator.get_state(),
        "get_rng_state_all": lambda: [generator.get_state()],
        "set_rng_state": lambda new_state, device="cuda": generator.set_state(new_state) and None,
        "set_rng_state_all": lambda new_states: generator.set_state(next(iter(new_states))) and None,
        "default_generators": (generator,),
    }


def _order() -> dict[str, Any]:
    """Streams, events and synchronisation: calls return when the work is done, so waiting is a no-op."""
    default = streams.EmulatedStream()
    return {
        "synchronize": lambda device=None: None,
        "current_stream": lambda device=None: default,
        "default_stream": lambda device=None: default,
        "set_stream": lambda stream: None,
        "stream": streams.StreamGuard,
        "StreamContext": streams.StreamGuard,
        "Stream": streams.EmulatedStream,
        "Event": streams.EmulatedEvent,
        "is_current_stream_capturing": lambda: False,
        "ipc_collect": lambda: None,
        "get_sync_debug_mode": lambda: 0,
        "set_sync_debug_mode": lambda debug_mode: None,
    }


def _emulate_accelerator(patches: Patches, answers: dict[str, Any]) -> None:
    """torch.accelerator (2.6 on) speaks of the same device; its names resemble torch.cuda's."""
    accelerator = getattr(torch, "accelerator", None)
    if accelerator is None:
        return
    own = {
        "current_accelerator": lambda check_available=False: torch.device("cuda"),
        "current_device_index": answers["current_device"],
        "current_device_idx": answers["current_device"],
        "set_device_index": answers["set_device"],
        "set_device_idx": answers["set_device"],
        "get_memory_info": answers["mem_get_info"],
    }
    for name in accelerator.__all__:
        if callable(vars(accelerator)[name]):
            answer = own.get(name) or answers.get(name) or _refusal(f"torch.accelerator.{name}", None)
            patches.set(accelerator, name, answer)


def _profiling(patches: Patches) -> None:
    """Profiler ranges mark time on a timeline and change nothing; the profiler sees the host alone."""
    nvtx = torch.cuda.nvtx
    quiet: dict[str, Any] = {
        "range_push": lambda msg: 0,
        "range_pop": lambda: 0,
        "range_start": lambda msg: 0,
        "range_end": lambda range_id: None,
        "mark": lambda msg: None,
        "range": lambda msg, *args, **kwargs: contextlib.nullcontext(),
    }
    for name, function in quiet.items():
        patches.set(nvtx, name, function)
    for name in ("start", "stop"):
        patches.set(torch.cuda.profiler, name, lambda: None)
    native: Any = torch.autograd.profiler.profile.__init__

    def host_only(self: Any, *args: Any, **options: Any) -> None:
        options |= {name: None for name in ("use_device", "use_cuda") if name in options}
        native(self, *args, **options)

    patches.set(torch.autograd.profiler.profile, "__init__", host_only)


def _refuse_submodules(patches: Patches) -> None:
    for name in ("nccl", "comm", "jiterator", "graphs", "tunable", "gds", "green_contexts"):
        module = vars(torch.cuda).get(name)
        if module is None:
            continue
        for member, value in list(vars(module).items()):
            own = getattr(value, "__module__", None) == module.__name__
            if own and not member.startswith("__") and (inspect.isfunction(value) or inspect.isclass(value)):
                patches.set(module, member, _refusal(f"torch.cuda.{name}.{member}", value))
