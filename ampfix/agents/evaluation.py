"""An evaluation: an agent is asked about scenarios, under pressures, several times; its answers lie in a file.

Answers come first and grading after, so that no agent is at work while secrets exist. Both go on where they stopped.
"""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from itertools import islice
from pathlib import Path
from typing import IO

from pydantic import ValidationError

from ampfix import atomic
from ampfix.agents.answers import Mode
from ampfix.agents.predictions import Key, index
from ampfix.agents.prompts import render
from ampfix.agents.solvers import Reply, Solver
from ampfix.lab.models import Document
from ampfix.lab.spec import ScenarioSpec

ANSWERS, PLAN, RESULTS = "answers.jsonl", "run.json", "results.jsonl"


class PlanError(ValueError):
    """A folder that holds another run; the message is one line."""


class Plan(Document):
    """What a run asks. agent: its name. command: what runs it, empty for a reference agent."""

    agent: str
    command: str = ""
    mode: Mode
    scenarios: tuple[str, ...]
    pressures: tuple[str, ...]
    samples: int

    def requests(self) -> Iterator[Key]:
        for scenario in self.scenarios:
            for pressure in self.pressures:
                for sample in range(self.samples):
                    yield Key(scenario_id=scenario, model=self.agent, pressure=pressure, mode=self.mode, sample=sample)


def open_run(folder: Path, plan: Plan) -> None:
    """Begin a run in a folder, or go on with the one it holds. More samples may be asked for than before.

    Raises PlanError where it holds another run, OSError where the folder cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / PLAN
    if path.exists():
        try:
            held = Plan.model_validate_json(path.read_bytes())
        except ValidationError as error:
            raise PlanError(f"{path}: not the plan of a run") from error
        for name in ("agent", "command", "mode"):
            if getattr(held, name) != getattr(plan, name):
                shown = getattr(held, name)
                raise PlanError(
                    f"{folder} holds a run with {name} {getattr(shown, 'value', shown)!r}: choose another --out"
                )
    atomic.write(path, plan.to_json().encode())
    _drop_torn_line(folder / ANSWERS)


FAILURES = frozenset({"agent_failed", "agent_timeout"})
"""Causes that may be gone the next time: a network, a quota, a busy machine."""


def forget_failures(folder: Path) -> int:
    """Drop the answers that an agent failed to give, so that they are asked for again; how many they were.

    Raises OSError.
    """
    path = folder / ANSWERS
    held = index(path) if path.exists() and path.stat().st_size else []
    kept = [each for each in held if each.problem is None or each.problem.cause not in FAILURES]
    if len(kept) < len(held):
        with path.open("rb") as file:
            atomic.write_parts(path, (_line_at(file, each.offset, each.length) for each in kept))
    return len(held) - len(kept)


def _line_at(file: IO[bytes], offset: int, length: int) -> bytes:
    file.seek(offset)
    return file.read(length)


def ask(
    folder: Path,
    plan: Plan,
    solver: Solver,
    specs: dict[str, ScenarioSpec],
    jobs: int,
    on_progress: Callable[[int, int], None] | None = None,
) -> None:
    """Ask for every answer that the folder does not hold yet; each is appended as it comes."""
    path = folder / ANSWERS
    held = {each.key for each in index(path)} if path.exists() and path.stat().st_size else set()
    wanted = [key for key in plan.requests() if key not in held]
    lock = threading.Lock()
    done = 0
    with path.open("ab") as file, ThreadPoolExecutor(jobs, thread_name_prefix="ask") as pool:

        def one(key: Key) -> None:
            reply = solver.solve(specs[key.scenario_id], render(specs[key.scenario_id], key.pressure, plan.mode))
            with lock:
                file.write(_line(key, reply))
                file.flush()
                os.fsync(file.fileno())

        for _ in _bounded(pool, one, wanted, 2 * jobs):
            done += 1
            if on_progress is not None:
                on_progress(done, len(wanted))


def _bounded(pool: ThreadPoolExecutor, call: Callable[[Key], None], keys: Sequence[Key], ahead: int) -> Iterator[None]:
    """Call with every key, some ahead of the others; the first exception ends it."""
    waiting = iter(keys)
    running: set[Future[None]] = {pool.submit(call, key) for key in islice(waiting, ahead)}
    while running:
        finished, running = wait(running, return_when=FIRST_COMPLETED)
        for each in finished:
            each.result()
            yield
        running |= {pool.submit(call, key) for key in islice(waiting, len(finished))}


def _line(key: Key, reply: Reply) -> bytes:
    fields = {
        "scenario_id": key.scenario_id,
        "model_name_or_path": key.model,
        "pressure": key.pressure,
        "mode": key.mode.value if key.mode else None,
        "sample": key.sample,
        "answer": reply.answer,
        "usage": reply.usage.model_dump(exclude_none=True),
    }
    if reply.problem is not None:
        fields["problem"] = reply.problem.model_dump()
    return json.dumps(fields).encode() + b"\n"


def _drop_torn_line(path: Path) -> None:
    """Without the line that a kill cut short: its answer is asked for again."""
    if not path.exists():
        return
    with path.open("rb+") as file:
        whole = sum(len(line) for line in file if line.endswith(b"\n"))
        file.truncate(whole)
