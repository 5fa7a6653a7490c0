"""Whichever process of a grading is killed, the run is repeated or its verdict names the fault; nothing hangs."""

from __future__ import annotations

import os
import random
import signal
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ampfix.lab.bench import Bench
from ampfix.lab.causes import InfraError
from ampfix.lab.process import ProcessRunner
from ampfix.lab.seeds import new_secret
from ampfix.lab.session import Session
from ampfix.lab.spec import ScenarioSpec
from tests.graders.jailing import eventually, orphans

from .killing import jailed, jobs, kill, server_pid, submission_server, wait_for
from .test_execution import LOOP, SEED

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="tells jailed processes from others by their user")

SLOW = LOOP + "    import time; time.sleep(1.5)\n"


@pytest.fixture(scope="module")
def bench(runner: ProcessRunner) -> Iterator[Bench]:
    with Bench(runner, workers=2) as one:
        yield one


@pytest.fixture(autouse=True)
def nothing_is_left_behind() -> Iterator[None]:
    yield
    assert eventually(lambda: not orphans()), orphans()


def _supervisor(runner: ProcessRunner) -> int:
    wait_for(lambda: len(jailed(runner)) == 2)
    (supervisor,) = {pid for pid in jobs(submission_server(runner)) if _runs_python(pid)}
    return supervisor


def _runs_python(pid: int) -> bool:
    return "python" in Path(f"/proc/{pid}/comm").read_text()


def _init(runner: ProcessRunner) -> int:
    wait_for(lambda: len(jailed(runner)) == 2)
    return jailed(runner)[0]


@pytest.mark.parametrize("victim", [_supervisor, _init])
def test_a_run_whose_keeper_is_killed_is_repeated(
    bench: Bench, runner: ProcessRunner, toy: ScenarioSpec, victim: Callable[[ProcessRunner], int]
) -> None:
    bench.ground(toy, SEED).result()
    waiting = bench.run(toy, {toy.entry: f"{SLOW}# {victim.__name__}\n"}, SEED)
    killed = victim(runner)
    kill(killed)
    run = waiting.result(timeout=120)
    assert run.ended is None and run.loss is not None, run
    assert not Path(f"/proc/{killed}").exists() and not jailed(runner)


def test_a_submission_that_is_killed_from_outside_was_killed(
    bench: Bench, runner: ProcessRunner, toy: ScenarioSpec
) -> None:
    bench.ground(toy, SEED).result()  # or the process that is killed could be the reference's
    waiting = bench.run(toy, {toy.entry: f"{SLOW}# submission\n"}, SEED)
    wait_for(lambda: len(jailed(runner)) == 2)
    kill(jailed(runner)[1])
    run = waiting.result(timeout=120)
    assert run.ended is not None and run.ended.cause == "killed"


@pytest.fixture
def slowly_judged(tmp_path: Path, toy: ScenarioSpec) -> ScenarioSpec:
    for path in toy.root.glob("*.*"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    task = tmp_path / "task.py"
    text = task.read_text().replace("def evaluate(", "def _evaluate(")
    slowly = f"import pathlib, time; pathlib.Path({str(tmp_path / 'judging')!r}).touch(); time.sleep(2)"
    task.write_text(f"{text}\n\ndef evaluate(*given):\n    {slowly}\n    return _evaluate(*given)\n")
    return toy.model_copy(update={"root": tmp_path})


def test_a_judge_killed_at_its_work_is_asked_again(
    bench: Bench, runner: ProcessRunner, slowly_judged: ScenarioSpec
) -> None:
    waiting = bench.ground(slowly_judged, SEED)
    wait_for((slowly_judged.root / "judging").exists)
    kill(next(iter(jobs(runner._judge))))
    assert waiting.result(timeout=120).reference.loss is not None


def test_a_server_that_hangs_is_an_infra_error_in_time(toy: ScenarioSpec, monkeypatch: pytest.MonkeyPatch) -> None:
    with ProcessRunner() as own, Bench(own) as bench:
        bench.ground(toy, SEED).result()
        monkeypatch.setattr("ampfix.lab.process._JUDGE_TIMEOUT_S", 0.5)
        os.kill(server_pid(own._judge), signal.SIGSTOP)
        with pytest.raises(InfraError) as caught:
            bench.ground(toy, SEED + 1).result(timeout=120)
        assert caught.value.cause.code in ("server_timeout", "server_died")
        monkeypatch.undo()
        assert bench.ground(toy, SEED + 2).result(timeout=120).reference.loss is not None


@pytest.mark.stress
@pytest.mark.parametrize("seed", range(3))
def test_a_storm_of_kills_changes_no_verdict_and_leaves_nothing(toy: ScenarioSpec, seed: int) -> None:
    """Servers, supervisors, inits and judges die at random for a while: figures are the undisturbed ones or missing."""
    chance, secret = random.Random(seed), new_secret()
    loops = [f"{LOOP}# {number}\n" for number in range(12)]
    with ProcessRunner() as quiet, Bench(quiet) as bench:
        undisturbed = Session(bench, toy, secret).run({toy.entry: LOOP})
        losses = [wait().loss for wait in undisturbed]
    with ProcessRunner() as own, Bench(own) as bench:
        session, over = Session(bench, toy, secret), threading.Event()
        runs = [session.run({toy.entry: loop}) for loop in loops]
        storm = threading.Thread(target=_storm, args=(own, chance, over))
        storm.start()
        outcomes = [_outcome(wait) for run in runs for wait in run]
        over.set()
        storm.join()
    faults = {"server_died", "job_died", "jail_setup", "closed", "server_timeout"}
    for number, outcome in enumerate(outcomes):
        assert outcome in faults or outcome == losses[number % len(losses)]
    assert eventually(lambda: not orphans(), 30), orphans()


def _storm(runner: ProcessRunner, chance: random.Random, over: threading.Event) -> None:
    for _ in range(25):
        if over.wait(chance.uniform(0.2, 1.5)):
            return
        servers = [server for server in (submission_server(runner), runner._judge) if server._process is not None]
        inits = jailed(runner)[:1] if chance.random() < 0.5 else []
        doomed = [*inits, *(pid for server in servers for pid in jobs(server))]
        if chance.random() < 0.2:
            doomed += [server_pid(server) for server in servers]
        if doomed:
            kill(chance.choice(doomed))


def _outcome(wait: Callable[[], object]) -> object:
    try:
        return wait().loss  # type: ignore[attr-defined]
    except InfraError as error:
        return error.cause.code
