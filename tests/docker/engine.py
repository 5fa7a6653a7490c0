"""A container engine for the tests: a real one, started here, with a base image made here, since neither may be there.

What takes minutes (the base image) is kept in the engine's data below a cache folder, so only the first run pays.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import importlib.metadata
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import docker
import pytest

ROOT = Path(__file__).resolve().parents[2]
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ampfix-tests" / "engine"
SUITE = "bookworm"
PACKAGES = ("python3", "python3-pip", "ca-certificates")
DEBIAN_PYTHON = "3.11"  # of SUITE
_START_S = 60.0
_STOP_S = 30.0


class TestEngine:
    """dockerd on a socket of its own; it can be killed and started again."""

    __test__ = False

    def __init__(self, data: Path, folder: Path) -> None:
        self._data, self._folder = data, folder
        self._process: subprocess.Popen[bytes] | None = None
        self.address = f"unix://{folder}/engine.sock"

    def start(self) -> None:
        self._end_stale_containerd()
        with (self._folder / "engine.log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    "dockerd", "--data-root", str(self._data), "--exec-root", str(self._folder / "exec"),
                    "--pidfile", str(self._folder / "engine.pid"), "--host", self.address,
                    "--iptables=false", "--ip6tables=false", "--bridge=none",
                ],
                stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True,
            )  # fmt: skip
        deadline = time.monotonic() + _START_S
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                log_tail = (self._folder / "engine.log").read_text(errors="replace").splitlines()[-3:]
                self.stop()
                pytest.skip(f"dockerd does not start here: {' | '.join(log_tail)}")
            time.sleep(0.1)

    def kill(self) -> None:
        """End the engine as a crash would; its containers and containerd stay."""
        assert self._process is not None
        self._process.kill()
        self._process.wait()
        (self._folder / "engine.pid").unlink(missing_ok=True)

    def _end_stale_containerd(self) -> None:
        """One that a killed engine left answers too slowly at times, and the next engine waits for it in vain."""
        path = self._folder / "exec" / "containerd" / "containerd.pid"
        with contextlib.suppress(OSError, ValueError):
            os.kill(int(path.read_text()), signal.SIGKILL)
            path.unlink()

    def stop(self) -> None:
        if self._process is None:
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def client(self) -> docker.DockerClient:
        return docker.DockerClient(base_url=self.address, timeout=120)

    def _answers(self) -> bool:
        with contextlib.suppress(Exception), contextlib.closing(self.client()) as client:
            return bool(client.ping())
        return False


@contextlib.contextmanager
def running() -> Iterator[TestEngine]:
    """The engine, started; skips with the reason where there can be none. One test run after the other has it."""
    if sys.platform != "linux" or os.geteuid() != 0:
        pytest.skip("starting a container engine needs root on Linux")
    _need("dockerd", "docker.io")
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        # A short path: the engine makes Unix sockets below it.
        folder = Path(tempfile.mkdtemp(prefix="ampfix-engine-", dir="/tmp"))
        engine = TestEngine(CACHE / "data", folder)
        try:
            engine.start()
            yield engine
        finally:
            engine.stop()
            shutil.rmtree(folder, ignore_errors=True)


def base_image(engine: TestEngine) -> str:
    """Debian with Python and this environment's torch: what an official image of PyTorch is, without CUDA."""
    recipe = (SUITE, PACKAGES, DEBIAN_PYTHON, _torch(), Path(__file__).read_text(encoding="utf-8"))
    name = f"ampfix-test-base:{hashlib.sha256(repr(recipe).encode()).hexdigest()[:12]}"
    with contextlib.closing(engine.client()) as client:
        with contextlib.suppress(docker.errors.ImageNotFound):
            client.images.get(name)
            return name
        _need("debootstrap", "debootstrap")
        for old in client.images.list("ampfix-test-base"):
            with contextlib.suppress(docker.errors.APIError):
                client.images.remove(old.id, force=True)
        with tempfile.TemporaryDirectory(dir=CACHE, prefix="base-") as folder:
            root = Path(folder, "root")
            _make_root(root)
            with subprocess.Popen(["tar", "-C", str(root), "-c", "."], stdout=subprocess.PIPE) as archive:
                repository, _, tag = name.partition(":")
                client.api.import_image_from_stream(archive.stdout, repository=repository, tag=tag)
    return name


def _make_root(root: Path) -> None:
    _do("debootstrap", "--variant=minbase", f"--include={','.join(PACKAGES)}", SUITE, str(root))
    shutil.rmtree(root / "var/cache/apt/archives", ignore_errors=True)
    shutil.rmtree(root / "dev", ignore_errors=True)
    (root / "dev").mkdir()
    _do(
        sys.executable, "-m", "pip", "install", "--quiet", "--python-version", DEBIAN_PYTHON, "--only-binary=:all:",
        "--target", str(root / f"usr/local/lib/python{DEBIAN_PYTHON}/dist-packages"),
        "--constraint", str(ROOT / "constraints.txt"), "torch",
    )  # fmt: skip
    # How this machine reaches the package index, for the steps of the build.
    for path in ("/etc/pip.conf", "/etc/ssl/certs/ca-certificates.crt"):
        if Path(path).is_file():
            shutil.copyfile(path, root / path.lstrip("/"))


def _torch() -> str:
    return importlib.metadata.version("torch")


def _need(program: str, package: str) -> None:
    if shutil.which(program):
        return
    if os.environ.get("CI") and shutil.which("apt-get"):
        _do("apt-get", "-q", "update")
        environment = {"DEBIAN_FRONTEND": "noninteractive"}
        _do("apt-get", "-q", "install", "--yes", "--no-install-recommends", package, **environment)
    if not shutil.which(program):
        pytest.skip(f"{program} is not installed: apt-get install {package}")


def _do(*command: str, **environment: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, **environment})
    if done.returncode != 0:
        last = (done.stderr or done.stdout).strip().splitlines()[-3:]
        pytest.skip(f"{' '.join(command[:2])} failed: {' | '.join(last)}")
