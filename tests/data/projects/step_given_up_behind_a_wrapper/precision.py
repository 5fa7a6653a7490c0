import torch


class Precision:
    def __init__(self, enabled):
        self.scaler = torch.amp.GradScaler("cuda", enabled=enabled)

    def backward(self, loss):
        self.scaler.scale(loss).backward()

    def unscale_(self, optimizer):
        self.scaler.unscale_(optimizer)

    def step(self, optimizer):
        self.scaler.step(optimizer)
        self.scaler.update()
