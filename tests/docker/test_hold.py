"""How a container is held, as the engine itself reports it, and what a submission inside can see and keep."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import docker
import pytest

from ampfix.lab.bench import Bench, write_files
from ampfix.lab.causes import InfraError
from ampfix.lab.docker_engine import Engine
from ampfix.lab.docker_runner import DockerRunner
from ampfix.lab.docker_server import SINGLE_USE, WARM, ContainerServer
from ampfix.lab.runner import Execution, Inputs
from ampfix.lab.spec import ScenarioSpec
from graders.jail_filters import _DENIED

from .conftest import ids
from .engine import ROOT, TestEngine

LOOKS = """
import json, os, pathlib, socket, sys, time

def listed(path):
    try:
        return sorted(os.listdir(path))
    except OSError as error:
        return type(error).__name__

def text(path):
    try:
        return pathlib.Path(path).read_text(errors="replace")
    except OSError as error:
        return type(error).__name__

def reaches(address):
    try:
        socket.create_connection(address, timeout=1).close()
        return True
    except OSError:
        return False

def serves():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return reaches(server.getsockname())

def writes(path):
    try:
        pathlib.Path(path).write_text("x")
        return True
    except OSError:
        return False

def train(task):
    status = dict(line.split(":", 1) for line in text("/proc/self/status").splitlines() if ":" in line)
    print(json.dumps({
        "root": listed("/"), "answer": listed("/answer"), "inputs": listed("/inputs"), "tmp": listed("/tmp"),
        "exchange": listed("/exchange"), "shm": listed("/dev/shm"), "ampfix": listed("/opt/ampfix"),
        "package": listed("/opt/ampfix/ampfix"), "processes": [n for n in listed("/proc") if n.isdigit()],
        "capabilities": status.get("CapEff", "").strip(), "bound": status.get("CapBnd", "").strip(),
        "privileges": status.get("NoNewPrivs", "").strip(), "seccomp": status.get("Seccomp", "").strip(),
        "environment": sorted(os.environ), "net": listed("/sys/class/net"), "loopback": serves(),
        "outside": reaches(("10.255.255.53", 53)), "uid": os.getuid(),
        "written": [p for p in ("/x", "/opt/ampfix/x", "/usr/x", "/answer/x", "/inputs/x", "/exchange/x") if writes(p)],
        "scratch": writes("/scratch/left") and writes("/tmp/left") and writes("/dev/shm/left"),
        "marked": hasattr(sys, "was_here"),
        "mounts": [line.split()[1] for line in text("/proc/self/mounts").splitlines()],
    }), flush=True)
    sys.was_here = True
    time.sleep(0.3)
