"""The judge: makes a run's inputs and measures the weights it left. Never imports or runs what was submitted.

prepare: task.py's build(seed) and data(seed) become init, train and held-out files.
judge:   weights are validated, evaluated on the held-out data, and compared with the fp32 reference's.
"""

from __future__ import annotations

import math
import shutil
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from graders import ampfix_task, tensors
from graders.gate import REST
from graders.modules import load_module, seed_cpu, sized

INIT, TRAIN, HELDOUT = "init.safetensors", "train.safetensors", "heldout.safetensors"

State = dict[str, torch.Tensor]

_TINY_TASK = """
import torch
from ampfix_task import Data
from torch import nn


def build(seed):
    return {"net": nn.Linear(1, 1)}


def data(seed):
    batch = (torch.randn(1, 1), torch.randn(1, 1))
    return Data(train=[batch], heldout=[batch])


def evaluate(modules, heldout):
    return sum(nn.functional.mse_loss(modules["net"](inputs), targets) for inputs, targets in heldout)
"""


def prepare(
    task_file: str, seed: int, shown: str, hidden: str, size: str = "", warm_up: int | None = None
) -> dict[str, Any]:
    """Write init and train batches into the folder `shown`, held-out batches into `hidden`.

    size: which of a task's sizes, "" for the usual one. warm_up: withhold the training batches from this one on; they
    go to `hidden`, and `withheld` in the result is their file, empty where the data do not reach that far.
    """
    torch.set_num_threads(1)
    task = load_module("task", Path(task_file))
    modules = sized(task.build, seed, size)
    data: ampfix_task.Data = sized(task.data, seed, size)
    state = tensors.state_of(modules, ())
    Path(shown, INIT).write_bytes(tensors.dump(state))
    Path(shown, TRAIN).write_bytes(tensors.dump_batches(data.train[:warm_up]))
    rest, withheld = [] if warm_up is None else data.train[warm_up:], ""
    if rest:
        withheld = str(Path(hidden, REST))
        Path(withheld).write_bytes(tensors.dump_batches(rest))
    Path(hidden, HELDOUT).write_bytes(tensors.dump_batches(data.heldout))
    parameters = sum(p.numel() for module in modules.values() for p in module.parameters())
    return {"parameters": parameters, "withheld": withheld}


def judge(task_file: str, inputs: str, hidden: str, run: str, reference: str | None, size: str = "") -> dict[str, Any]:
    """Measure one run.

    inputs, hidden, size: folders and argument of `prepare`.
    run: folder with weights.safetensors and perhaps snapshot.safetensors.
    reference: the fp32 reference's folder of the same kind; None where this run is the reference itself.
    Returns loss (may be nan or inf), problem ("", "malformed_weights", "half_weights" or "not_finite") with a detail,
    and distances: trajectory, fp32_distance, travelled (each None where it cannot be had).
    """
    torch.set_num_threads(1)
    seed_cpu()
    task = load_module("task", Path(task_file))
    modules = sized(task.build, 0, size)
    initial = tensors.read(Path(inputs, INIT))
    names = _parameter_names(modules)
    longest = 4 * tensors.header_bytes(Path(inputs, INIT)) + 4096
    weights, problem, detail = _validated(Path(run, "weights.safetensors"), initial, longest)
    measured: dict[str, Any] = {"loss": None, "problem": problem, "detail": detail}
    if weights is None:
        return measured
    if not problem:
        measured["loss"] = _evaluate(task, modules, weights, Path(hidden, HELDOUT))
        if not math.isfinite(measured["loss"]):
            measured |= {"problem": "not_finite", "detail": "the held-out loss is not finite"}
    base = Path(run if reference is None else reference)
    final, early, mine = (
        _validated(path, initial, longest)[0]
        for path in (base / "weights.safetensors", base / "snapshot.safetensors", Path(run, "snapshot.safetensors"))
    )
    measured["fp32_distance"] = _relative(weights, final, initial, names)
    measured["trajectory"] = _relative(mine, early, initial, names)
    measured["travelled"] = _relative(weights, initial, initial, names, unit=final)
    return measured


def rehearse() -> None:
    """Prepare and judge a tiny task, so that forks of this process find loaded and built what a first use makes."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "task.py").write_text(_TINY_TASK, encoding="utf-8")
        prepare(str(folder / "task.py"), 0, name, name)
        for file in ("weights.safetensors", "snapshot.safetensors"):
            shutil.copyfile(folder / INIT, folder / file)
        judge(str(folder / "task.py"), name, name, name, None)
    del sys.modules["task"]


def _parameter_names(modules: Mapping[str, nn.Module]) -> list[str]:
    return [f"{name}.{key}" for name, module in modules.items() for key, _ in module.named_parameters()]


def _validated(path: Path, initial: State, longest: int) -> tuple[State | None, str, str]:
    """The weights as float32 where their names and shapes are right, and what is wrong with them.

    longest: bytes of the largest header that will be parsed; what it names takes memory before it can be compared.
    """
    try:
        if (length := tensors.header_bytes(path)) > longest:
            return None, "malformed_weights", f"a header of {length} bytes"
        state = tensors.read(path)
    except FileNotFoundError:
        return None, "malformed_weights", "no weights arrived"
    except Exception as error:  # of the file's content: the reader and torch raise what they like
        return None, "malformed_weights", f"not a safetensors file: {error}"
    if (difference := set(state) ^ set(initial)) != set():
        return None, "malformed_weights", f"missing or unknown: {', '.join(sorted(difference)[:3])}"
    for key, tensor in state.items():
        if tensor.shape != initial[key].shape:
            shapes = f"{tuple(tensor.shape)} instead of {tuple(initial[key].shape)}"
            return None, "malformed_weights", f"{key} has shape {shapes}"
    wrong = [key for key, tensor in state.items() if tensor.dtype != initial[key].dtype]
    detail = f"{wrong[0]} is {str(state[wrong[0]].dtype).removeprefix('torch.')}" if wrong else ""
    if any(state[key].dtype not in (torch.float16, torch.bfloat16) for key in wrong):
        return None, "malformed_weights", detail
    if wrong:
        return {key: tensor.to(initial[key].dtype) for key, tensor in state.items()}, "half_weights", detail
    infinite = [key for key, tensor in state.items() if tensor.is_floating_point() and not tensor.isfinite().all()]
    return state, "not_finite" if infinite else "", f"{infinite[0]} holds NaN or inf" if infinite else ""


def _evaluate(task: Any, modules: dict[str, nn.Module], weights: State, heldout: Path) -> float:
    tensors.load_state(modules, weights)
    for module in modules.values():
        module.eval()
    with torch.no_grad():
        return float(task.evaluate(modules, tensors.read_batches(heldout)))


def _relative(
    a: State | None, b: State | None, origin: State, names: list[str], unit: State | None = None
) -> float | None:
    """|a - b| / |unit - origin| over the parameters, unit being b unless given. None where it is undefined."""
    reference = b if unit is None else unit
    if a is None or b is None or reference is None:
        return None
    travelled = _distance(reference, origin, names)
    return _distance(a, b, names) / travelled if travelled > 0 else None


def _distance(a: State, b: State, names: list[str]) -> float:
    return math.sqrt(sum((a[name].double() - b[name].double()).square().sum().item() for name in names))
