"""Every import spelling x deprecated symbol x form of use: the output runs without deprecation warnings, and makes
the very same calls of torch.amp that the deprecated spelling made."""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch

from ampfix.codemods import carry_out
from ampfix.codemods.edits import split_lines
from ampfix.findings import Applicability, Position, Repair, Span

# import lines -> how the symbol N is then spelled
IMPORTS = {
    "import torch": "torch.{device}.amp.{n}",
    "import torch as th": "th.{device}.amp.{n}",
    "import torch.{device}.amp": "torch.{device}.amp.{n}",
    "import torch.{device}.amp as tamp": "tamp.{n}",
    "import torch, torch.{device}.amp as tamp": "tamp.{n}",
    "from torch import {device}": "{device}.amp.{n}",
    "import torch\nfrom torch import {device}": "{device}.amp.{n}",
    "from torch.{device} import amp": "amp.{n}",
    "from torch.{device} import amp as tamp": "tamp.{n}",
    "from torch.{device} import amp, synchronize": "amp.{n}",
    "from torch.{device}.amp import {n}": "{n}",
    "from torch.{device}.amp import {n} as x": "x",
    "from torch.{device}.amp import (\n    {n},\n)": "{n}",
    "from torch.{device}.amp import {n}, autocast_mode": "{n}",
    "from torch.{device}.amp.{module} import {n}": "{n}",
    "from torch.{device}.amp.{module} import {n} as x": "x",
    "from torch.{device}.amp import {module}": "{module}.{n}",
    "import torch.{device}.amp.{module}": "torch.{device}.amp.{module}.{n}",
    "import torch.{device}.amp.{module} as m": "m.{n}",
}
CONTEXT = {
    "call": "c = {x}()\nwith c: pass",
    "with": "with {x}(): pass",
    "with and positionals": "import torch\nwith {x}(True, torch.bfloat16, False) as r: pass",
    "positional expression": "flag = False\nwith {x}(flag or not flag, dtype=None): pass",
    "keywords": "with {x}(enabled=False): pass",
    "unpacked keywords": "k = dict(enabled=False)\nwith {x}(**k): pass",
    "positional and unpacked": "k = dict(cache_enabled=False)\nwith {x}(False, **k): pass",
    "decorator": "@{x}()\ndef f(): pass\nf()",
    "decorated method": "class M:\n    @{x}(enabled=False)\n    def f(self): pass\nM().f()",
    "partial": "import functools\np = functools.partial({x}, enabled=False)\nwith p(): pass",
    "partial with positional": "from functools import partial\nwith partial({x}, False)(cache_enabled=False): pass",
    "variable": "ctx = {x}\nwith ctx(enabled=False): pass",
    "variable or nothing": "import contextlib\nc = {x} if True else contextlib.nullcontext\nwith c(): pass",
    "attribute": "class M:\n  def __init__(self): self.c = {x}\n  def f(self):\n    with self.c(): pass\nM().f()",
    "local import user": "def f():\n    with {x}(): return 1\nf()",
    "class attribute": "class M:\n  c = {x}(enabled=False)\n  def f(self):\n    with self.c: pass\nM().f()",
    "default argument": "def f(c={x}(False)):\n    with c: pass\nf()",
    "lambda": "f = lambda: {x}(False)\nwith f(): pass",
    "dictionary": "cs = {'a': {x}(), 'b': {x}(enabled=False)}",
    "walrus": "with (c := {x}(cache_enabled=False)): pass",
    "exit stack": "import contextlib\nwith contextlib.ExitStack() as s: s.enter_context({x}())",
    "generator": "import contextlib\n@contextlib.contextmanager\ndef f():\n    with {x}(): yield\nwith f(): pass",
    "coroutine": "import asyncio\nasync def f():\n    with {x}(): return 1\nasyncio.run(f())",
    "several lines": "with {x}(\n    True,  # on\n    cache_enabled=False,\n): pass",
    "two of them": "with {x}(), {x}(False): pass",
    "inside an expression": "cs = [{x}(bool(i)) for i in range(2)]",
    "isinstance": "c = {x}()\nassert isinstance(c, {x})",
}
SCALER = {
    "call": "s = {x}()",
    "positionals": "s = {x}(1024., 3.0, .25, 7, True)",
    "keywords": "s = {x}(init_scale=2.**8, enabled=False)",
    "mixed": "s = {x}(8.0, growth_interval=5)",
    "partial": "import functools as ft\ns = ft.partial({x}, 16.0)()",
    "subclass": "class S({x}):\n    def __init__(self): super().__init__(32.0)\nS()",
    "annotation": "def f(s: {x} = None) -> '{x}': return s\nf({x}())",
    "isinstance": "assert isinstance({x}(4.0), {x})",
    "conditional": "s = {x}(enabled=True) if True else None",
    "several lines": "s = {x}(\n    64.0,\n    enabled=False\n)",
}
FUNCTION = {
    "bare decorators": "class F:\n    @staticmethod\n    @{x}\n    def forward(ctx, a): return a",
    "call": "f = {x}(lambda ctx, a: a)",
}
FORWARD = {
    **FUNCTION,
    "cast_inputs": "import torch\n@{x}(cast_inputs=torch.float32)\ndef f(ctx, a): return a",
    "no arguments": "@{x}()\ndef f(ctx, a): return a",
    "call and cast": "import torch as t\nf = {x}(lambda ctx, a: a, cast_inputs=t.float16)",
}
FORMS = {"autocast": CONTEXT, "GradScaler": SCALER, "custom_fwd": FORWARD, "custom_bwd": FUNCTION}
MODULES = {"GradScaler": "grad_scaler"}


