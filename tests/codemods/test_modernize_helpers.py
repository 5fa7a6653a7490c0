"""Every deprecated helper of torch x import spelling x form: the same state is read and set, without warnings."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from typing import Any

import pytest
import torch

from ampfix.codemods.fixpoint import fix_text
from ampfix.lint import Settings, check_source
from ampfix.rules._successors import SUCCESSORS

HELPERS = sorted(name.removeprefix("torch.") for name in SUCCESSORS if name.count(".") == 1)
IMPORTS = {
    "import torch": "torch.{n}",
    "import torch as th": "th.{n}",
    "from torch import {n}": "{n}",
    "from torch import {n} as f": "f",
    "from torch import (\n    nn,\n    {n},\n)": "{n}",
    "import torch.nn": "torch.{n}",
}
FORMS = {
    "call": "r = {x}({a})",
    "argument": "r = [{x}({a}), str({x}({a}))][0]",
    "partial": "import functools\nr = functools.partial({x}{c}{a})()",
    "variable": "f0 = {x}\nr = f0({a})",
    "attribute": "class S: pass\nS.v = {x}({a})\nr = S.v",
    "lambda": "r = (lambda: {x}({a}))()",
    "method": "class S:\n    def f(self): return {x}({a})\nr = S().f()",
    "default argument": "def f1(v={x}({a})): return v\nr = f1()",
}


def cases() -> Iterator[Any]:
    for name in HELPERS:
        for line, spelling in IMPORTS.items():
            for form, body in FORMS.items():
                argument = _argument(name)
                if form == "variable" and argument:
                    continue  # called with positional arguments, whose places moved: refused
                if form not in ("call", "partial") and not ("cpu" in name or "gpu" in name):
                    continue  # the same code as for these
                x = spelling.format(n=name)
                after = "\n" + body.format(x=x, a=argument, c=", " if argument else "")
                extra = "import torch\n" if argument == "torch.bfloat16" else ""
                yield pytest.param(f"{extra}{line.format(n=name)}{after}\n", name, id=f"{name}-{form}-{line!r}")


def _argument(name: str) -> str:
    if name.startswith("set_"):
        return "torch.bfloat16" if name.endswith("dtype") else "True"
    return ""


def outcome(program: str, name: str, action: str) -> tuple[Any, Any]:
    """What the program computed, and the autocast state it left."""
    device = next(d for d in ("cuda", "cpu", "xla", "ipu") if ("gpu" if d == "cuda" else d) in name)
    before = torch.get_autocast_dtype(device), torch.is_autocast_enabled(device)
    namespace: dict[str, Any] = {}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter(action, DeprecationWarning)  # type: ignore[arg-type]
            warnings.simplefilter(action, FutureWarning)  # type: ignore[arg-type]
            exec(compile(program, "program.py", "exec"), namespace)
        return namespace["r"], (torch.get_autocast_dtype(device), torch.is_autocast_enabled(device))
    finally:
        torch.set_autocast_dtype(device, before[0])
        torch.set_autocast_enabled(device, before[1])


@pytest.mark.parametrize(("program", "name"), list(cases()))
def test_a_repaired_helper_does_the_same_without_warnings(program: str, name: str) -> None:
    def check(text: str) -> list[Any]:
        return check_source(text, "program.py", Settings(select=("AMP601",)))

    fixed = fix_text(program, check)
    assert fixed.unfixed == ()
    assert name not in fixed.text
    assert outcome(fixed.text, name, "error") == outcome(program, name, "ignore")
