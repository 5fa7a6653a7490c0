"""Train and validate a small convolutional network on scikit-learn's digits in mixed precision, and go on after a stop.

    python examples/digits.py --precision auto --epochs 5 --checkpoint digits.pt

`auto` takes bfloat16 where the device computes in it, else float16 with a loss scale, else float32.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

HALVES = {"float16": torch.float16, "bfloat16": torch.bfloat16}
WINDOW = 2  # micro-batches a step
MAX_NORM = 1.0


def loaders(batch_size: int = 32) -> tuple[DataLoader, DataLoader]:
    """Images [n, 1, 8, 8] in 0 to 1, float32, and labels [n], int64; four fifths to train on."""
    digits = load_digits()
    images = torch.tensor(digits.images, dtype=torch.float32).unsqueeze(1) / 16
    labels = torch.tensor(digits.target)
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(0))
    cut = len(order) * 4 // 5
    train, held_out = (TensorDataset(images[part], labels[part]) for part in (order[:cut], order[cut:]))
    return DataLoader(train, batch_size, shuffle=True, drop_last=True), DataLoader(held_out, 256)


def network() -> nn.Module:
    # Channels are multiples of 8, so that half-precision kernels run on tensor cores.
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1),
        nn.BatchNorm2d(16),
        nn.ReLU(),
        nn.Conv2d(16, 32, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(512, 10),
    )


def chosen_dtype(precision: str, device: str) -> torch.dtype | None:
    """The dtype of the autocast region; None: no region."""
    if precision == "auto" and device == "cuda":
        return torch.bfloat16 if torch.cuda.get_device_capability() >= (8, 0) else torch.float16
    return HALVES.get(precision)


class Trainer:
    """One model and all that a checkpoint must hold."""

    def __init__(self, device: str, dtype: torch.dtype | None, steps: int) -> None:
        self.device, self.dtype = device, dtype
        self.model = network().to(device)
        self.criterion = nn.CrossEntropyLoss()
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=3e-3)
        self.scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(self.optimizer, steps)
        self.scaler = torch.amp.GradScaler(device, enabled=dtype is torch.float16)
        self.epoch = 0

    def region(self) -> torch.autocast:
        return torch.autocast(self.device, dtype=self.dtype, enabled=self.dtype is not None)

    def train(self, batches: DataLoader) -> float:
        """One epoch; returns the mean loss."""
        self.model.train()
        total = torch.zeros((), device=self.device)
        count = len(batches) - len(batches) % WINDOW
        for index, (images, labels) in enumerate(batches):
            if index == count:
                break
            images, labels = images.to(self.device), labels.to(self.device)
            with self.region():
                loss = self.criterion(self.model(images), labels) / WINDOW
            self.scaler.scale(loss).backward()
            total += loss.detach()
            if (index + 1) % WINDOW == 0:
                self.step()
        self.epoch += 1
        return total.item() * WINDOW / count

    def step(self) -> None:
        self.scaler.unscale_(self.optimizer)
        nn.utils.clip_grad_norm_(self.model.parameters(), MAX_NORM)
        self.scaler.step(self.optimizer)
        scale = self.scaler.get_scale()
        self.scaler.update()
        self.optimizer.zero_grad(set_to_none=True)
        if self.scaler.get_scale() >= scale:  # a skipped step lowers the scale; the schedule waits for it
            self.scheduler.step()

    @torch.no_grad()
    def accuracy(self, batches: DataLoader) -> float:
        self.model.eval()
        right = seen = 0
        for images, labels in batches:
            with self.region():
                scores = self.model(images.to(self.device))
            right += (scores.argmax(1).cpu() == labels).sum().item()
            seen += len(labels)
        return right / seen

    def parts(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in ("model", "optimizer", "scheduler", "scaler")}

    def save(self, path: Path) -> None:
        states = {name: part.state_dict() for name, part in self.parts().items()}
        torch.save({"epoch": self.epoch, **states}, path)

    def resume(self, path: Path) -> None:
        states = torch.load(path, map_location=self.device, weights_only=True)
        self.epoch = states["epoch"]
        for name, part in self.parts().items():
            part.load_state_dict(states[name])


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--precision", choices=["auto", "float32", *HALVES], default="auto")
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--checkpoint", type=Path)
    options = parser.parse_args()
    torch.manual_seed(0)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    train, held_out = loaders()
    trainer = Trainer(device, chosen_dtype(options.precision, device), options.epochs * (len(train) // WINDOW))
    if options.checkpoint and options.checkpoint.exists():
        trainer.resume(options.checkpoint)
    while trainer.epoch < options.epochs:
        loss = trainer.train(train)
        print(f"epoch {trainer.epoch}: loss {loss:.4f}, accuracy {trainer.accuracy(held_out):.3f}")
        if options.checkpoint:
            trainer.save(options.checkpoint)


if __name__ == "__main__":
    main()
