"""The process engine: two warm servers on this machine, a jail for every run."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from ampfix.lab.causes import InfraError
from ampfix.lab.runner import Execution, Inputs, Precision, Runner
from ampfix.lab.server import Server, SubmissionServer
from ampfix.lab.spec import TASK_FILE, LimitsSpec, ScenarioSpec
from ampfix.lab.verdict import Isolation

_MIB = 1 << 20
_JUDGE_TIMEOUT_S = 120.0
_STARTUP_ALLOWANCE_S = 150.0  # a cold import of torch on a busy machine, and the jail's own start
_PROCESSES = 64
_FILE_BYTES = 256 * _MIB
_OUTPUT_BYTES = 512 * _MIB
_SCRATCH_BYTES = 256 * _MIB


class ProcessRunner(Runner):
    """Runs loops on this machine. device: "cpu" (CUDA emulated) or "cuda".

    submissions: where the loops run; a server of this machine's own unless given, closed with the runner.
    """

    def __init__(self, device: str = "cpu", submissions: SubmissionServer | None = None) -> None:
        self.device = device
        self.policy = "cuda" if device == "cpu" else "native"
        self._submissions = submissions or Server("submission")
        self._judge = Server("judge")

    def prepare(self, spec: ScenarioSpec, seed: int, folder: Path) -> Inputs:
        self._submissions.start()  # warms up while the judge prepares
        shown, hidden = folder / "shown", folder / "hidden"
        for path in (folder, shown):
            path.mkdir(mode=0o755)
        hidden.mkdir(mode=0o700)
        shutil.copyfile(spec.task_file, shown / TASK_FILE)
        arguments = {"task_file": str(shown / TASK_FILE), "seed": seed, "shown": str(shown), "hidden": str(hidden)}
        self._judge.call("prepare", arguments, _JUDGE_TIMEOUT_S)
        return Inputs(seed, shown, hidden)

    def execute(
        self, spec: ScenarioSpec, files: Path, inputs: Inputs, folder: Path, precision: Precision = "as_written"
    ) -> Execution:
        folder.mkdir(mode=0o700)
        loop = {
            "entry": spec.entry,
            "style": spec.style,
            "steps": spec.steps,
            "snapshot_step": spec.snapshot_step,
            "profile": spec.device.profile,
            "device": "emulated" if self.device == "cpu" else self.device,
            "precision": precision,
            "processes": spec.processes,
        }
        arguments = {
            "answer": str(files),
            "inputs": str(inputs.shown),
            "out": str(folder),
            "loop": loop,
            "limits": _limits(spec.limits),
        }
        report = self._submissions.call("run", arguments, spec.limits.wall_s + _STARTUP_ALLOWANCE_S)
        if report["outcome"] in ("setup_failed", "cancelled"):
            raise InfraError("jail_setup", report["detail"])
        return Execution(
            outcome=report["outcome"],
            exit_code=report["exit_code"],
            detail=report["detail"],
            complete=report["complete"],
            wall_s=report["wall_s"],
            isolation=_isolation(report["level"]),
            folder=folder,
            output=report["output"],
        )

    def judge(self, inputs: Inputs, run: Path, reference: Path | None) -> dict[str, Any]:
        arguments = {
            "task_file": str(inputs.shown / TASK_FILE),
            "inputs": str(inputs.shown),
            "hidden": str(inputs.hidden),
            "run": str(run),
            "reference": None if reference is None else str(reference),
        }
        measured: dict[str, Any] = self._judge.call("judge", arguments, _JUDGE_TIMEOUT_S)
        return measured

    def isolation(self) -> Isolation:
        return _isolation(self._submissions.call("probe", {}, _STARTUP_ALLOWANCE_S))

    def close(self) -> None:
        for server in (self._submissions, self._judge):
            server.close()


def _limits(limits: LimitsSpec) -> dict[str, float | int]:
    return {
        "wall_s": limits.wall_s,
        "memory_bytes": limits.memory_mb * _MIB,
        "processes": _PROCESSES,
        "file_bytes": _FILE_BYTES,
        "output_bytes": _OUTPUT_BYTES,
        "tmp_bytes": _SCRATCH_BYTES,
    }


def _isolation(level: dict[str, Any]) -> Isolation:
    return Isolation(level=level["name"], undefended=tuple(level["undefended"]))
