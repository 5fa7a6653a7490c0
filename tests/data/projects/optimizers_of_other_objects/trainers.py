import torch

from amp_manager import Manager


class Trainer:
    def __init__(self, model, optimizer, callbacks=()):
        self.model, self.optimizer, self.callbacks = model, optimizer, callbacks
        self.scaler = torch.amp.GradScaler("cuda")

    def train_epoch(self, loader):
        for x, y in loader:
            self.optimizer.zero_grad()
            with torch.autocast("cuda"):
                loss = self.model(x, y)
            self.scaler.scale(loss).backward()
            self.scaler.step(self.optimizer)
            self.scaler.update()

    def fit(self, loader, epochs):
        for epoch in range(epochs):
            self.train_epoch(loader)
            for callback in self.callbacks:
                callback.on_epoch_end(self, epoch)


class ManagedTrainer:
    def __init__(self, model, optimizer):
        self.model, self.optimizer = model, optimizer
        self.amp = Manager(True)

    def train_epoch(self, loader):
        for x, y in loader:
            self.optimizer.zero_grad()
            with torch.autocast("cuda"):
                loss = self.model(x, y)
            self.amp.backward(loss)
            self.amp.step(self.optimizer)


class PlainTrainer:
    def __init__(self, model, optimizer):
        self.model, self.optimizer = model, optimizer

    def train_epoch(self, loader):
        for x, y in loader:
            self.optimizer.zero_grad()
            self.model(x, y).backward()
            self.optimizer.step()
