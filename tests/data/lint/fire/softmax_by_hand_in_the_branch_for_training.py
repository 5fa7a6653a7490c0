"""The branch of training mode runs in the step, that of evaluation where nothing is trained."""

import torch
from torch import nn


class Net(nn.Module):
    def __init__(self, layers):
        super().__init__()
        self.fc = nn.Sequential(*layers)

    def forward(self, x):
        out = self.fc(x)
        if not self.training:
            return out
        weights = torch.exp(out)
        return weights / weights.sum(1, keepdim=True)  # expect: AMP401


class Reader(nn.Module):
    def __init__(self, layers):
        super().__init__()
        self.fc = nn.Sequential(*layers)

    def forward(self, x):
        out = self.fc(x)
        if self.training:
            return out
        weights = torch.exp(out)
        return weights / weights.sum(1, keepdim=True)  # expect: AMP401


def train(loader, optimizer, layers):
    model = Net(layers).cuda()
    scaler = torch.amp.GradScaler("cuda")
    for x, y in loader:
        optimizer.zero_grad()
        with torch.autocast("cuda"):
            loss = nn.functional.cross_entropy(model(x), y)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()


def read(loader, layers):
    model = Reader(layers).cuda().eval()
    for x in loader:
        with torch.no_grad(), torch.autocast("cuda"):
            yield model(x)
