import torch


class Trainer:
    def __init__(self, model, optimizer):
        self.model, self.optimizer = model, optimizer
        self.scaler = torch.amp.GradScaler("cuda")

    def train_epoch(self, batches):
        for x, y in batches:
            self.step(x, y)

    def step(self, x, y):
        self.optimizer.zero_grad()
        with torch.autocast("cuda"):
            loss = self.model(x, y)
        self.scaler.scale(loss).backward()
        self.scaler.step(self.optimizer)
        self.scaler.update()


class Stepper:
    def __init__(self):
        self.scaler = torch.amp.GradScaler("cuda")

    def train_step(self, model, optimizer, x, y):
        optimizer.zero_grad()
        with torch.autocast("cuda"):
            loss = model(x, y)
        self.scaler.scale(loss).backward()
        self.scaler.step(optimizer)
        self.scaler.update()
