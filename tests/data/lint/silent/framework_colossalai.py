"""colossalai's Booster runs backward and hands out an optimizer that unscales before it clips."""

import torch
from colossalai.booster import Booster


def train(model, optimizer, criterion, loader, scheduler):
    booster = Booster(mixed_precision="fp16")
    model, optimizer, criterion, loader, scheduler = booster.boost(model, optimizer, criterion, loader, scheduler)
    for x, y in loader:
        optimizer.zero_grad()
        loss = criterion(model(x), y)
        booster.backward(loss, optimizer)
        optimizer.clip_grad_by_norm(1.0)
        optimizer.step()
