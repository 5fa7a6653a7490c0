"""The most memory that tensors take at once during a step."""

from __future__ import annotations

import gc
from collections.abc import Callable

import torch

from ampfix.hardware.profile.workload import Workload

ALLOCATOR = "torch.cuda.max_memory_allocated"
TRACKED = "sizes of the tensors alive, counted op by op; what kernels need inside is left out"
PROCESS = "peak resident memory of the process, its libraries included"


def measure(work: Workload, step: Callable[[], None]) -> tuple[int | None, str]:
    """Bytes at the peak of one step, weights and optimizer included, and how that is known; None where it is not.

    Run one step of any arm before: the optimizer's state must be there.
    """
    work.optimizer.zero_grad(set_to_none=True)
    gc.collect()
    return (_on_cuda(step), ALLOCATOR) if work.device.type == "cuda" else _on_cpu(work, step)


def _on_cuda(step: Callable[[], None]) -> int:
    torch.cuda.synchronize()
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    step()
    torch.cuda.synchronize()
    return torch.cuda.max_memory_allocated()


def _on_cpu(work: Workload, step: Callable[[], None]) -> tuple[int | None, str]:
    try:
        from torch.distributed._tools.mem_tracker import MemTracker
    except ImportError:
        return None, "needs torch 2.5, whose tracker counts tensors"
    tracker = MemTracker()
    inputs = [item for item in work.inputs if isinstance(item, torch.Tensor)]
    tracker.track_external(work.model, work.optimizer, *inputs)
    with tracker:
        step()
    found = tracker.get_tracker_snapshot("peak").get(torch.device("cpu"), {})
    return int(found.get("Total", 0)) or None, TRACKED
