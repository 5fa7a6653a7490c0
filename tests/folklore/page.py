"""Writes docs/folklore.md: `python -m tests.folklore.page` after a test of this folder changed."""

from __future__ import annotations

import importlib
import inspect
import re
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

from ampfix.rules import all_rules
from tests.folklore.claims import Claim

FOLDER = Path(__file__).parent
PAGE = FOLDER.parents[1] / "docs" / "folklore.md"

INTRODUCTION = """\
# Folklore

What people say about mixed precision, and what execution shows. Each saying is refuted by the test printed below it,
which runs with the test suite; this page is generated from those tests (`python -m tests.folklore.page`).

`cuda()` is `ampfix.emulate.cuda`: inside it a CPU follows CUDA's autocast policy. Tests marked `cuda` need a GPU.
"""


def page() -> str:
    """The whole page."""
    return "\n".join([INTRODUCTION, *(line for module in modules() for line in _module(module))])


def modules() -> list[ModuleType]:
    """The modules of sayings, by name."""
    names = sorted(path.stem for path in FOLDER.glob("test_*.py") if path.stem != "test_page")
    return [importlib.import_module(f"tests.folklore.{name}") for name in names]


def proofs(module: ModuleType) -> dict[str, Callable[..., Any]]:
    """A module's tests in the order they are written in."""
    return {name: value for name, value in vars(module).items() if name.startswith("test_")}


def _module(module: ModuleType) -> Iterator[str]:
    yield f"## {(module.__doc__ or '').strip().rstrip('.')}\n"
    for name, test in proofs(module).items():
        claim: Claim = test.claim  # type: ignore[attr-defined]
        yield f'### "{claim.said}"\n'
        yield from textwrap.wrap(claim.truth, 120, break_long_words=False, break_on_hyphens=False)
        if claim.rules:
            yield f"\nSee {', '.join(_link(code) for code in claim.rules)}."
        yield f"\n```python\n# {Path(str(module.__file__)).name}, {name}\n{_body(test)}\n```\n"


def _link(code: str) -> str:
    name = next(rule.name for rule in all_rules() if rule.code == code)
    return f"[{code} ({name})](rules/{name}.md)"


def _body(test: Callable[..., Any]) -> str:
    """What a test executes, without its decorators."""
    lines = inspect.getsource(test).splitlines()
    start = next(index for index, line in enumerate(lines) if re.match(r"def test_", line))
    return textwrap.dedent("\n".join(lines[start + 1 :])).rstrip()


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
