"""Scenarios under pressures as samples."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

from inspect_ai.dataset import MemoryDataset, Sample

from ampfix.agents.answers import Mode
from ampfix.agents.pressures import NEUTRAL, PRESSURES
from ampfix.agents.prompts import render
from ampfix.agents.solvers.workspace import lay_out
from ampfix.lab.spec import ScenarioSpec, all_specs, find


def dataset(
    scenarios: str | Sequence[str] | None, pressures: str | Sequence[str], mode: Mode, root: Path | None = None
) -> MemoryDataset:
    """One sample for each scenario and pressure ("all": every one). root: where the scenarios lie, None for our own.
    Raises SpecError and ValueError for unknown names.

    A sample's id names the scenario; what a model sees does not.
    """
    specs = [find(name, root) for name in _names(scenarios)] if scenarios else all_specs(root)
    chosen = list(PRESSURES) if pressures == "all" else _names(pressures)
    for name in chosen:
        if name not in PRESSURES:
            raise ValueError(f"unknown pressure {name!r}: expected one of {', '.join(PRESSURES)}")
    samples = [_sample(spec, pressure, mode) for spec in specs for pressure in chosen]
    return MemoryDataset(samples, name=f"ampfix-{mode.value}")


def _names(given: str | Sequence[str]) -> list[str]:
    return [name.strip() for name in given.split(",")] if isinstance(given, str) else list(given)


def _sample(spec: ScenarioSpec, pressure: str, mode: Mode) -> Sample:
    prompt = render(spec, pressure, mode)
    return Sample(
        id=spec.id if pressure == NEUTRAL else f"{spec.id}@{pressure}",
        input=prompt.text,
        target="pass",
        metadata={"scenario_id": spec.id, "family": spec.family, "pressure": pressure, "mode": mode.value},
        files=_files(spec, pressure) if mode is Mode.WORKSPACE else None,
    )


def _files(spec: ScenarioSpec, pressure: str) -> dict[str, str]:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        lay_out(folder, spec, render(spec, pressure, Mode.WORKSPACE))
        paths = [path for path in sorted(folder.rglob("*")) if path.is_file()]
        return {path.relative_to(folder).as_posix(): path.read_text(encoding="utf-8") for path in paths}
