import torch
from torch.amp import GradScaler as Scaler


class Trainer:
    def __init__(self, model):
        self.model = model
        self.optimizer = torch.optim.SGD(model.parameters(), 0.1)

    def epoch(self, loader):
        scaler = Scaler("cuda")  # expect: AMP202
        for x, y in loader:
            self.optimizer.zero_grad()
            with torch.autocast("cuda"):
                loss = self.model(x, y)
            scaler.scale(loss).backward()
            scaler.step(self.optimizer)
            scaler.update()

    def fit(self, loader, epochs):
        for _ in range(epochs):
            self.epoch(loader)


def train_one_epoch(model, loader, optimizer):
    scaler = Scaler("cuda")  # expect: AMP202
    for x, y in loader:
        optimizer.zero_grad()
        with torch.autocast("cuda"):
            loss = model(x, y)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()


def step_by_step(model, loader, optimizer, use_amp):
    while True:
        for x, y in loader:
            if use_amp:
                scaler = Scaler("cuda")  # expect: AMP202
            optimizer.zero_grad()
            with torch.autocast("cuda", enabled=use_amp):
                loss = model(x, y)
            scaler.scale(loss).backward()
            scaler.step(optimizer)
            scaler.update()
