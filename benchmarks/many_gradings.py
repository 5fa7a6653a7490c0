"""Many gradings in a row on one runner: memory, descriptors, processes, files and control groups have to stay flat.

    python benchmarks/many_gradings.py [--gradings 500] [--scenario FOLDER] [--json FILE]

Each grading has a secret and an answer of its own, on one seed; every tenth answer crashes. Exits with 1 where more is
held at the end than behind the first tenth: a descriptor, thread, process, file or control group, or 16 MiB of memory.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
import threading
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from ampfix.lab.grade import grade
from ampfix.lab.process import ProcessRunner
from ampfix.lab.server import Server
from ampfix.lab.spec import ScenarioSpec, load
from ampfix.lab.submission import from_text
from graders.jail_cgroup import writable_groups
from graders.jail_tree import descendants

_ALLOWED_BYTES = 16 << 20
_TOY = Path(__file__).parent.parent / "tests" / "golden" / "scenarios" / "toy"


@dataclass(frozen=True)
class Held:
    """What the grading processes hold between two gradings; memory in bytes, of this process and the two servers."""

    grading: int
    memory: tuple[int, ...]
    descriptors: tuple[int, ...]
    threads: int
    processes: int
    files: int
    groups: int

    def exceeds(self, earlier: Held) -> list[str]:
        """The names of what has grown."""
        grown = [
            name for name in ("threads", "processes", "files", "groups") if getattr(self, name) > getattr(earlier, name)
        ]
        if any(now > then for now, then in zip(self.descriptors, earlier.descriptors, strict=True)):
            grown.append("descriptors")
        if any(now - then > _ALLOWED_BYTES for now, then in zip(self.memory, earlier.memory, strict=True)):
            grown.append("memory")
        return grown


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gradings", type=int, default=500)
    parser.add_argument("--scenario", type=Path, default=_TOY, help="a scenario's folder (default: a small one)")
    parser.add_argument("--json", type=Path)
    args = parser.parse_args()
    spec = load(args.scenario).model_copy(update={"seeds": (0,)})
    began, every = time.monotonic(), max(1, args.gradings // 10)
    with tempfile.TemporaryDirectory(prefix="ampfix-many-") as folder:
        tempfile.tempdir = folder
        with ProcessRunner() as runner:
            held: list[Held] = []
            statuses: dict[str, int] = {}
            for number in range(1, args.gradings + 1):
                status = _graded(spec, runner, number)
                statuses[status] = statuses.get(status, 0) + 1
                if number % every == 0:
                    held.append(_held(number, runner, Path(folder)))
                    print(_line(held[-1]), flush=True)
    grown = held[-1].exceeds(held[0])
    seconds = time.monotonic() - began
    print(f"{args.gradings} gradings in {seconds:.0f} s: {statuses}; grown: {', '.join(grown) or 'nothing'}")
    if args.json:
        report = {"schema": 1, "scenario": spec.id, "seconds": seconds, "statuses": statuses, "grown": grown}
        args.json.write_text(json.dumps(report | {"held": [asdict(one) for one in held]}, indent=2) + "\n")
    return 1 if grown or set(statuses) - {"pass", "fail"} else 0


def _graded(spec: ScenarioSpec, runner: ProcessRunner, number: int) -> str:
    text = f"{spec.gold_files()[spec.entry]}\n# {number}\n"
    if number % 10 == 0:
        text += "raise RuntimeError('every tenth answer crashes')\n"
    return grade(from_text(text), spec, runner=runner).status.value


def _held(number: int, runner: ProcessRunner, folder: Path) -> Held:
    servers = [_pid(server) for server in (runner._submissions, runner._judge) if isinstance(server, Server)]
    pids = [os.getpid(), *servers]
    groups = [child for group in writable_groups() for child in group.parent.glob(f"ampfix-{os.getpid()}-*")]
    return Held(
        grading=number,
        memory=tuple(_private_bytes(pid) for pid in pids),
        descriptors=tuple(sum(1 for _ in Path(f"/proc/{pid}/fd").iterdir()) for pid in pids),
        threads=threading.active_count(),
        processes=len(descendants(os.getpid())),
        files=sum(1 for _ in folder.rglob("*")),
        groups=len(groups),
    )


def _pid(server: Server) -> int:
    assert server._process is not None
    return server._process.pid


def _private_bytes(pid: int) -> int:
    fields = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return int(fields["RssAnon"].split()[0]) * 1024


def _line(held: Held) -> str:
    memory = ", ".join(f"{size / 2**20:.1f}" for size in held.memory)
    descriptors = ", ".join(map(str, held.descriptors))
    return (
        f"{held.grading:5}: {memory} MiB; descriptors {descriptors}; {held.threads} threads, "
        f"{held.processes} processes, {held.files} files, {held.groups} control groups"
    )


if __name__ == "__main__":
    sys.exit(main())
