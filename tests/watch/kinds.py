"""Loops of many kinds under watch: a right one stays as it is, and a bug is named where it stands."""

from __future__ import annotations

import inspect
import linecache
from collections.abc import Callable
from typing import Any

import pytest
import torch

from ampfix.watch import Watch

Weights = list[torch.Tensor]


def weights(*modules: torch.nn.Module) -> Weights:
    return [parameter.detach().clone() for module in modules for parameter in module.parameters()]


def watched(loop: Callable[..., Weights], *args: Any) -> tuple[Watch, Weights]:
    """Run a loop under watch. What torch raises ends it, as it would end a script."""
    watch, left = Watch(tell=lambda _: None), []
    try:
        with watch:
            left = loop(*args)
    except (AssertionError, RuntimeError):
        pass
    return watch, left


def unharmed(loop: Callable[..., Weights], *args: Any) -> Watch:
    """Check that a right loop raises no alarm, and ends with the weights of a run that is not watched."""
    plain = loop(*args)
    watch, seen = watched(loop, *args)
    assert [(alarm.code or alarm.name, alarm.line) for alarm in watch.alarms] == []
    assert len(plain) == len(seen) and all(map(torch.equal, plain, seen))
    assert all(torch.isfinite(tensor).all() for tensor in plain)
    return watch


def first_named(loop: Callable[..., Weights], *args: Any) -> tuple[str, str]:
    """The code of the first alarm, and the comment of the line it points at."""
    watch, _ = watched(loop, *args)
    if not watch.alarms:
        pytest.fail("nothing was told")
    alarm = watch.alarms[0]
    assert alarm.path == inspect.getsourcefile(loop)
    return alarm.code or alarm.name, linecache.getline(alarm.path, alarm.line).partition("#")[2].strip()
