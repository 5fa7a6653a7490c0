"""The image of `--runner docker`: what goes into it, the hash of that, and how it is built."""

from __future__ import annotations

import hashlib
import re
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from docker.errors import DockerException, ImageNotFound
from requests.exceptions import RequestException

import ampfix
from ampfix import assets
from ampfix.lab.docker_engine import CONTENT_LABEL, VERSION_LABEL, Engine, EngineError, reason

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_BASE_LABEL = "ampfix.base"
_DOCKERFILE = "containers/Dockerfile"
_PACKAGE_PARTS = ("__init__.py", "parcel.py", "records.py", "protocol", "watch", "emulate")
"""What the programs in graders/ import of ampfix."""

Tell = Callable[[str], None]
"""Given each line that the build prints."""


def sources() -> dict[str, Path]:
    """Every file of the build's context, by its path there."""
    containers, graders = assets.path("containers"), assets.path("graders")
    package = Path(ampfix.__file__).resolve().parent
    found = {f"containers/{name}": containers / name for name in ("Dockerfile", "requirements.txt")}
    for part in _PACKAGE_PARTS:
        found |= {f"ampfix/{path.relative_to(package).as_posix()}": path for path in _modules(package / part)}
    return found | {f"graders/{path.relative_to(graders).as_posix()}": path for path in _modules(graders)}


def content_hash() -> str:
    """The hash of all that this ampfix would put into an image."""
    return _hash(_contents())


def _contents() -> dict[str, bytes]:
    return {name: path.read_bytes() for name, path in sources().items()}


def _hash(contents: Mapping[str, bytes]) -> str:
    digest = hashlib.sha256()
    for name, data in sorted(contents.items()):
        digest.update(f"{name}\0{len(data)}\0".encode() + data)
    return digest.hexdigest()


def default_base() -> str:
    """The base that the Dockerfile names."""
    lines = (assets.path("containers") / "Dockerfile").read_text(encoding="utf-8").splitlines()
    return next(line.removeprefix("ARG BASE=") for line in lines if line.startswith("ARG BASE="))


def build(engine: Engine, name: str, base: str, network: str | None, tell: Tell) -> str:
    """Build the image `name` on `base` and remove the one that had the name before. Returns its digest.

    network: of the build's steps, as the engine calls it; None for the engine's default. Raises EngineError.
    """
    before = _id_of(engine, name)
    contents = _contents()  # read once: what is labelled is what goes in
    labels = {
        CONTENT_LABEL: _hash(contents),
        VERSION_LABEL: ampfix.__version__,
        _BASE_LABEL: _pinned(engine, base, tell),
    }
    with tempfile.TemporaryDirectory(prefix="ampfix-image-") as folder:
        for name_there, data in contents.items():
            target = Path(folder, name_there)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)
        _build(
            engine,
            tell,
            path=folder,
            dockerfile=_DOCKERFILE,
            tag=name,
            buildargs={"BASE": labels[_BASE_LABEL]},
            labels=labels,
            network_mode=network,
            rm=True,
            forcerm=True,
            decode=True,
        )
    made = _id_of(engine, name)
    if made is None:
        raise EngineError(f"the engine built {name} and then had no image of that name")
    if before not in (None, made):
        _discard(engine, before)
    return made


def _build(engine: Engine, tell: Tell, **options: Any) -> None:
    try:
        for record in engine.client.api.build(**options):
            if "error" in record:
                raise EngineError(f"the image could not be built: {' '.join(record['error'].split())}")
            for line in _COLOUR.sub("", record.get("stream", "")).splitlines():
                tell(line)
    except (DockerException, RequestException) as error:
        raise EngineError(f"the image could not be built: {reason(error)}") from None


def _pinned(engine: Engine, base: str, tell: Tell) -> str:
    """The base by its digest: what the registry calls it, or the engine's own id of a local image."""
    try:
        image = engine.client.images.get(base)
    except ImageNotFound:
        tell(f"pulling {base}")
        try:
            image = engine.client.images.pull(*_repository_and_tag(base))
        except (DockerException, RequestException) as error:
            raise EngineError(
                f"the base image {base} is not here and cannot be pulled ({reason(error)}): name another with --base"
            ) from None
    except (DockerException, RequestException) as error:
        raise EngineError(f"the base image {base} cannot be looked up: {reason(error)}") from None
    digests = image.attrs.get("RepoDigests") or ()
    return str(digests[0] if digests else image.id)


def _repository_and_tag(name: str) -> tuple[str, str | None]:
    if "@" in name:
        return name, None
    repository, colon, tag = name.rpartition(":")
    return (repository, tag) if colon and "/" not in tag else (name, "latest")


def _id_of(engine: Engine, name: str) -> str | None:
    try:
        return str(engine.client.images.get(name).id)
    except ImageNotFound:
        return None
    except (DockerException, RequestException) as error:
        raise EngineError(f"the image {name} cannot be looked up: {reason(error)}") from None


def _discard(engine: Engine, image: str | None) -> None:
    try:
        engine.client.images.remove(image)
    except (DockerException, RequestException):
        return  # another name or a container still holds it


def _modules(path: Path) -> Iterator[Path]:
    if path.is_file():
        yield path
    else:
        yield from (found for found in sorted(path.rglob("*.py")) if "__pycache__" not in found.parts)
