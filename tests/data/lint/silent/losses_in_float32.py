"""Range-hungry work where half does not reach: no region, float32 islands, torch's own losses."""

import math

import torch
import torch.nn.functional as F
from torch import nn

NEGATIVE = -1e9


def contrastive(a, b, temperature=0.07):
    a, b = F.normalize(a.float(), dim=-1), F.normalize(b.float(), dim=-1)
    with torch.autocast("cuda", enabled=False):
        similarity = a @ b.t() / temperature
        weights = similarity.exp_()
        return -torch.log(weights.diagonal() / weights.sum(1) + 1e-8).mean()


class Attention(nn.Module):
    def __init__(self, size):
        super().__init__()
        self.query, self.key, self.value = nn.Linear(size, size), nn.Linear(size, size), nn.Linear(size, size)
        self.eps = 1e-8

    def forward(self, x, mask):
        q, k, v = self.query(x), self.key(x), self.value(x)
        scores = (q / math.sqrt(q.size(-1))) @ k.transpose(-2, -1)
        scores = scores.float().masked_fill(mask == 0, NEGATIVE)
        out = scores.softmax(-1).to(v.dtype) @ v
        return out / (out.norm(dim=-1, keepdim=True) + self.eps)


class RMSNorm(nn.Module):
    def forward(self, x):
        wide = x.float()
        return (wide * torch.rsqrt((wide * wide).mean(-1, keepdim=True) + 1e-12)).type_as(x)


attention, norm, bce = Attention(8).cuda(), RMSNorm(), nn.BCELoss()


def train(loader, optimizer, scaler):
    for x, mask, y in loader:
        optimizer.zero_grad()
        with torch.autocast("cuda"):
            out = norm(attention(x, mask))
            loss = contrastive(out, out) + F.cross_entropy(out, y) + F.mse_loss(out, x)
            loss = loss + torch.log(out.exp().mean()) + out.pow(2).sum() + torch.cdist(out, out).mean()
        loss = loss + bce(torch.sigmoid(out.float()), y)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()


def evaluate(model, loader):
    for x, y in loader:
        p = torch.sigmoid(model(x))
        yield -(y * torch.log(p + 1e-8) + (1 - y) * torch.log(1 - p + 1e-8)).mean(), (p * p).sum(), p.exp_()
