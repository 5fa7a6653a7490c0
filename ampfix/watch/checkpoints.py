"""Observes torch.save and torch.load: whether what goes to disk holds optimizer and scaler state."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import torch

from ampfix.protocol import EventKind
from ampfix.watch.journal import Journal
from ampfix.watch.patches import Patches

_SCALER_KEYS = {"scale", "growth_factor", "backoff_factor", "growth_interval"}
_OPTIMIZER_KEYS = {"state", "param_groups"}
_HALVES = {"float16", "bfloat16"}
_DEPTH = 4  # nesting of a checkpoint that is looked through


class CheckpointObserver:
    """Writes CHECKPOINT_SAVE and CHECKPOINT_LOAD. `scaler` and `optimizers` hold the keys under which their states lie
    in the checkpoint, such as "scaler" and ("optimizer",); `dtype` is that of weights in half."""

    def __init__(self, journal: Journal) -> None:
        self._journal = journal

    def install(self, patches: Patches) -> None:
        patches.function(torch, "save", self._save)
        patches.function(torch, "load", self._load)

    def _save(self, original: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        self._write(EventKind.CHECKPOINT_SAVE, args[0] if args else kwargs.get("obj"))
        return original(*args, **kwargs)

    def _load(self, original: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        thing = original(*args, **kwargs)
        self._write(EventKind.CHECKPOINT_LOAD, thing)
        return thing

    def _write(self, kind: EventKind, thing: Any) -> None:
        states = list(_states(thing, "", _DEPTH))
        scaler = next((key for key, state in states if state.keys() >= _SCALER_KEYS), None)
        optimizers = tuple(key for key, state in states if state.keys() >= _OPTIMIZER_KEYS)
        self._journal.emit(kind, scaler=scaler, optimizers=optimizers, dtype=_dtype(states))


def _dtype(states: list[tuple[str, Mapping[Any, Any]]]) -> str | None:
    """The half dtype in which a checkpoint's weights are, None where they are not all in one."""
    for _, state in states:
        tensors = [value for value in state.values() if isinstance(value, torch.Tensor) and value.is_floating_point()]
        dtypes = {str(tensor.dtype).removeprefix("torch.") for tensor in tensors}
        if len(dtypes) == 1 and dtypes <= _HALVES:
            return dtypes.pop()
    return None


def _states(thing: Any, key: str, depth: int) -> Iterator[tuple[str, Mapping[Any, Any]]]:
    if not isinstance(thing, Mapping) or depth == 0:
        return
    yield key, thing
    for name, value in thing.items():
        yield from _states(value, str(name), depth - 1)
