"""What a user reads where the engine or the image is missing or old: one line that says what to do, and exit code 2."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import docker
import pytest

from ampfix.lab.docker_engine import CONTENT_LABEL, VERSION_LABEL
from ampfix.lab.docker_image import content_hash, default_base, sources
from tests.graders.jailing import eventually

from .conftest import TOYS, Ampfix
from .engine import ROOT

SUITE = ("suite", "toy", "--scenarios-dir", str(TOYS), "--runner", "docker")


@pytest.mark.parametrize("command", [SUITE, ("image", "build"), ("grade", "x.py", "--scenario", "toy", *SUITE[2:])])
def test_without_an_engine(command: tuple[str, ...], tmp_path: Path) -> None:
    (tmp_path / "x.py").write_text("def train(task):\n    pass\n")
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "DOCKER_HOST": f"unix://{tmp_path}/no.sock",
        "TMPDIR": str(tmp_path),
    }
    done = subprocess.run(
        [sys.executable, "-m", "ampfix", *command], cwd=tmp_path, env=environment, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"ampfix: error: no container engine answers at unix://{tmp_path}/no.sock (")
    assert "DOCKER_HOST" in done.stderr and done.stderr.count("\n") == 1
    assert [path.name for path in tmp_path.iterdir()] == ["x.py"]


def test_the_context_holds_nothing_of_a_scenario() -> None:
    names = sources()
    assert {"containers/Dockerfile", "graders/relay.py", "ampfix/parcel.py", "ampfix/__init__.py"} <= set(names)
    assert {name.partition("/")[0] for name in names} == {"ampfix", "graders", "containers"}
    assert not [name for name in names if "scenario" in name or "/lab/" in name or "/cli/" in name]


def test_the_context_holds_all_that_the_programs_in_it_import(tmp_path: Path) -> None:
    for name, path in sources().items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, tmp_path / name)
    use_all = (
        "import importlib, pkgutil, graders, ampfix\n"
        "for module in pkgutil.iter_modules(graders.__path__):\n"
        "    importlib.import_module(f'graders.{module.name}')\n"
        "from graders import serve\n"
        "serve._submission_jobs('cpu')\n"
        "print(ampfix.__file__)\n"
    )
    done = subprocess.run([sys.executable, "-c", use_all], cwd=tmp_path, capture_output=True, text=True)
    assert done.stdout == f"{tmp_path / 'ampfix' / '__init__.py'}\n", done.stderr


def test_the_default_base_is_the_official_runtime() -> None:
    assert default_base().startswith("pytorch/pytorch:2") and default_base().endswith("-runtime")


def test_without_an_image(ampfix: Ampfix) -> None:
    done = ampfix(*SUITE, "--image", "ampfix-run-test:none")
    assert (done.returncode, done.stdout) == (2, "")
    message = "ampfix: error: the engine has no image ampfix-run-test:none: make it with `ampfix image build`\n"
    assert done.stderr == message


@pytest.mark.parametrize(
    ("labels", "origin"),
    [
        ({}, "was not made by ampfix"),
        ({VERSION_LABEL: "0.0.1", CONTENT_LABEL: "0" * 64}, "was made by ampfix 0.0.1 from other sources"),
    ],
)
def test_with_an_image_of_other_sources(
    ampfix: Ampfix, client: docker.DockerClient, base: str, tmp_path: Path, labels: dict[str, str], origin: str
) -> None:
    name = "ampfix-run-test:old"
    (tmp_path / "Dockerfile").write_text(f"FROM {base}\n")
    client.images.build(path=str(tmp_path), tag=name, labels=labels, rm=True)
    try:
        done = ampfix(*SUITE, "--image", name)
    finally:
        client.images.remove(name)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == f"ampfix: error: the image {name} {origin}: make it anew with `ampfix image build`\n"


def test_a_base_that_cannot_be_had(ampfix: Ampfix) -> None:
    done = ampfix("image", "build", "--base", "ampfix.invalid/nothing:1", "--name", "ampfix-run-test:never")
    assert (done.returncode, done.stdout) == (2, "")
    assert "ampfix.invalid/nothing:1 is not here and cannot be pulled" in done.stderr.splitlines()[-1]
    assert done.stderr.splitlines()[-1].endswith("name another with --base")


def test_a_base_that_lacks_python(ampfix: Ampfix, client: docker.DockerClient, base: str, tmp_path: Path) -> None:
    name = "ampfix-test-no-python:1"
    (tmp_path / "Dockerfile").write_text(f"FROM {base}\nRUN rm /usr/bin/python3\n")
    client.images.build(path=str(tmp_path), tag=name, network_mode="none", rm=True)
    try:
        done = ampfix("image", "build", "--base", name, "--name", "ampfix-run-test:never")
    finally:
        client.images.remove(name)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("ampfix: error: the image could not be built: ")


def test_a_gpu_that_is_not_there(ampfix: Ampfix, image: str, client: docker.DockerClient) -> None:
    done = ampfix(*SUITE, "--image", image, "--device", "cuda")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("ampfix: error: ") and done.stderr.count("\n") == 1


def test_the_image_is_labelled_and_built_anew_from_what_is_there(
    ampfix: Ampfix, client: docker.DockerClient, image: str, base: str
) -> None:
    labels = client.images.get(image).labels
    assert labels[CONTENT_LABEL] == content_hash()
    assert labels["ampfix.base"] == client.images.get(base).id
    before = len(client.images.list(all=True))
    again = ampfix("image", "build", "--name", image, "--base", base, "--network", "none", "--quiet")
    assert (again.returncode, again.stderr) == (0, "")  # without a network: every step was there already
    assert len(client.images.list(all=True)) == before
    assert eventually(lambda: client.images.get(image).id == again.stdout.strip())
