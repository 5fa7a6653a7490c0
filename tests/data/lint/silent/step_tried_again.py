import torch
from cluster import agreed


class Trainer:
    def __init__(self, model, optimizers):
        self.model, self.optimizers = model, optimizers
        self.scaler = torch.amp.GradScaler("cuda")

    def fit(self, loader):
        for batch in loader:
            self.train_batch(batch)
            self.scaler.update()

    def train_batch(self, batch):
        while True:
            failed = 0
            try:
                for optimizer in self.optimizers:
                    optimizer.zero_grad()
                with torch.autocast("cuda"):
                    loss = self.model(batch)
                self.scaler.scale(loss).backward()
                for optimizer in self.optimizers:
                    self.scaler.unscale_(optimizer)
                for optimizer in self.optimizers:
                    self.scaler.step(optimizer)
            except RuntimeError:
                failed = 1
            if agreed(failed) == 1:
                batch = batch[: len(batch) // 2]
                continue
            return
