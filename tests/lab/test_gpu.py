"""What a GPU asks of the lab: its class and dtypes, its nodes and libraries, and scenarios that are not about it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from ampfix.lab.gpu import Gpu, misfit
from ampfix.lab.process import ProcessRunner
from ampfix.lab.spec import Device, ScenarioSpec
from ampfix.lab.suite import run_suite
from graders import gpu
from graders.modules import sized
from tests.project.modules import ROOT

HAS_CUDA = torch.cuda.is_available()


@pytest.mark.parametrize(
    ("name", "capability", "device_class", "halves"),
    [
        ("NVIDIA H100 80GB HBM3", (9, 0), "H100", 4),
        ("NVIDIA H200", (9, 0), "H200", 4),
        ("NVIDIA A100-SXM4-40GB", (8, 0), "A100", 2),
        ("NVIDIA GeForce RTX 3090", (8, 6), "RTX3090", 2),
        ("NVIDIA GeForce RTX 4090", (8, 9), "RTX4090", 4),
        ("Tesla T4", (7, 5), "T4", 1),
        ("Tesla V100-SXM2-16GB", (7, 0), "V100", 1),
        ("NVIDIA T400", (7, 5), "T400", 1),
        ("Tesla P100-PCIE-16GB", (6, 0), "Tesla P100-PCIE-16GB", 0),
    ],
)
def test_a_device_has_a_class_and_the_dtypes_of_its_capability(
    name: str, capability: tuple[int, int], device_class: str, halves: int
) -> None:
    device = Gpu(name, capability)
    assert (device.device_class, len(device.accelerated)) == (device_class, halves)


def test_a_scenario_about_older_tensor_cores_is_left_out_on_newer_ones(toy: ScenarioSpec) -> None:
    about_t4 = toy.model_copy(update={"device": Device(profile="T4")})
    h100, t4 = Gpu("NVIDIA H100 80GB HBM3", (9, 0)), Gpu("Tesla T4", (7, 5))
    assert misfit(toy, h100) == "" and misfit(about_t4, t4) == ""
    assert "about a T4" in misfit(about_t4, h100) and "about a A100" in misfit(toy, t4)


def test_the_nodes_of_every_gpu_and_of_the_driver_are_shown(tmp_path: Path) -> None:
    (tmp_path / "nvidia-caps").mkdir()
    for name in ("nvidia0", "nvidia11", "nvidiactl", "nvidia-uvm", "nvidia-caps/nvidia-cap1", "sda", "nvram"):
        (tmp_path / name).touch()
    assert [path.removeprefix(f"{tmp_path}/") for path in gpu.devices(tmp_path)] == [
        "nvidia-caps/nvidia-cap1", "nvidia-uvm", "nvidia0", "nvidia11", "nvidiactl"
    ]  # fmt: skip


def test_folders_of_the_driver_are_followed_to_where_its_libraries_lie(tmp_path: Path) -> None:
    real, linked = tmp_path / "driver-580", tmp_path / "lib64"
    real.mkdir()
    linked.mkdir()
    (real / "libcuda.so.580").touch()
    (linked / "libcuda.so.1").symlink_to(real / "libcuda.so.580")
    found = gpu.folders({"LD_LIBRARY_PATH": f"{linked}:relative::{tmp_path / 'missing'}"})
    assert found[:2] == (str(linked), str(real))
    assert all(Path(folder).is_dir() for folder in found)


FALL_BACK = """
import os, sys
from graders import jail
from graders.jail import Limits, View

def sees_the_host(_descriptor):
    if not os.path.exists(sys.argv[1]):
        raise RuntimeError("only the host has it")

def never(_descriptor):
    raise RuntimeError("no CUDA-capable device is detected")

limits = Limits(20.0, 1 << 30, 64, 1 << 20, 1 << 16, 1 << 20)
level = jail.strongest_for(sees_the_host, View(()), limits)
print(level.name, "|", level.detail)
try:
    jail.strongest_for(never, View(()), limits)
except OSError as error:
    print(error)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="has one level")
def test_where_the_device_cannot_be_used_in_a_strong_jail_a_weaker_one_is_taken(runner: ProcessRunner) -> None:
    if runner.isolation().level != "namespaces":
        pytest.skip("no stronger level here")
    mine = Path(__file__).resolve()
    done = subprocess.run(
        [sys.executable, "-c", FALL_BACK, str(mine)],
        cwd=ROOT, env=os.environ | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=240,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    taken, none = done.stdout.splitlines()
    assert taken.startswith("process_"), "a level without mounts shows the host's files"
    assert "namespaces: exited with code 1: RuntimeError: only the host has it" in taken
    assert none.startswith("no process can be jailed") and "no CUDA-capable device is detected" in none


def test_only_the_gpus_own_variables_reach_the_jail() -> None:
    host = {"CUDA_VISIBLE_DEVICES": "1", "AWS_SECRET_ACCESS_KEY": "x", "LD_LIBRARY_PATH": "/opt/cuda", "HOME": "/root"}
    assert gpu.environment(host) == {"CUDA_VISIBLE_DEVICES": "1", "LD_LIBRARY_PATH": "/opt/cuda"}


def test_a_size_is_asked_for_where_a_task_offers_it() -> None:
    def offers(seed: int, size: str = "cpu") -> tuple[int, str]:
        return seed, size

    def does_not(seed: int) -> tuple[int, str]:
        return seed, "only"

    assert [sized(offers, 7, size) for size in ("", "cuda")] == [(7, "cpu"), (7, "cuda")]
    assert sized(does_not, 7, "cuda") == (7, "only")


@pytest.mark.skipif(HAS_CUDA, reason="this machine has a CUDA device")
def test_why_there_is_no_device_is_told_in_one_line() -> None:
    found = gpu.describe()
    assert set(found) == {"problem"} and found["problem"] and "\n" not in found["problem"]


@pytest.mark.cuda
@pytest.mark.skipif(not HAS_CUDA, reason="torch sees no CUDA device")
def test_the_suite_runs_on_the_device(toy: ScenarioSpec) -> None:
    with ProcessRunner("cuda") as runner:
        assert runner.find_gpu() == "" and runner.gpu is not None
        report = run_suite([toy], runner=runner)
    (scenario,) = report.scenarios
    assert scenario.problems == ()
    verdicts = {one.variant: one.verdict for one in scenario.verdicts}
    assert (verdicts["gold"].device, verdicts["gold"].policy) == ("cuda", "native")
    (speed,) = [check for check in verdicts["gold"].checks if check.name == "speedup"]
    assert speed.measured is not None, speed.detail
