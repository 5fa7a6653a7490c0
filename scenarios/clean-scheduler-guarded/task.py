"""Progression of diabetes after a year."""

import gzip
import importlib.util
from pathlib import Path

import torch
from ampfix_task import Data
from torch import nn

BATCH = 20
HELDOUT = 122


def build(seed: int) -> dict[str, nn.Module]:
    torch.manual_seed(seed)
    return {"model": nn.Sequential(nn.Linear(10, 8), nn.Tanh(), nn.Linear(8, 1))}


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
    """Batches of (features [B, 10], progression [B, 1]), float32, standardised: split and shuffled by the seed."""
    generator = torch.Generator().manual_seed(seed)
    features = table("diabetes_data_raw.csv.gz", " ")
    progression = table("diabetes_target.csv.gz")
    features, progression = ((part - part.mean(0)) / part.std(0) for part in (features, progression))
    order = torch.randperm(len(features), generator=generator)
    train = [(features[part], progression[part]) for part in order[HELDOUT:].split(BATCH)]
    return Data(train, [(features[order[:HELDOUT]], progression[order[:HELDOUT]])])


@torch.no_grad()
def evaluate(modules: dict[str, nn.Module], heldout: list[tuple[torch.Tensor, ...]]) -> float:
    """Mean squared error of the progression, whose variance is 1."""
    model = modules["model"].eval()
    return sum(nn.functional.mse_loss(model(features), target).item() for features, target in heldout) / len(heldout)
