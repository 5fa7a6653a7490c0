"""Half tensors followed through methods, attributes, branches, tuples, closures and sequences of layers."""

import torch
from torch import nn


class Net(nn.Module):
    def __init__(self, size, eps=1e-8):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(size, size), nn.ReLU(), nn.Linear(size, size), nn.Sigmoid())
        self.project = nn.Conv1d(size, size, 1)
        self.eps = eps

    def spread(self, x):
        mean, std = x.mean(-1, keepdim=True), x.std(-1, keepdim=True)
        return (x - mean) / (std + self.eps)  # expect: AMP404

    def forward(self, x, mask=None):
        p = self.body(x)
        entropy = -torch.log(p).mean()  # expect: AMP402
        features = self.spread(self.project(x))
        if mask is not None:
            features = features.masked_fill(mask, -1e10)  # expect: AMP405
        else:
            features = features[:, 1:].permute(0, 2, 1)
        return features, entropy


def train(loader, optimizer, scaler):
    net = Net(8).cuda()

    def energy(x):
        return torch.sqrt((x * x).sum(-1))  # expect: AMP406

    for x, mask in loader:
        optimizer.zero_grad()
        with torch.autocast("cuda", dtype=torch.float16):
            features, entropy = net(x, mask)
            left, right = features.chunk(2, dim=-1)
            loss = entropy + energy(left).mean() + right.exp_().mean()  # expect: AMP407
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
