"""The container engine: whether it is there, which image it has, and how a container of ours is held."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import docker
from docker.errors import APIError, DockerException, ImageNotFound, NotFound
from requests.exceptions import RequestException

import ampfix
from ampfix import assets
from ampfix.lab.scratch import is_alive

DEFAULT_IMAGE = f"ampfix-run:{ampfix.__version__}"
CONTENT_LABEL, VERSION_LABEL, OWNER_LABEL = "ampfix.content", "ampfix.version", "ampfix.owner"

_USER = "65532:65532"
_API_TIMEOUT_S = 60
_MIB = 1 << 20
_EXCHANGE, _EXCHANGE_BYTES = "/exchange", 1024 * _MIB
_STAGE_BYTES = 64 * _MIB
_OVERHEAD_BYTES = 1024 * _MIB  # the warm server, the jail's scratch space, and results on their way out
_PIDS, _GPU_PIDS = 128, 384  # the jail's own limits are below; CUDA starts threads
_CPUS = 2
_OPEN_FILES = 4096


class EngineError(Exception):
    """The engine cannot do what is needed; the message is one line and says what to do."""


@dataclass(frozen=True)
class Image:
    """An image by its content's digest, so that nobody can exchange it behind its name."""

    id: str
    name: str


@dataclass(frozen=True)
class Hold:
    """What differs between containers. nested: the jail inside may make namespaces, so runs may share the container."""

    memory_bytes: int
    nested: bool
    gpu: bool