def cases() -> Iterator[Any]:
    for name, forms in FORMS.items():
        for device in ("cuda", "cpu") if name in ("autocast", "GradScaler") else ("cuda",):
            for line, spelling in IMPORTS.items():
                for form, body in list(forms.items())[: None if device == "cuda" else 4]:
                    words = {"device": device, "n": name, "module": MODULES.get(name, "autocast_mode")}
                    x = spelling.format(**words)
                    program = f"{line.format(**words)}\n{body.replace('{x}', x)}\n"
                    yield pytest.param(program, x, id=f"{device}-{name}-{form}-{line!r}")


def repairs_of(program: str, spelled: str) -> list[Repair]:
    found = []
    for number, line in enumerate(split_lines(program), 1):
        if line.lstrip().startswith(("import", "from")):
            continue
        column = line.find(spelled)
        while column >= 0:
            around = line[column - 1 : column] + line[column + len(spelled) :][:1]
            in_import = column == 4 and line.endswith(",\n")
            if not in_import and "'" not in around and not any(c.isalnum() or c == "_" for c in around):
                span = Span(Position(number, column + 1), Position(number, column + 1 + len(spelled)))
                found.append(Repair("modernize_api", Applicability.SAFE, "m", span))
            column = line.find(spelled, column + 1)
    return found


def calls_of(program: str, monkeypatch: pytest.MonkeyPatch, action: str) -> list[tuple[str, dict[str, Any]]]:
    """Run a program; what it asked of torch.amp, with defaults filled in."""
    log: list[tuple[str, dict[str, Any]]] = []

    def record(name: str, function: Callable[..., Any], defaults: dict[str, Any]) -> Callable[..., Any]:
        signature = inspect.signature(function)

        def wrapper(*args: Any, **kwargs: Any) -> Any:
            bound = signature.bind(*args, **kwargs)
            bound.apply_defaults()
            seen = {k: v for k, v in bound.arguments.items() if k in ("dtype", "enabled") or not callable(v)}
            for own in ("self", "fwd", "bwd"):
                seen.pop(own, None)
            call = (name, {k: defaults.get(k) if v is None else v for k, v in seen.items()})
            if not name.startswith("custom_") or log[-1:] != [call]:  # without a function they return themselves bound
                log.append(call)
            return function(*args, **kwargs)

        return wrapper

    with monkeypatch.context() as patch:
        autocast, scaler = torch.amp.autocast, torch.amp.GradScaler
        # the old classes name their default dtype, the new one looks it up
        patch.setattr(autocast, "__init__", record("autocast", autocast.__init__, {"cache_enabled": True}))
        patch.setattr(scaler, "__init__", record("GradScaler", scaler.__init__, {}))
        for name in ("custom_fwd", "custom_bwd"):
            recorded = record(name, getattr(torch.amp, name), {})
            for module in (torch.amp, torch.amp.autocast_mode):
                patch.setattr(module, name, recorded)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            warnings.simplefilter(action, FutureWarning)  # type: ignore[arg-type]
            warnings.simplefilter(action, DeprecationWarning)  # type: ignore[arg-type]
            exec(compile(program, "program.py", "exec"), {"__name__": "program"})
    for _, arguments in log:
        if "dtype" in arguments and arguments["dtype"] is None:
            arguments["dtype"] = torch.get_autocast_dtype(arguments["device_type"])
    return log


@pytest.mark.parametrize(("program", "spelled"), list(cases()))
def test_repaired_program_calls_the_same_without_warnings(
    program: str, spelled: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    repairs = repairs_of(program, spelled)
    after = carry_out(program, *repairs)
    assert calls_of(after, monkeypatch, "error") == calls_of(program, monkeypatch, "ignore"), after
    left = after.replace(f"'{spelled}'", "")  # a string annotation is no use of the name
    for device in ("cuda", "cpu"):
        assert f"torch.{device}.amp" not in left or f"torch.{device}.amp import autocast_mode" in left
