"""CUDA's autocast runs softmax in float32, where any guard keeps the logarithm finite."""

import torch
import torch.nn.functional as F

head = torch.nn.Linear(640, 2000).cuda()


def open_set_loss(scores, label):
    p = F.softmax(scores.view(scores.size(0), 2, -1), 1)
    return torch.mean(torch.sum(-torch.log(p[:, 1, :] + 1e-8) * label, 1))


def entropy(scores):
    p = F.softmax(scores, dim=1).clamp(min=1e-12)
    return -(p * p[:, :8].log()).sum(1).mean()


def train(loader, optimizer):
    scaler = torch.amp.GradScaler("cuda")
    for x, label in loader:
        optimizer.zero_grad()
        with torch.autocast("cuda"):
            loss = open_set_loss(head(x), label) + entropy(head(x))
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
