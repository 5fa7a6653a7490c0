"""What an agent runs to see its loop at work: trained as written and in float32, on data that no judge uses.

It runs in the agent's own process, without a jail: nothing it prints enters a verdict.
"""

from __future__ import annotations

import importlib
import os
import runpy
import sys
import tempfile
import traceback
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from ampfix.emulate import cuda, force_fp32

_SEED = 20_000


def main(entry: str, style: str, steps: int, profile: str) -> int:
    """Run both trainings in the current folder and print held-out losses. Exit code 1 where the loop raises."""
    os.environ.update(RANK="0", LOCAL_RANK="0", WORLD_SIZE="1", MASTER_ADDR="127.0.0.1", MASTER_PORT="0")
    sys.path.insert(0, str(Path(entry).parent))
    sys.path.insert(0, "")
    reference = _train(entry, style, steps, profile, "fp32")
    loss = _train(entry, style, steps, profile, "as_written")
    if isinstance(loss, str):
        sys.stdout.write(loss)
        return 1
    shown = reference if isinstance(reference, float) else float("nan")
    sys.stdout.write(f"held-out loss {loss:.6g}, with everything in float32 {shown:.6g} (lower is better)\n")
    return 0


def _train(entry: str, style: str, steps: int, profile: str, precision: str) -> float | str:
    """The held-out loss, or the traceback of what the loop raised."""
    import torch

    ampfix_task: Any = importlib.import_module("graders.ampfix_task")
    sys.modules["ampfix_task"] = ampfix_task
    torch.manual_seed(0)
    torch.set_num_threads(1)
    made = runpy.run_path("task.py")
    modules, data = made["build"](_SEED), made["data"](_SEED)
    with ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        stack.enter_context(cuda(profile))
        if precision == "fp32":
            stack.enter_context(force_fp32())
        batches = ampfix_task.Batches(data.train, steps)
        task = ampfix_task.Task(modules, batches, torch.device("cuda"), steps, Path(folder))
        ampfix_task.task = task
        try:
            _run(entry, style, task)
        except Exception:
            return traceback.format_exc()
    return _judged(task.modules, made, data)


def _run(entry: str, style: str, task: Any) -> None:
    for name in [name for name, module in sys.modules.items() if _is_here(module)]:
        del sys.modules[name]  # so that both trainings import the loop anew
    if style == "script":
        runpy.run_path(entry, run_name="__main__")
    else:
        importlib.import_module(".".join(Path(entry).with_suffix("").parts)).train(task)


def _is_here(module: Any) -> bool:
    file = getattr(module, "__file__", None)
    return file is not None and Path(file).resolve().is_relative_to(Path.cwd())


def _judged(modules: Any, made: dict[str, Any], data: Any) -> float:
    import torch

    trained = {name: module.float().eval() for name, module in modules.items() if isinstance(module, torch.nn.Module)}
    with torch.no_grad():
        return float(made["evaluate"](trained, data.heldout))
