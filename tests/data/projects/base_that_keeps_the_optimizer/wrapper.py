import torch

from stepping_base import OptimizerWrapper


class ScaledOptimizer(OptimizerWrapper):
    def __init__(self, optimizer):
        super().__init__(optimizer)
        self.scaler = torch.amp.GradScaler("cuda")

    def backward(self, loss):
        self.scaler.scale(loss).backward()

    def step(self):
        self.scaler.step(self.optimizer)
        self.scaler.update()
