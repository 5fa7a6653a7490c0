"""Losses divided by the count, behind or beside numbers for the log."""

import torch
import torch.nn.functional as F


def train(model, loader, optimizer, accum):
    scaler = torch.amp.GradScaler("cuda")
    running = 0.0
    for i, (x, y) in enumerate(loader):
        with torch.autocast("cuda", dtype=torch.float16):
            loss = F.cross_entropy(model(x), y)
        running += loss.item() / accum
        loss = loss / accum
        scaler.scale(loss).backward()
        if (i + 1) % accum == 0:
            scaler.step(optimizer)
            scaler.update()
            optimizer.zero_grad()
            print(running)


def collected(model, loader, optimizer, accum):
    scaler = torch.amp.GradScaler("cuda")
    for window in loader:
        total = 0.0
        for x, y in window:
            with torch.autocast("cuda", dtype=torch.float16):
                total += F.cross_entropy(model(x), y)
        mean = total / accum
        scaler.scale(mean).backward()
        scaler.step(optimizer)
        scaler.update()
        optimizer.zero_grad()


class Trainer:
    def __init__(self, model, accum):
        self.model, self.accum = model, accum
        self.optimizer = torch.optim.AdamW(model.parameters())
        self.scaler = torch.amp.GradScaler("cuda")

    def loss(self, x, y):
        return F.cross_entropy(self.model(x), y) / self.accum

    def fit(self, loader):
        for i, (x, y) in enumerate(loader):
            with torch.autocast("cuda", dtype=torch.float16):
                loss = self.loss(x, y)
            self.scaler.scale(loss).backward()
            if (i + 1) % self.accum == 0:
                self.scaler.step(self.optimizer)
                self.scaler.update()
                self.optimizer.zero_grad()
