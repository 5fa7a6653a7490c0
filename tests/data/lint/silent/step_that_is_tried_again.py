import torch


class Trainer:
    def __init__(self, model, optimizers):
        self.model, self.optimizers = model, optimizers
        self.scaler = torch.amp.GradScaler("cuda")

    def batch(self, x, y):
        while True:
            try:
                with torch.autocast("cuda"):
                    loss = self.model(x, y)
                self.scaler.scale(loss).backward()
                for optimizer in self.optimizers:
                    self.scaler.step(optimizer)
            except RuntimeError:
                x, y = x[: len(x) // 2], y[: len(y) // 2]
                continue
            return

    def fit(self, loader):
        for x, y in loader:
            for optimizer in self.optimizers:
                optimizer.zero_grad()
            self.batch(x, y)
            self.scaler.update()
