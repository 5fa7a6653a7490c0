"""`ampfix diagnose` on scenarios' loops, each as a script of its own: is the cause right, and the repair proven?

    python benchmarks/diagnose_scenarios.py ID...

Decoys must be called "not a precision problem". Results are kept by scenario in
benchmarks/results/diagnose_scenarios.json.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from ampfix.hardware.diagnosis import NOT_PRECISION, Diagnosis, diagnose
from ampfix.hardware.watching import Script
from ampfix.lab.spec import ScenarioSpec, find

RESULTS = Path(__file__).parent / "results" / "diagnose_scenarios.json"
_TASK = """import importlib.util, sys, tempfile
from pathlib import Path
import torch
from graders.ampfix_task import *
from graders.ampfix_task import Batches, Task

torch.set_num_threads(1)
spec = importlib.util.spec_from_file_location("task", {path!r})
module = importlib.util.module_from_spec(spec)
sys.modules["task"] = module
spec.loader.exec_module(module)
data, modules = module.data({seed}), module.build({seed})
torch.manual_seed(0)
device, workdir = torch.device("cuda"), Path(tempfile.mkdtemp())
task = Task(modules, Batches(data.train, {steps}), device, {steps}, workdir)
"""
_CALL = """

if __name__ == "__main__":
    from ampfix_task import task

    train(task)
"""


def script(spec: ScenarioSpec, folder: Path, seed: int) -> Script:
    """The loop as a script: a function is called at its end, so that its lines stay where they are."""
    text = spec.loop_files()[spec.entry]
    (folder / "loop.py").write_text(text + (_CALL if spec.style == "function" else ""), encoding="utf-8")
    stand_in = _TASK.format(path=str(spec.task_file), seed=seed, steps=spec.steps)
    (folder / "ampfix_task.py").write_text(stand_in, encoding="utf-8")
    return Script(str(folder / "loop.py"))


def row(spec: ScenarioSpec, found: Diagnosis) -> dict[str, Any]:
    wanted = [NOT_PRECISION] if spec.kind != "bug" else list(spec.rules)
    return {
        "id": spec.id,
        "kind": spec.kind,
        "wanted": wanted,
        "cause": found.cause,
        "right": found.cause in wanted,
        "proven": found.proven if found.repaired is not None else None,
        "reasons": list(found.reasons),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("ids", nargs="+")
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    known = {found["id"]: found for found in json.loads(RESULTS.read_text())} if RESULTS.is_file() else {}
    for name in args.ids:
        spec = find(name)
        if spec.style == "package" or spec.processes > 1:
            parser.error(f"{name}: only loops of one file and one process can be diagnosed")
        with tempfile.TemporaryDirectory() as scratch:
            folder = Path(scratch)
            os.environ["PYTHONPATH"] = os.pathsep.join([str(folder), str(Path(__file__).resolve().parents[1])])
            known[name] = row(spec, diagnose(script(spec, folder, args.seed), folder / "out", spec.device.profile))
        print({key: known[name][key] for key in ("id", "cause", "right", "proven")}, flush=True)
        RESULTS.write_text(json.dumps([known[each] for each in sorted(known)], indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
