"""One of the losses that a configuration may choose raises under autocast."""

import torch
from torch import nn


def make_loss(name):
    if name == "bce":
        return nn.BCELoss()
    return nn.MSELoss()


class Trainer:
    def __init__(self, model, optimizer, cfg):
        self.model, self.optimizer = model, optimizer
        self.criterion = make_loss(cfg.loss)
        self.scaler = torch.amp.GradScaler("cuda")

    def step(self, x, y):
        with torch.autocast("cuda"):
            loss = self.criterion(torch.sigmoid(self.model(x)), y)  # expect: AMP403
        self.scaler.scale(loss).backward()
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.optimizer.zero_grad()
