"""A variational autoencoder of handwritten digits."""

import gzip
import importlib.util
from pathlib import Path

import torch
from ampfix_task import Data
from torch import nn

BATCH, CODE = 32, 12
HELDOUT = 397


class Autoencoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 2 * CODE))
        self.decoder = nn.Sequential(nn.Linear(CODE, 64), nn.ReLU(), nn.Linear(64, 64))

    def forward(self, images, noise=None):
        mean, log_variance = self.encoder(images).chunk(2, dim=-1)
        code = mean if noise is None else mean + noise * (log_variance / 2).exp()
        return self.decoder(code), mean, log_variance


def build(seed: int) -> dict[str, nn.Module]:
    torch.manual_seed(seed)
    return {"model": Autoencoder()}


def table(name: str, separator: str = ",", skip: int = 0) -> torch.Tensor:
    """A table that scikit-learn ships. Read as a file, since importing the package takes longer than the training."""
    package = importlib.util.find_spec("sklearn")
    if package is None or package.origin is None:
        raise ModuleNotFoundError("the data of this task come with scikit-learn, which is not installed")
    path = Path(package.origin).parent / "datasets" / "data" / name
    with gzip.open(path, "rt") if path.suffix == ".gz" else path.open() as lines:
        rows = [line.split(separator) for line in lines][skip:]
    return torch.tensor([[float(value) for value in row if value.strip()] for row in rows])


def data(seed: int) -> Data:
    """Batches of (images [B, 64] of 0 to 1, noise [B, 12]): handwritten digits, split and shuffled by the seed."""
    generator = torch.Generator().manual_seed(seed)
    rows = table("digits.csv.gz")
    images, labels = rows[:, :64] / 16, rows[:, 64].long()

    def batch(rows: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return images[rows], torch.randn(len(rows), CODE, generator=generator)

    order = torch.randperm(len(labels), generator=generator)
    return Data([batch(rows) for rows in order[HELDOUT:].split(BATCH)][:-1], [batch(order[:HELDOUT])])


@torch.no_grad()
def evaluate(modules: dict[str, nn.Module], heldout: list[tuple[torch.Tensor, ...]]) -> float:
    """Mean squared error of the reconstruction; the pixels have variance 0.07 about their mean image."""
    model = modules["model"].eval()
    return sum(nn.functional.mse_loss(model(images)[0], images).item() for images, _ in heldout) / len(heldout)
