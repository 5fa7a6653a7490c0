"""A watched run's record on disk, gathered for pages: curves, alarms, ranges, and how it ended."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ampfix.report.histogram import Counts, LayerRange
from ampfix.watch import log


@dataclass(frozen=True)
class Record:
    """The lines of one process's record, by kind, in their order."""

    path: Path
    lines: Mapping[str, Sequence[Mapping[str, Any]]]

    @property
    def begin(self) -> Mapping[str, Any]:
        return next(iter(self.lines.get("begin", ())), {})

    @property
    def end(self) -> Mapping[str, Any] | None:
        """None for a run that was killed, or goes on."""
        return next(iter(self.lines.get("end", ())), None)

    @property
    def error(self) -> Mapping[str, Any] | None:
        return next(iter(self.lines.get("error", ())), None)

    @property
    def steps(self) -> Sequence[Mapping[str, Any]]:
        return self.lines.get("step", ())

    @property
    def alarms(self) -> Sequence[Mapping[str, Any]]:
        return self.lines.get("alarm", ())

    @property
    def optimizers(self) -> list[str]:
        return list(dict.fromkeys(str(step.get("optimizer", "")) for step in self.steps))

    def curve(self, name: str, optimizer: str | None = None) -> tuple[tuple[float, float], ...]:
        """(attempt, value) of a field of the steps, where it is there; of one optimizer's, or of all."""
        return tuple(
            (float(step["attempt"]), number_of(step[name]))
            for step in self.steps
            if step.get(name) is not None and (optimizer is None or step.get("optimizer") == optimizer)
        )

    @property
    def skipped(self) -> list[float]:
        return [float(step["attempt"]) for step in self.steps if step.get("applied") is False]

    @property
    def work(self) -> Mapping[str, int]:
        """Floating point operations by dtype, as far as they were counted."""
        if self.end is not None and self.end.get("flops"):
            return dict(self.end["flops"])
        counted = [step["flops"] for step in self.steps if step.get("flops")]
        return dict(counted[-1]) if counted else {}

    @property
    def layers(self) -> list[LayerRange]:
        """The last census of ranges, empty where none was taken."""
        census = list(self.lines.get("ranges", ()))
        if not census:
            return []
        wants = (census[-1].get("advice") or {}).get("wants_float32") or {}
        return [_layer(layer, wants) for layer in census[-1].get("layers", ())]

    @property
    def advice(self) -> Mapping[str, Any]:
        """log2 of loss scales that suit the gradients seen, {} where no census was taken."""
        census = list(self.lines.get("ranges", ()))
        return (census[-1].get("advice") or {}) if census else {}

    @property
    def forecast(self) -> Mapping[str, Any]:
        """What the model of the scale predicts, {} where it has nothing to go by."""
        model = (self.end or {}).get("scale_model") or {}
        return model.get("forecast") or {}

    @property
    def half_dtype(self) -> bool:
        """Whether any work ran in half."""
        return any(name in ("float16", "bfloat16") for name in self.work)


def read(path: Path) -> Record:
    """Raises OSError, and ValueError for a file that is no record."""
    lines: dict[str, list[Mapping[str, Any]]] = {}
    for line in log.read(path):
        lines.setdefault(str(line.get("kind")), []).append(line)
    if "begin" not in lines:
        raise ValueError(f"{path}: is no record of `ampfix watch`")
    return Record(path, lines)


def records(folder: Path) -> list[Record]:
    """The records of a folder, rank 0 first. Raises OSError, and ValueError where there is none."""
    found = [read(path) for path in sorted(folder.glob("watch-*.jsonl"), key=lambda path: (len(path.stem), path.stem))]
    if not found:
        raise ValueError(f"{folder}: holds no watch-*.jsonl")
    return found


def number_of(value: Any) -> float:
    """A number of a record, where those that JSON lacks are words."""
    try:
        return float(value)
    except (TypeError, ValueError):
        return math.nan


def _layer(told: Mapping[str, Any], wants: Mapping[str, str]) -> LayerRange:
    low, module = int(told.get("low", 0)), str(told.get("module", ""))
    counts: Counts = {low + index: int(count) for index, count in enumerate(told.get("counts", ())) if count}
    return LayerRange(
        module, str(told.get("side", "")), str(told.get("dtype", "")), counts, int(told.get("zeros", 0)),
        int(told.get("nonfinite", 0)), str(wants.get(module, "")),
    )  # fmt: skip


def together(layers: Sequence[LayerRange]) -> Counts:
    """All layers' histograms in one."""
    total: Counter[int] = Counter()
    for layer in layers:
        total.update(layer.counts)
    return dict(total)
