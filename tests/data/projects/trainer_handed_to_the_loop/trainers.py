import torch


class AlignmentTrainer:
    def __init__(self, model, optimizer, use_mixed_precision=True):
        self.model, self.optimizer = model, optimizer
        self.use_mixed_precision = use_mixed_precision
        if use_mixed_precision:
            self.scaler = torch.amp.GradScaler("cuda")

    def train_step(self, x, y):
        self.optimizer.zero_grad()
        if self.use_mixed_precision:
            with torch.autocast("cuda"):
                loss = self.model(x, y)
            self.scaler.scale(loss).backward()
            self.scaler.step(self.optimizer)
            self.scaler.update()
        else:
            self.model(x, y).backward()
            self.optimizer.step()


class PlainTrainer:
    def __init__(self, model, optimizer):
        self.model, self.optimizer = model, optimizer

    def train_step(self, x, y):
        self.optimizer.zero_grad()
        self.model(x, y).backward()
        self.optimizer.step()
