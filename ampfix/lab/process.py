"""The process engine: two warm servers on this machine, a jail for every run."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from ampfix.lab.causes import InfraError
from ampfix.lab.gpu import Gpu
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

# What CUDA takes on top: its context and libraries in the host's memory, some threads, and their start.
_CUDA_MEMORY_BYTES = 16 << 30
_CUDA_PROCESSES = 192
_CUDA_START_S = 60.0


class ProcessRunner(Runner):
    """Runs loops on this machine. device: "cpu" (CUDA emulated) or "cuda".

    submissions: where the loops run; a server of this machine's own unless given, closed with the runner.
    """

    def __init__(self, device: str = "cpu", submissions: SubmissionServer | None = None) -> None:
        self.device = device
        self.policy = "cuda" if device == "cpu" else "native"
        self.can_time = device == "cuda" and submissions is None
        self._size = "" if device == "cpu" else device
        self._submissions = submissions or Server("submission", device)
        self._judge = Server("judge")

    def find_gpu(self) -> str:
        """Look at the CUDA device from a process of its own and keep it as `gpu`; why there is none, else empty."""
        return self._keep_gpu(self._judge.call("describe_gpu", {}, _JUDGE_TIMEOUT_S))

    def _keep_gpu(self, found: dict[str, Any]) -> str:
        if not found["problem"]:
            self.gpu = Gpu(found["name"], tuple(found["capability"]), found["cuda"])
        return str(found["problem"])

    def prepare(self, spec: ScenarioSpec, seed: int, folder: Path) -> Inputs:
        return self._prepare(spec, seed, folder, None)

    def prepare_timed(self, spec: ScenarioSpec, seed: int, folder: Path, warm_up: int) -> Inputs:
        inputs = self._prepare(spec, seed, folder, warm_up)
        if inputs.withheld is None or spec.steps <= warm_up:
            raise InfraError("job_failed", f"{spec.id} trains on nothing behind the {warm_up} steps of the warm-up")
        return inputs

    def _prepare(self, spec: ScenarioSpec, seed: int, folder: Path, warm_up: int | None) -> Inputs:
        self._submissions.start()  # warms up while the judge prepares
        shown, hidden = folder / "shown", folder / "hidden"
        for path in (folder, shown):
            path.mkdir(mode=0o755)
        hidden.mkdir(mode=0o700)
        shutil.copyfile(spec.task_file, shown / TASK_FILE)
        arguments = {
            "task_file": str(shown / TASK_FILE),
            "seed": seed,
            "shown": str(shown),
            "hidden": str(hidden),
            "size": self._size,
            "warm_up": warm_up,
        }
        made = self._judge.call("prepare", arguments, _JUDGE_TIMEOUT_S)
        return Inputs(seed, shown, hidden, Path(made["withheld"]) if made["withheld"] else None)

    def execute(
        self, spec: ScenarioSpec, files: Path, inputs: Inputs, folder: Path, precision: Precision = "as_written"
    ) -> Execution:
        return self._execute(spec, files, inputs, folder, {"precision": precision})

    def time_steps(
        self, spec: ScenarioSpec, files: Path, inputs: Inputs, folder: Path, precision: Precision
    ) -> Execution:
        gate = folder.with_name(f"{folder.name}-gate")
        gate.mkdir(mode=0o755)
        try:
            opened = {"withheld": str(inputs.withheld), "folder": str(gate)}
            return self._execute(spec, files, inputs, folder, {"precision": precision, "is_timed": True}, opened)
        finally:
            shutil.rmtree(gate, ignore_errors=True)

    def _execute(
        self,
        spec: ScenarioSpec,
        files: Path,
        inputs: Inputs,
        folder: Path,
        how: dict[str, Any],
        gate: dict[str, str] | None = None,
    ) -> Execution:
        folder.mkdir(mode=0o700)
        limits = _limits(spec.limits, self.device)
        loop = {
            "entry": spec.entry,
            "style": spec.style,
            "steps": spec.steps,
            "snapshot_step": spec.snapshot_step,
            "profile": spec.device.profile,
            "device": "emulated" if self.device == "cpu" else self.device,
            "processes": spec.processes,
            "size": self._size,
            **how,
        }
        arguments = {
            "answer": str(files),
            "inputs": str(inputs.shown),
            "out": str(folder),
            "loop": loop,
            "limits": limits,
            "gate": gate,
        }
        report = self._submissions.call("run", arguments, limits["wall_s"] + _STARTUP_ALLOWANCE_S)
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
            timed_s=report["timed_s"],
        )

    def judge(self, inputs: Inputs, run: Path, reference: Path | None) -> dict[str, Any]:
        arguments = {
            "task_file": str(inputs.shown / TASK_FILE),
            "inputs": str(inputs.shown),
            "hidden": str(inputs.hidden),
            "run": str(run),
            "reference": None if reference is None else str(reference),
            "size": self._size,
        }
        measured: dict[str, Any] = self._judge.call("judge", arguments, _JUDGE_TIMEOUT_S)
        return measured

    def isolation(self) -> Isolation:
        asked = {} if self.device == "cpu" else {"device": self.device}
        return _isolation(self._submissions.call("probe", asked, _STARTUP_ALLOWANCE_S))

    def close(self) -> None:
        for server in (self._submissions, self._judge):
            server.close()


def _limits(limits: LimitsSpec, device: str) -> dict[str, float | int]:
    on_gpu = device == "cuda"
    return {
        "wall_s": limits.wall_s + on_gpu * _CUDA_START_S,
        "memory_bytes": limits.memory_mb * _MIB + on_gpu * _CUDA_MEMORY_BYTES,
        "processes": _PROCESSES + on_gpu * _CUDA_PROCESSES,
        "file_bytes": _FILE_BYTES,
        "output_bytes": _OUTPUT_BYTES,
        "tmp_bytes": _SCRATCH_BYTES,
    }


def _isolation(level: dict[str, Any]) -> Isolation:
    return Isolation(level=level["name"], undefended=tuple(level["undefended"]))
