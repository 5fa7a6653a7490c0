"""A container as Inspect AI's sandbox: an agent works in it, and what it leaves is judged as ever."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import docker
import pytest

pytest.importorskip("inspect_ai")

from ampfix.agents.executors import Job, LocalExecutor, Loop
from ampfix.agents.inspect import container
from ampfix.agents.inspect.container import ContainerSandbox
from ampfix.agents.inspect.registry import amp_repair
from ampfix.lab.docker_engine import EngineError
from ampfix.lab.docker_runner import DockerRunner
from ampfix.lab.spec import ScenarioSpec
from tests.agents.test_inspect import SCENARIO, mock, run, scores
from tests.exploits import ways
from tests.exploits.test_ways import FEW, must_get_what_they_deserve

from .conftest import leftovers
from .engine import TestEngine

_UNSCALE = "sed -i 's/^        torch.nn.utils/        scaler.unscale_(optimizer)\\n&/' loop.py && python3 try_loop.py"


@pytest.fixture(autouse=True)
def at_home(
    engine: TestEngine, image: str, client: docker.DockerClient, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    monkeypatch.setenv("DOCKER_HOST", engine.address)
    monkeypatch.setenv("INSPECT_LOG_DIR", str(tmp_path / "logs"))
    monkeypatch.setattr(container, "DEFAULT_IMAGE", image)
    monkeypatch.chdir(tmp_path)
    before = set(leftovers(client))
    yield
    assert set(leftovers(client)) <= before


def test_an_agent_repairs_and_tries_the_loop_in_a_container() -> None:
    from inspect_ai.model import ModelOutput

    call = ModelOutput.for_tool_call
    steps = [
        call("mockllm/model", "bash", {"command": _UNSCALE}),
        call("mockllm/model", "submit", {"answer": "Unscaled before the clip."}),
    ]
    log = run(amp_repair(scenarios=SCENARIO, mode="workspace", sandbox="docker"), mock(steps))
    assert scores(log, "execution") == ["C"]
    (sample,) = log.samples or []
    said = [message.text for message in sample.messages if message.role == "tool"]
    assert any("held-out loss" in text for text in said), said


def test_a_container_keeps_a_samples_files_and_nothing_else() -> None:
    async def work() -> None:
        await ContainerSandbox.task_init("t", None)
        box = (await ContainerSandbox.sample_init("t", None, {}))["default"]
        await box.write_file("a/b.txt", "one\r\n")
        assert await box.read_file("a/b.txt") == "one\r\n"
        done = await box.exec(["sh", "-c", "cat a/b.txt; cat; echo two > c; exit 3"], input="in", env={"X": "1"})
        assert (done.success, done.returncode, done.stdout) == (False, 3, "one\r\nin")
        assert await box.read_file("/agent/work/c", text=False) == b"two\n"
        for name, error in (("d", FileNotFoundError), ("a", IsADirectoryError), ("/proc/1/mem", PermissionError)):
            with pytest.raises(error):
                await box.read_file(name)
        for name, error in (("a", IsADirectoryError), ("/usr/x", PermissionError)):
            with pytest.raises(error):
                await box.write_file(name, "x")
        with pytest.raises(TimeoutError):
            await box.exec(["sleep", "60"], timeout=1)
        held = await box.exec(["sh", "-c", "id -u; touch /x; ls /root; python3 -c 'import socket; "
                               "socket.create_connection((\"1.1.1.1\", 53), 2)'; echo end"])  # fmt: skip
        assert held.stdout.split() == ["65532", "end"]
        await ContainerSandbox.sample_cleanup("t", None, {"default": box}, interrupted=False)

    asyncio.run(work())


def test_what_a_verdict_depends_on_is_known_before_the_first_run(
    new_runner: Callable[[], DockerRunner], toy: ScenarioSpec
) -> None:
    with LocalExecutor(new_runner) as executor:
        before = executor.conditions()
        loop = Loop(key="k", files=toy.gold_files())
        job = Job(scenario=str(toy.root), content=toy.content_hash, secret=ways.SECRET, loops=(loop,))
        ((_, verdict),) = executor.run(job)
        assert executor.conditions() == before
    assert verdict.versions.items() <= before.items() and "image" in before


def test_without_an_image_of_this_ampfix_it_is_said_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(container, "DEFAULT_IMAGE", "no-such-image:1")
    with pytest.raises(EngineError, match="ampfix image build"):
        asyncio.run(ContainerSandbox.task_init("t", None))


def test_exploits_from_a_container_get_the_verdicts_they_deserve(tmp_path: Path) -> None:
    must_get_what_they_deserve(ways.by_inspect_sandbox(FEW, tmp_path, sandbox="docker"), FEW)