class Engine:
    """A connection to a Docker engine. Every method raises EngineError."""

    def __init__(self) -> None:
        self.address = os.environ.get("DOCKER_HOST", "unix:///var/run/docker.sock")
        try:
            self.client = docker.from_env(timeout=_API_TIMEOUT_S)
            self._facts: dict[str, Any] = self.client.info()
        except (DockerException, RequestException) as error:
            raise EngineError(
                f"no container engine answers at {self.address} ({reason(error)}): start Docker, name its socket in "
                "DOCKER_HOST, or use --runner process"
            ) from None

    def image(self, name: str, content: str) -> Image:
        """The image `name`, which must hold `content`, the hash of the sources that this ampfix would put in it."""
        try:
            found = self.client.images.get(name)
        except ImageNotFound:
            raise EngineError(f"the engine has no image {name}: make it with `ampfix image build`") from None
        except (DockerException, RequestException) as error:
            raise EngineError(f"the image {name} cannot be looked up: {reason(error)}") from None
        labels = found.labels or {}
        if labels.get(CONTENT_LABEL) != content:
            version = labels.get(VERSION_LABEL)
            origin = f"was made by ampfix {version} from other sources" if version else "was not made by ampfix"
            raise EngineError(f"the image {name} {origin}: make it anew with `ampfix image build`")
        return Image(found.id, name)

    def create(self, image: Image, hold: Hold) -> str:
        """Create a hardened container that waits for its standard input. Returns its id."""
        api = self.client.api
        try:
            made = api.create_container(
                image.id,
                stdin_open=True,
                user=_USER,
                hostname="ampfix",
                environment={
                    "AMPFIX_CONTAINER": "1",
                    "AMPFIX_DEVICE": "cuda" if hold.gpu else "cpu",
                    "TMPDIR": _EXCHANGE,
                    "HOME": _EXCHANGE,
                },
                labels={OWNER_LABEL: owner(), VERSION_LABEL: ampfix.__version__},
                host_config=self._host_config(hold),
            )
        except (DockerException, RequestException) as error:
            raise EngineError(f"the engine cannot make a container: {reason(error)}") from None
        return str(made["Id"])

    def limit_memory(self, container: str, memory_bytes: int) -> None:
        """Change what a running container may use."""
        total = memory_bytes + _OVERHEAD_BYTES
        try:
            self.client.api.update_container(container, mem_limit=total, memswap_limit=total)
        except (DockerException, RequestException) as error:
            raise EngineError(f"the engine cannot limit a container's memory: {reason(error)}") from None

    def remove(self, container: str) -> None:
        """Kill and remove a container with its volumes, if it is still there."""
        with suppress(DockerException, RequestException):  # gone, going, or the engine itself has died
            self.client.api.remove_container(container, force=True, v=True)

    def exists(self, container: str) -> bool:
        """Whether the engine still knows a container."""
        try:
            self.client.api.inspect_container(container)
        except (NotFound, DockerException, RequestException):
            return False
        return True

    def reap(self) -> None:
        """Remove containers whose program on this machine ended without doing so."""
        with suppress(DockerException, RequestException):
            for found in self.client.api.containers(all=True, filters={"label": OWNER_LABEL}):
                if _is_orphan(found["Labels"][OWNER_LABEL]):
                    self.remove(found["Id"])

    def close(self) -> None:
        """End the connection."""
        self.client.close()

    def _host_config(self, hold: Hold) -> Mapping[str, Any]:
        memory = hold.memory_bytes + _OVERHEAD_BYTES
        options: dict[str, Any] = {
            "auto_remove": True,  # by the engine, whatever becomes of us
            "network_mode": "none",  # loopback is there
            "cap_drop": ["ALL"],
            "security_opt": self._security(hold),
            "read_only": True,
            "tmpfs": {
                "/tmp": f"rw,noexec,nosuid,nodev,size={_STAGE_BYTES},mode=1777",
                _EXCHANGE: f"rw,noexec,nosuid,nodev,size={_EXCHANGE_BYTES},mode=0700,uid=65532,gid=65532",
            },
            "pids_limit": _GPU_PIDS if hold.gpu else _PIDS,
            "mem_limit": memory,
            "memswap_limit": memory,
            "nano_cpus": int(min(_CPUS, self._facts.get("NCPU") or 1) * 1e9),
            "ulimits": [
                docker.types.Ulimit(name="nofile", soft=_OPEN_FILES, hard=_OPEN_FILES),
                docker.types.Ulimit(name="core", soft=0, hard=0),
            ],
            "ipc_mode": "private",
            "log_config": docker.types.LogConfig(type="none"),
        }
        if hold.gpu:
            options["device_requests"] = [docker.types.DeviceRequest(count=1, capabilities=[["gpu"]])]
        config: dict[str, Any] = self.client.api.create_host_config(**options)
        if hold.nested:
            # The jail mounts a /proc of its own, which the kernel allows only where none of it is covered.
            config |= {"MaskedPaths": [], "ReadonlyPaths": []}
        return config

    def _security(self, hold: Hold) -> list[str]:
        """Without `nested`, the engine's own profiles hold, and they keep the jail from making namespaces."""
        options = ["no-new-privileges:true"]
        if hold.nested:
            options.append(f"seccomp={_seccomp_profile()}")
            if any("apparmor" in option for option in self._facts.get("SecurityOptions") or ()):
                options.append("apparmor=unconfined")
        return options


def reason(error: Exception) -> str:
    """What an error of the engine says, in one line."""
    text = error.explanation if isinstance(error, APIError) and error.explanation else str(error)
    return " ".join(str(text).split())


def owner() -> str:
    """This program, told from others that have or had its process id."""
    return _identity(os.getpid())


def _identity(pid: int) -> str:
    return json.dumps([socket.gethostname(), _namespace(), pid, _start_time(pid)])


def _namespace() -> str:
    try:
        return str(Path("/proc/self/ns/pid").readlink())
    except OSError:
        return ""


def _start_time(pid: int) -> str:
    """When a process started, in the kernel's ticks; empty where that cannot be told, or it is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    except OSError:
        return ""


def _is_orphan(label: str) -> bool:
    """Whether the program that a label names was one of this machine and has ended."""
    try:
        host, namespace, pid, _ = json.loads(label)
        return [host, namespace] == [socket.gethostname(), _namespace()] and not _runs(int(pid), label)
    except (ValueError, TypeError):
        return False


def _runs(pid: int, label: str) -> bool:
    return is_alive(pid) and _identity(pid) == label


def _seccomp_profile() -> str:
    return (assets.path("containers") / "seccomp.json").read_text(encoding="utf-8")
