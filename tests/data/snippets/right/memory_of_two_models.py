import torch
from torch import nn
from torch.amp import GradScaler


class Comparison:
    def __init__(self, width=1024):
        self.full = self.build(width)
        self.mixed = self.build(width)
        self.scaler = GradScaler("cuda")

    def build(self, width):
        return nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 1000), nn.LogSoftmax(dim=-1)).cuda()

    def report(self):
        wide = sum(p.numel() * 4 for p in self.full.parameters())
        narrow = sum(p.numel() * 2 for p in self.mixed.parameters())
        print(f"{1 - narrow / wide:.0%} less")
