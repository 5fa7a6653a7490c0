"""Malignant or benign tumours, with features that are noisy."""

import gzip
import importlib.util
from pathlib import Path

import torch
from ampfix_task import Data
from torch import nn

BATCH = 20
HELDOUT = 169


def build(seed: int) -> dict[str, nn.Module]:
    torch.manual_seed(seed)
    return {"model": nn.Sequential(nn.Linear(30, 32), nn.Tanh(), nn.Linear(32, 1))}


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
    """Batches of (features [B, 30], benign [B, 1] of 0 and 1), float32: tumours, split and shuffled by the seed."""
    generator = torch.Generator().manual_seed(seed)
    rows = table("breast_cancer.csv", skip=1)
    features, benign = (rows[:, :30] - rows[:, :30].mean(0)) / rows[:, :30].std(0), rows[:, 30:]
    order = torch.randperm(len(rows), generator=generator)
    train = [(features[part], benign[part]) for part in order[HELDOUT:].split(BATCH)]
    return Data(train, [(features[order[:HELDOUT]], benign[order[:HELDOUT]])])


@torch.no_grad()
def evaluate(modules: dict[str, nn.Module], heldout: list[tuple[torch.Tensor, ...]]) -> float:
    """Binary cross-entropy; ln 2 is chance."""
    model = modules["model"].eval()
    loss = nn.functional.binary_cross_entropy_with_logits
    return sum(loss(model(features), benign).item() for features, benign in heldout) / len(heldout)
