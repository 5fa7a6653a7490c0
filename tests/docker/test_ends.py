"""However a program ends, or the engine under it, no container, volume or process of it stays."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import docker
import pytest

from ampfix.lab.bench import Bench
from ampfix.lab.docker_engine import OWNER_LABEL, Engine, owner
from ampfix.lab.docker_runner import DockerRunner
from ampfix.lab.grade import grade_on
from ampfix.lab.seeds import new_secret
from ampfix.lab.session import Session
from ampfix.lab.spec import ScenarioSpec
from ampfix.lab.submission import read
from tests.graders.jailing import eventually

from .conftest import TOYS, ids, one_seed
from .engine import TestEngine


@pytest.fixture
def left(client: docker.DockerClient) -> Iterator[set[int]]:
    """Processes of containers that must be gone at the end, beside whatever the engine itself still knows."""
    containers, volumes = ids(client), len(client.volumes.list())
    processes: set[int] = set()
    yield processes
    assert eventually(lambda: ids(client) <= containers, 60.0), ids(client) - containers
    assert eventually(lambda: not alive(processes), 10.0), alive(processes)
    assert len(client.volumes.list()) <= volumes


def alive(pids: set[int]) -> set[int]:
    return {pid for pid in pids if Path("/proc", str(pid)).exists()}


def processes_of(client: docker.DockerClient, but: set[str]) -> set[int]:
    """Every process inside the engine's containers, save those of the containers `but`."""
    found: set[int] = set()
    for container in client.containers.list(ignore_removed=True):
        if container.id not in but:
            with contextlib.suppress(docker.errors.APIError):  # just gone
                found.update(int(row[1]) for row in container.top()["Processes"])
    return found


@contextlib.contextmanager
def grading(
    environment: dict[str, str], image: str, folder: Path, client: docker.DockerClient, left: set[int]
) -> Iterator[subprocess.Popen[str]]:
    """A command that grades an answer that never ends, once that answer runs in a container."""
    (folder / "hang.py").write_text("import time\ndef train(task):\n    time.sleep(600)\n")
    (folder / "tmp").mkdir()
    others = ids(client)
    command = ["grade", "hang.py", "--scenario", "toy", "--scenarios-dir", str(TOYS), "--runner", "docker"]
    process = subprocess.Popen(
        [sys.executable, "-m", "ampfix", *command, "--image", image],
        cwd=folder, env={**environment, "TMPDIR": str(folder / "tmp")},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # a shell's background jobs ignore it
    )  # fmt: skip

    def is_under_way() -> bool:
        left.update(processes_of(client, others))
        # First process, server, supervisor, init and submission in one of the containers, and the others' two at least.
        return len(alive(left)) >= 2 * len(ids(client) - others) + 3 or process.poll() is not None

    try:
        assert eventually(is_under_way, 120.0)
        time.sleep(2.0)  # past the runs that the answer waits for
        left.update(processes_of(client, others))
        assert process.poll() is None, process.communicate()
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_signal(
    number: signal.Signals,
    environment: dict[str, str],
    image: str,
    tmp_path: Path,
    client: docker.DockerClient,
    left: set[int],
) -> None:
    with grading(environment, image, tmp_path, client, left) as process:
        process.send_signal(number)
        output, errors = process.communicate(timeout=300)
    assert output == ""
    if number == signal.SIGINT:
        assert (process.returncode, errors) == (130, "ampfix: error: interrupted\n")
        assert list((tmp_path / "tmp").iterdir()) == []


@pytest.mark.parametrize("ending", ["pass", "raise RuntimeError('mine')", "sys.exit(3)", "os.kill(os.getpid(), 9)"])
def test_a_program_that_never_closes_its_runner(
    ending: str, environment: dict[str, str], image: str, tmp_path: Path, left: set[int]
) -> None:
    program = f"""
        import os, sys
        from ampfix.lab.docker_runner import DockerRunner
        runner = DockerRunner(image={image!r})
        print(runner.isolation().level, flush=True)
        {ending}
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert done.stdout == "container+namespaces\n", done.stderr


def test_an_exception_in_the_middle(new_runner: Callable[[], DockerRunner], toy: ScenarioSpec, left: set[int]) -> None:
    with pytest.raises(ZeroDivisionError), new_runner() as runner, Bench(runner) as bench:
        Session(bench, toy, new_secret()).run({"loop.py": "def train(task):\n    import time; time.sleep(600)\n"})
        time.sleep(1.0)
        raise ZeroDivisionError


def test_the_next_program_removes_what_a_dead_one_left(
    engine: TestEngine, image: str, client: docker.DockerClient
) -> None:
    """As after a crash of engine and program together: nobody closed the container's input."""
    gone = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, text=True)
    mine, dead = owner(), owner().replace(f" {os.getpid()},", f" {int(gone.stdout)},")
    elsewhere = owner().replace('["', '["another-')
    made = {
        label: client.containers.create(
            image, stdin_open=True, network_mode="none", labels={OWNER_LABEL: label}, entrypoint=["sleep", "600"]
        )
        for label in (mine, dead, elsewhere)
    }
    made[dead].start()
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("DOCKER_HOST", engine.address)
            connection = Engine()
            connection.reap()
            connection.close()
        assert {label for label, container in made.items() if container.id in ids(client)} == {mine, elsewhere}
    finally:
        for label in (mine, elsewhere):
            made[label].remove(force=True)


def test_the_engine_dies_under_a_grading(
    environment: dict[str, str],
    image: str,
    tmp_path: Path,
    engine: TestEngine,
    client: docker.DockerClient,
    left: set[int],
) -> None:
    with grading(environment, image, tmp_path, client, left) as process:
        engine.kill()
        try:
            output, errors = process.communicate(timeout=120)
        finally:
            engine.start()
    assert process.returncode == 2, (output, errors)
    assert "infra_error" in output and "server_died" in output, (output, errors)
    assert list((tmp_path / "tmp").iterdir()) == []


def test_the_first_process_of_a_container_is_killed(
    new_runner: Callable[[], DockerRunner], toy: ScenarioSpec, client: docker.DockerClient, left: set[int]
) -> None:
    """Once: the run is repeated. The answer's own doing it cannot be, since no signal leaves its namespace."""
    before = ids(client)
    with new_runner() as runner, Bench(runner, workers=1) as bench:
        session = Session(bench, one_seed(toy), new_secret())
        session.reference()[0]()
        answer = read(TOYS / "toy" / "fixed.py")
        slow = answer.text.replace("def train(task):", "import time\ndef train(task):\n    time.sleep(2)", 1)
        runs = session.run({"loop.py": slow})
        time.sleep(1.0)
        for container in client.containers.list():
            if container.id not in before:
                container.kill()
        assert runs[0]().ended is None
        assert grade_on(session, answer).status.value == "pass"
