"""One engine, one image and one pair of warm containers for all tests here. What must be left clean is checked last."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import docker
import pytest

from ampfix.lab.bench import Bench
from ampfix.lab.docker_runner import DockerRunner
from ampfix.lab.spec import LimitsSpec, ScenarioSpec, find
from tests.graders.jailing import eventually

from . import engine as engines
from .engine import ROOT, TestEngine

IMAGE = "ampfix-run-test:current"
TOYS = ROOT / "tests" / "golden" / "scenarios"

Ampfix = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="session")
def engine() -> Iterator[TestEngine]:
    with engines.running() as started:
        with contextlib.closing(started.client()) as client:
            for container in client.containers.list(all=True):  # of an earlier test run that was killed
                container.remove(force=True)
        yield started
        with contextlib.closing(started.client()) as client:
            assert eventually(lambda: not leftovers(client), 30.0), leftovers(client)


@pytest.fixture(scope="session")
def client(engine: TestEngine) -> Iterator[docker.DockerClient]:
    with contextlib.closing(engine.client()) as connection:
        yield connection


@pytest.fixture(scope="session")
def environment(engine: TestEngine) -> dict[str, str]:
    """What a command needs to find the engine and this source tree."""
    return {**os.environ, "DOCKER_HOST": engine.address, "PYTHONPATH": str(ROOT)}


@pytest.fixture(scope="session")
def ampfix(environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Ampfix:
    """Runs the command in a folder of its own."""

    def run(*arguments: str, **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "ampfix", *arguments],
            cwd=tmp_path_factory.getbasetemp(),
            env={**environment, **more},
            capture_output=True,
            text=True,
        )

    return run


@pytest.fixture(scope="session")
def base(engine: TestEngine) -> str:
    return engines.base_image(engine)


@pytest.fixture(scope="session")
def image(ampfix: Ampfix, base: str, engine: TestEngine) -> Iterator[str]:
    """The image's name, built by the command a user would give."""
    done = ampfix("image", "build", "--name", IMAGE, "--base", base, "--network", "host")
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.startswith("sha256:")
    yield IMAGE
    with contextlib.closing(engine.client()) as connection:
        assert eventually(lambda: not leftovers(connection), 30.0)
        connection.images.prune(filters={"dangling": True})


@pytest.fixture(scope="session")
def new_runner(engine: TestEngine, image: str) -> Callable[[], DockerRunner]:
    def make() -> DockerRunner:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("DOCKER_HOST", engine.address)
            return DockerRunner(image=image)

    return make


@pytest.fixture(scope="session")
def bench(new_runner: Callable[[], DockerRunner]) -> Iterator[Bench]:
    with new_runner() as runner, Bench(runner) as shared:
        yield shared


@pytest.fixture(scope="session")
def toy() -> ScenarioSpec:
    return one_seed(find("toy", TOYS))


def one_seed(spec: ScenarioSpec, limits: LimitsSpec | None = None) -> ScenarioSpec:
    return spec.model_copy(update={"seeds": (0,), "limits": limits or spec.limits})


def leftovers(client: docker.DockerClient) -> list[str]:
    """Names of the engine's containers and volumes."""
    return [one.name for one in (*client.containers.list(all=True, ignore_removed=True), *client.volumes.list())]


def ids(client: docker.DockerClient) -> set[str]:
    return {one.id for one in client.containers.list(all=True, ignore_removed=True)}


def mark_all(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(item.fspath).parent == Path(__file__).parent and "engine" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.docker)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    mark_all(items)
