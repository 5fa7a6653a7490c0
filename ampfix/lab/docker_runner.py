"""The docker engine of the lab: loops run in containers, and everything else stays on this machine."""

from __future__ import annotations

from ampfix.lab.docker_engine import DEFAULT_IMAGE, Engine
from ampfix.lab.docker_image import content_hash
from ampfix.lab.docker_server import ContainerServer
from ampfix.lab.process import ProcessRunner

_GPU_S = 120.0


class DockerRunner(ProcessRunner):
    """Runs loops in hardened containers; inputs are prepared and weights judged on this machine, as ever.

    device: "cpu" (CUDA emulated) or "cuda" (each container is given one GPU). Raises EngineError where there is no
    engine, no image of this ampfix, or no container to be had.
    """

    def __init__(self, device: str = "cpu", image: str = DEFAULT_IMAGE) -> None:
        engine = Engine()
        found = engine.image(image, content_hash())
        self._containers = ContainerServer(engine, found, gpu=device == "cuda")
        super().__init__(device, self._containers)
        self._image = found
        try:
            self._containers.start()
        except BaseException:
            self.close()
            raise

    def find_gpu(self) -> str:
        """Look at the CUDA device that a container is given and keep it as `gpu`; why there is none, else empty."""
        return self._keep_gpu(self._containers.call("describe_gpu", {}, _GPU_S))

    def settle(self) -> None:
        self.isolation()

    def versions(self) -> dict[str, str]:
        return {"image": self._image.id, **self._containers.versions}
