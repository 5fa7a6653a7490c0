"""What this machine can run: its processor, Python, packages, device, and how well submitted code can be held.

Works in a base installation, where the packages it asks about may all be missing.
"""

from __future__ import annotations

import importlib.metadata
import importlib.util
import json
import os
import platform
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from ampfix import __version__, assets
from ampfix.extras import EXTRAS, remedy

PROBE_TIMEOUT_S = 60.0

# Runs in an interpreter of its own: probing forks and enters namespaces.
_PROBE = """
import json
from graders.jail import probe
level = probe()
print(json.dumps({"level": level.name, "features": sorted(feature.value for feature in level.features),
                  "undefended": list(level.undefended), "detail": level.detail}))
"""


@dataclass(frozen=True)
class Machine:
    """The computer: `cores` usable by this process, `memory_bytes` physical (None where unknown)."""

    system: str
    processor: str
    cores: int
    memory_bytes: int | None


@dataclass(frozen=True)
class Package:
    """A package of an extra. `version` is None where it is not installed."""

    name: str
    version: str | None
    extra: str


@dataclass(frozen=True)
class Device:
    """What loops run on. kind: "cuda", or "emulated" where CUDA's numerics are emulated on the CPU."""

    kind: str
    name: str
    detail: str


@dataclass(frozen=True)
class Isolation:
    """How a submission is held. level: see graders/jail_types.py; "unknown" where it could not be probed."""

    level: str
    features: tuple[str, ...]
    undefended: tuple[str, ...]
    detail: str


@dataclass(frozen=True)
class Missing:
    """Something that is not here: what does not work without it, and how to get it."""

    what: str
    consequence: str
    remedy: str
    blocks: bool


@dataclass(frozen=True)
class Checkup:
    """All of it. `missing` with `blocks` names what keeps a command from working at all."""

    schema: int
    version: str
    machine: Machine
    python: str
    executable: str
    packages: tuple[Package, ...]
    device: Device
    isolation: Isolation
    missing: tuple[Missing, ...]

    @property
    def complete(self) -> bool:
        return not any(item.blocks for item in self.missing)


def checkup() -> Checkup:
    """Examine this machine. Takes a second or two, most of it torch's import."""
    packages = tuple(Package(name, _version(name), extra) for name, extra in EXTRAS.items())
    device = _device()
    isolation = _isolation()
    return Checkup(
        schema=1,
        version=__version__,
        machine=Machine(f"{platform.system()} {platform.release()}", _processor(), _cores(), _memory()),
        python=platform.python_version(),
        executable=sys.executable,
        packages=packages,
        device=device,
        isolation=isolation,
        missing=_missing(packages, device, isolation),
    )


def _version(module: str) -> str | None:
    if importlib.util.find_spec(module) is None:
        return None
    try:
        return importlib.metadata.version(module)
    except importlib.metadata.PackageNotFoundError:
        return "unknown"


def _device() -> Device:
    emulated = "numerics of CUDA emulated on the CPU"
    try:
        import torch
    except ImportError:
        return Device("none", "no device", "torch is not installed")
    if not torch.cuda.is_available():
        return Device("emulated", emulated, f"torch {torch.__version__} sees no CUDA device")
    properties = torch.cuda.get_device_properties(0)
    memory = f"{properties.total_memory / 2**30:.0f} GiB"
    detail = f"capability {properties.major}.{properties.minor}, {memory}, torch {torch.__version__}"
    return Device("cuda", properties.name, detail)


def _isolation() -> Isolation:
    try:
        environment = {**os.environ, "PYTHONPATH": str(assets.path("graders").parent)}
        done = subprocess.run(
            [sys.executable, "-c", _PROBE], capture_output=True, text=True, env=environment, timeout=PROBE_TIMEOUT_S
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return Isolation("unknown", (), (), f"the probe did not finish: {error}")
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1]
        return Isolation("unknown", (), (), f"the probe failed: {reason}")
    found = json.loads(done.stdout.splitlines()[-1])
    return Isolation(found["level"], tuple(found["features"]), tuple(found["undefended"]), found["detail"])


def _missing(packages: tuple[Package, ...], device: Device, isolation: Isolation) -> tuple[Missing, ...]:
    rows = []
    if absent := [package.name for package in packages if package.version is None]:
        what = ", ".join(absent)
        rows.append(Missing(what, "suite and grade cannot run loops", remedy(absent[0]), blocks=True))
    if device.kind == "emulated":
        rows.append(
            Missing(
                "a CUDA device",
                "loops run under emulation; speedup and memory are not measured",
                "run on a machine with an NVIDIA GPU and a CUDA build of torch",
                blocks=False,
            )
        )
    if isolation.undefended:
        rows.append(
            Missing(
                "full isolation",
                f"open to submitted code: {'; '.join(isolation.undefended)}",
                isolation.detail or "run on Linux with user namespaces allowed",
                blocks=False,
            )
        )
    elif isolation.level == "unknown":
        rows.append(Missing("isolation", isolation.detail, "reinstall ampfix, or report this line", blocks=False))
    return tuple(rows)


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _memory() -> int | None:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        return None


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor() or platform.machine())
