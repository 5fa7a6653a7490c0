"""What a sample asks about, and what its model answered."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from inspect_ai.solver import TaskState
from inspect_ai.util import sandbox

from ampfix.agents.answers import Mode
from ampfix.agents.predictions import Key
from ampfix.lab.spec import ScenarioSpec, find
from ampfix.lab.submission import LARGEST_ANSWER


def key_of(state: TaskState) -> Key:
    about = state.metadata
    return Key(
        scenario_id=about["scenario_id"], model=str(state.model), pressure=about["pressure"], mode=Mode(about["mode"]),
        sample=state.epoch - 1,
    )  # fmt: skip


def scenario_of(state: TaskState, scenarios: Path | None) -> ScenarioSpec:
    """Raises SpecError."""
    return find(state.metadata["scenario_id"], scenarios)


async def answer_of(state: TaskState, spec: ScenarioSpec) -> bytes:
    """What a model said, or the files as it left them."""
    if state.metadata["mode"] != Mode.WORKSPACE.value:
        return state.output.completion.encode("utf-8", errors="surrogatepass")
    original = spec.loop_files()
    said = await _file("ANSWER.md")
    fields: dict[str, Any] = {"diagnosis": said if said is not None else state.output.completion}
    files = {name: await _file(name) for name in original}
    changed = {name: text for name, text in files.items() if text is not None and text != original[name]}
    return json.dumps({**fields, **({"files": changed} if changed else {})}).encode()


async def _file(name: str) -> str | None:
    """A file of the sandbox; None where it is gone, no text or too large: the loop is then as it was."""
    try:
        raw: bytes = await sandbox().read_file(name, text=False)
        return raw.decode("utf-8-sig") if len(raw) <= LARGEST_ANSWER else None
    except (OSError, UnicodeDecodeError):
        return None
