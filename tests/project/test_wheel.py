"""A wheel carries everything: installed elsewhere, it lints and runs a scenario without the source tree."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from .modules import ROOT


def python(*arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *arguments], cwd=cwd, env={**os.environ, **environment}, capture_output=True, text=True
    )


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    # hatchling is a development dependency, so nothing has to be downloaded.
    built = python("-m", "build", "--wheel", "--no-isolation", "--outdir", str(folder), str(ROOT), cwd=folder)
    assert built.returncode == 0, built.stderr
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory):
    """Runs `ampfix` from a folder where the wheel, and nothing else of the project, is installed."""
    site = tmp_path_factory.mktemp("site")
    done = python(
        "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", str(site), str(wheel), cwd=site
    )
    assert done.returncode == 0, done.stderr
    elsewhere = tmp_path_factory.mktemp("elsewhere")

    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        # Ahead of the development installation, which a .pth file puts behind.
        return python(*arguments, cwd=elsewhere, PYTHONPATH=str(site))

    where = run("-c", "import ampfix; print(ampfix.__file__)").stdout
    assert Path(where.strip()).is_relative_to(site)
    return run


def test_the_wheel_holds_the_assets_and_no_tests(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    for asset in ("scenarios", "graders", "containers"):
        assert any(name.startswith(f"ampfix/_assets/{asset}/") for name in names)
    assert not [name for name in names if name.startswith(("tests/", "benchmarks/")) or "__pycache__" in name]


def test_assets_of_an_installation_lie_in_the_package(installed) -> None:
    shown = installed("-c", "from ampfix import assets; print(*map(assets.path, assets.ASSETS), sep='\\n')").stdout
    assert shown.count("_assets") == 3


def test_an_installation_runs_a_scenario(installed) -> None:
    done = installed("-m", "ampfix", "suite", "clip-before-unscale", "--output-format", "json")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    assert report["ok"] and [scenario["id"] for scenario in report["scenarios"]] == ["clip-before-unscale"]
    variants = {run["variant"] for run in report["scenarios"][0]["runs"]}
    assert {"reference", "broken", "gold", "codemod"} <= variants
