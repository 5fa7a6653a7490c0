import torch


class Manager:
    def __init__(self, on):
        self.scaler = torch.amp.GradScaler("cuda") if on else None

    def backward(self, loss):
        self.scaler.scale(loss).backward()

    def step(self, optimizer):
        self.scaler.step(optimizer)
        self.scaler.update()