"""


@pytest.fixture(scope="module")
def single_use(engine: TestEngine, image: str) -> Iterator[ContainerServer]:
    """The server as it works on an engine whose containers cannot make namespaces."""
    from ampfix.lab.docker_image import content_hash

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DOCKER_HOST", engine.address)
        connection = Engine()
    server = ContainerServer(connection, connection.image(image, content_hash()), nested=False)
    yield server
    server.close()


@pytest.fixture
def inputs(bench: Bench, toy: ScenarioSpec, tmp_path: Path) -> Inputs:
    return bench.runner.prepare(toy, 7, tmp_path / "made")


def look(runner: Any, toy: ScenarioSpec, inputs: Inputs, folder: Path, source: str = LOOKS) -> Execution:
    folder.mkdir()
    (folder / "answer").mkdir()
    write_files(folder / "answer", {"loop.py": source})
    done: Execution = runner.execute(toy, folder / "answer", inputs, folder / "out")
    assert done.outcome == "exited", done
    return done


def seen(done: Execution) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(done.output.splitlines()[0])
    return found


def test_a_container_is_held_as_tightly_as_the_engine_can(
    bench: Bench, client: docker.DockerClient, toy: ScenarioSpec, image: str
) -> None:
    assert bench.runner.isolation().level == WARM
    found = client.containers.list()
    assert found
    for container in found:
        attributes = container.attrs
        config, host = attributes["Config"], attributes["HostConfig"]
        assert config["Image"] == client.images.get(image).id  # a digest, not a name that could move
        assert config["User"] == "65532:65532" and not config["Volumes"] and not attributes["Mounts"]
        assert host["NetworkMode"] == "none" and host["IpcMode"] == "private" and host["PidMode"] == ""
        assert host["CapDrop"] == ["ALL"] and not host["CapAdd"] and not host["Privileged"] and not host["Devices"]
        assert host["ReadonlyRootfs"] and host["AutoRemove"] and not host["Binds"] and not host["PortBindings"]
        assert set(host["Tmpfs"]) == {"/tmp", "/exchange"} and all("noexec" in how for how in host["Tmpfs"].values())
        assert host["PidsLimit"] == 128 and host["NanoCpus"] > 0 and host["MemorySwap"] == host["Memory"] < 4 << 30
        assert "no-new-privileges:true" in host["SecurityOpt"]
        assert any(option.startswith("seccomp={") for option in host["SecurityOpt"])
        assert host["LogConfig"]["Type"] == "none" and host["RestartPolicy"]["Name"] in ("", "no")


def test_the_profile_of_the_container_denies_all_that_the_jail_does_not_need() -> None:
    """The jail mounts and makes namespaces before the submission starts; its own filter then denies that too."""
    profile = json.loads((ROOT / "containers" / "seccomp.json").read_text())
    (group,) = profile["syscalls"]
    assert group["action"] == "SCMP_ACT_ERRNO"
    for _, denied, _ in _DENIED.values():
        assert set(denied) - set(group["names"]) <= {"mount", "umount2", "pivot_root", "mount_setattr", "unshare"}


def test_a_submission_sees_its_own_files_and_nothing_else(
    bench: Bench, toy: ScenarioSpec, inputs: Inputs, tmp_path: Path
) -> None:
    done = look(bench.runner, toy, inputs, tmp_path / "a")
    found = seen(done)
    assert done.isolation.level == WARM and done.isolation.undefended == ()
    assert found["answer"] == ["loop.py"]
    assert found["inputs"] == ["init.safetensors", "task.py", "train.safetensors"]
    assert found["exchange"] == "FileNotFoundError" and found["tmp"] == [] and found["shm"] == []
    assert found["ampfix"] == ["ampfix", "graders"] and "lab" not in found["package"]
    assert "home" not in found["root"] and "root" not in found["root"]
    assert len(found["processes"]) == 2  # the jail's first process and itself
    assert int(found["capabilities"], 16) == int(found["bound"], 16) == 0
    assert (found["privileges"], found["seccomp"]) == ("1", "2")
    assert found["written"] == [] and found["scratch"]
    assert found["loopback"] and not found["outside"]
    assert not [name for name in found["environment"] if "DOCKER" in name or "AMPFIX" in name or "SECRET" in name]
    assert not [place for place in found["mounts"] if "exchange" in place or "hidden" in place]
    assert str(tmp_path) not in done.output


def test_the_next_submission_finds_nothing_of_the_last(
    bench: Bench, toy: ScenarioSpec, inputs: Inputs, client: docker.DockerClient, tmp_path: Path
) -> None:
    first = seen(look(bench.runner, toy, inputs, tmp_path / "a"))
    used = ids(client)
    second = seen(look(bench.runner, toy, inputs, tmp_path / "b"))
    assert ids(client) == used  # the container is the same: it was warm
    assert first["scratch"] and second["scratch"]
    assert (second["tmp"], second["shm"], second["marked"]) == ([], [], False)
    assert second["processes"] == first["processes"] or len(second["processes"]) == 2


def test_the_time_of_a_run_is_told_by_the_clock_outside(
    bench: Bench, toy: ScenarioSpec, inputs: Inputs, tmp_path: Path
) -> None:
    source = "import time\nreal = time.sleep\ntime.monotonic = time.time = time.perf_counter = lambda: 0.0\n"
    source += "def train(task):\n    print('{}')\n    real(1.5)\n"
    assert look(bench.runner, toy, inputs, tmp_path / "a", source).wall_s >= 1.5


def test_without_namespaces_inside_a_container_serves_one_run(
    single_use: ContainerServer, toy: ScenarioSpec, inputs: Inputs, client: docker.DockerClient, tmp_path: Path
) -> None:
    from ampfix.lab.process import ProcessRunner

    others = ids(client)
    runner = ProcessRunner(submissions=single_use)
    try:
        assert runner.isolation().level == SINGLE_USE
        done = look(runner, toy, inputs, tmp_path / "a")
        found = seen(done)
        assert (done.isolation.level, done.isolation.undefended) == (SINGLE_USE, ())
        assert found["written"] == [] and not found["outside"] and found["loopback"]
        assert (found["privileges"], int(found["capabilities"], 16)) == ("1", 0)
        assert not ids(client) - others
    finally:
        runner.close()


def test_a_container_that_somebody_ended_is_replaced(
    bench: Bench, toy: ScenarioSpec, inputs: Inputs, client: docker.DockerClient, tmp_path: Path
) -> None:
    look(bench.runner, toy, inputs, tmp_path / "a")
    for container in client.containers.list():
        container.kill()
    assert look(bench.runner, toy, inputs, tmp_path / "b").complete


def test_a_closed_runner_says_so(new_runner: Callable[[], DockerRunner], toy: ScenarioSpec) -> None:
    runner = new_runner()
    runner.close()
    runner.close()
    with pytest.raises(InfraError) as caught:
        runner.isolation()
    assert caught.value.cause.code == "closed"
