import torch

from evaluator import Evaluator
from precision import Precision


class Trainer:
    def __init__(self, model, optimizer, device):
        self.model = model.to(device)
        self.optimizer = optimizer
        self.scaler = torch.amp.GradScaler("cuda")
        self.evaluator = Evaluator(model)

    def train_epoch(self, loader):
        for x, y in loader:
            self.optimizer.zero_grad()
            with torch.autocast("cuda"):
                loss = self.model(x, y)
            self.scaler.scale(loss).backward()
            self.scaler.step(self.optimizer)
            self.scaler.update()

    def fit(self, loader, validation):
        for _ in range(9):
            self.train_epoch(loader)
            print(self.evaluator.evaluate(validation))  # expect: AMP304


class BrainTrainer:
    def __init__(self, model, optimizer):
        self.model = model
        self.optimizer = optimizer
        self.precision = Precision()

    def train_epoch(self, loader):
        for x in loader:
            with self.precision.forward_context():
                loss = self.model(x)
            loss.backward()
            self.optimizer.step()
            self.optimizer.zero_grad()

    @torch.no_grad()
    def validate(self, loader):
        return [self.model(x) for x in loader]  # expect: AMP304
