"""The folder an agent works in."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

from ampfix import assets
from ampfix.agents.answers import Mode
from ampfix.agents.prompts import Prompt
from ampfix.lab.spec import ScenarioSpec

_TRY_LOOP = '''\
"""Trains the loop in this folder on data of its own, on a CPU that plays a GPU, and prints how well it learned."""

import sys

sys.path[:0] = [{site!r}, {graders!r}]
from graders.tryout import main

sys.exit(main({entry!r}, {style!r}, {steps}, {profile!r}))
'''


def lay_out(folder: Path, spec: ScenarioSpec, prompt: Prompt) -> None:
    """Write the request and the loop; in workspace mode also what it takes to run it."""
    files = {"PROMPT.md": prompt.text, **spec.loop_files()}
    if prompt.mode is Mode.WORKSPACE:
        files["task.py"] = _without_comments(spec.task_file.read_text(encoding="utf-8"))
        files["try_loop.py"] = _TRY_LOOP.format(
            site=str(Path(sys.modules["ampfix"].__file__ or "").resolve().parent.parent),
            graders=str(assets.path("graders").parent),
            entry=spec.entry,
            style=spec.style,
            steps=spec.steps,
            profile=spec.device.profile,
        )
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="")


def _without_comments(text: str) -> str:
    """Code alone: what a task's author says about it may say what is wrong with the loop."""
    tree = ast.parse(text)
    for node in ast.walk(tree):
        if isinstance(node, (ast.Module, ast.FunctionDef, ast.ClassDef)) and ast.get_docstring(node) is not None:
            node.body = node.body[1:] or [ast.Pass()]
    return ast.unparse(tree) + "\n"
